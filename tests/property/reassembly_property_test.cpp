// Random pieces through the Reassembler and through a map of single bytes: the same events, the
// same datagrams.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "sensor/packet/reassembler.hpp"
#include "tests/support/fragments.hpp"
#include "tests/support/seed.hpp"

using namespace portcullis::sensor_packet;
using namespace portcullis::test;

namespace {

struct Piece {
    std::uint32_t identification;
    std::uint32_t begin;
    bool more_follow;
    Frame bytes;
    std::uint32_t end() const { return begin + static_cast<std::uint32_t>(bytes.size()); }
};

struct Outcome {
    FragmentEvent event = FragmentEvent::None;
    std::optional<Frame> datagram;
};

class ByteMap {
  public:
    explicit ByteMap(bool is_v4) : is_v4_(is_v4) {}

    Outcome add(Piece piece) {
        Outcome outcome;
        if (piece.more_follow && piece.bytes.size() % 8 != 0) {
            if (!is_v4_) {
                return outcome;
            }
            piece.bytes.resize(piece.bytes.size() / 8 * 8);
        }
        if (piece.bytes.empty()) {
            return outcome;
        }
        auto& datagram = datagrams_[piece.identification];
        if (datagram.is_complete) {
            const bool may_belong =
                piece.end() <= *datagram.end && (piece.more_follow || piece.end() == *datagram.end);
            const bool is_same = datagram.ranges.count({piece.begin, piece.end()}) != 0;
            if (may_belong && is_same && agrees(datagram, piece)) {
                outcome.event = FragmentEvent::Duplicate;
            } else if (may_belong && !is_same) {
                outcome.event = FragmentEvent::Overlapping;
            }
            datagram = {};
            datagram.is_reported = outcome.event != FragmentEvent::None;
        }
        std::size_t present = 0;
        for (std::uint32_t at = piece.begin; at < piece.end(); ++at) {
            present += datagram.bytes.count(at);
        }
        const std::uint32_t furthest =
            datagram.bytes.empty() ? 0 : datagram.bytes.rbegin()->first + 1;
        const bool is_end_wrong =
            piece.more_follow
                ? datagram.end && piece.end() > *datagram.end
                : (datagram.end && piece.end() != *datagram.end) || piece.end() < furthest;
        if (present != 0 && !datagram.is_reported) {
            datagram.is_reported = true;
            const bool is_same = datagram.ranges.count({piece.begin, piece.end()}) != 0;
            outcome.event = is_same && !is_end_wrong && agrees(datagram, piece)
                                ? FragmentEvent::Duplicate
                                : FragmentEvent::Overlapping;
        }
        if (is_end_wrong || (present != 0 && present != piece.bytes.size())) {
            datagrams_.erase(piece.identification);
            return outcome;
        }
        if (present != 0) {
            return outcome;
        }
        datagram.ranges.insert({piece.begin, piece.end()});
        for (std::uint32_t i = 0; i < piece.bytes.size(); ++i) {
            datagram.bytes[piece.begin + i] = piece.bytes[i];
        }
        if (!piece.more_follow) {
            datagram.end = piece.end();
        }
        if (datagram.end && datagram.bytes.size() == *datagram.end) {
            datagram.is_complete = true;
            outcome.datagram.emplace();
            for (const auto& [at, byte] : datagram.bytes) {
                outcome.datagram->push_back(byte);
            }
        }
        return outcome;
    }

  private:
    struct Datagram {
        std::map<std::uint32_t, std::uint8_t> bytes;
        std::set<std::pair<std::uint32_t, std::uint32_t>> ranges;
        std::optional<std::uint32_t> end;
        bool is_complete = false;
        bool is_reported = false;
    };
    static bool agrees(const Datagram& datagram, const Piece& piece) {
        for (std::uint32_t i = 0; i < piece.bytes.size(); ++i) {
            if (datagram.bytes.at(piece.begin + i) != piece.bytes[i]) {
                return false;
            }
        }
        return true;
    }
    bool is_v4_;
    std::map<std::uint32_t, Datagram> datagrams_;
};

}  // namespace

TEST_CASE("reassembler: agrees with a map of single bytes on random pieces") {
    const std::uint32_t seed = first_seed();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t limit) {
        return static_cast<std::uint32_t>(random() % limit);
    };
    std::map<FragmentEvent, int> events;
    int completed = 0;
    for (const bool is_v4 : {true, false}) {
        Reassembler reassembler;
        ByteMap map(is_v4);
        Packet packet;
        packet.verdict = Verdict::Fragment;
        packet.source = *portcullis::base::IpAddress::parse(is_v4 ? "10.0.0.1" : "fd00::1");
        packet.destination = packet.source;
        for (int i = 0; i < 200000; ++i) {
            Piece piece;
            piece.identification = below(8);
            piece.begin = below(5) * 8;
            piece.more_follow = below(3) != 0;
            piece.bytes.resize(piece.more_follow && below(10) != 0 ? 8 * (1 + below(3))
                                                                   : below(20));
            // Few contents, so that pieces often agree; 59 is "no next header".
            const std::uint8_t content = below(20) == 0 ? 1 : 59;
            std::fill(piece.bytes.begin(), piece.bytes.end(), content);

            Fragment fragment;
            fragment.identification = piece.identification;
            fragment.offset = piece.begin;
            fragment.length = static_cast<std::uint32_t>(piece.bytes.size());
            fragment.more_follow = piece.more_follow;
            fragment.protocol = 6;
            fragment.bytes = piece.bytes;
            const auto result = reassembler.add(packet, fragment, at_second(0));
            const Outcome expected = map.add(piece);
            CAPTURE(i, is_v4);
            REQUIRE(result.event == expected.event);
            REQUIRE(result.is_complete == expected.datagram.has_value());
            ++events[result.event];
            if (expected.datagram) {
                ++completed;
                REQUIRE(result.packet.payload_length == expected.datagram->size());
                REQUIRE(Frame(result.view.payload.begin(), result.view.payload.end()) ==
                        *expected.datagram);
            }
        }
    }
    CHECK(events[FragmentEvent::Overlapping] > 1000);
    CHECK(events[FragmentEvent::Duplicate] > 1000);
    CHECK(completed > 1000);
}
