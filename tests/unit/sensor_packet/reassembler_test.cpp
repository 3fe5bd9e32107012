#include "sensor/packet/reassembler.hpp"

#include <algorithm>

#include "tests/support/fragments.hpp"

using namespace portcullis::sensor_packet;
using namespace portcullis::test;
using portcullis::base::IpAddress;

namespace {

struct Part {
    std::uint32_t begin;
    std::uint32_t end;
    bool more_follow;
};

// The events of the pieces, in order, as letters: a dot for none, c where the datagram is complete.
std::string events_of(const std::vector<Part>& parts, bool is_v4) {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn), is_v4);
    std::string text;
    for (const Part& part : parts) {
        const auto result = sender.send(part.begin, part.end, part.more_follow);
        text += result.is_complete ? 'c' : '.';
        text.back() = result.event == FragmentEvent::Overlapping ? 'O'
                      : result.event == FragmentEvent::Duplicate ? 'D'
                      : result.event == FragmentEvent::Oversized ? 'X'
                                                                 : text.back();
    }
    return text;
}

}  // namespace

TEST_CASE("reassembler: a fragmented TCP header is read as if it had come whole") {
    for (const bool is_v4 : {true, false}) {
        CAPTURE(is_v4);
        Reassembler reassembler;
        FragmentSender sender(reassembler, tcp(1000, 80, kSyn | kEce, 4), is_v4);
        sender.piece().ttl = 40;
        sender.piece().dont_fragment = true;
        CHECK_FALSE(sender.send(0, 8, true).is_complete);
        sender.piece().ttl = 50;
        sender.piece().dont_fragment = false;
        CHECK_FALSE(sender.send(16, 24, false).is_complete);
        const auto result = sender.send(8, 16, true);
        REQUIRE(result.is_complete);
        CHECK(result.event == FragmentEvent::None);
        REQUIRE(result.packet.verdict == Verdict::Ok);
        CHECK(result.packet.transport == Transport::Tcp);
        CHECK(result.packet.source_port == 1000);
        CHECK(result.packet.destination_port == 80);
        CHECK(result.packet.tcp_flags == (kSyn | kEce));
        CHECK(result.packet.payload_length == 24);
        CHECK(result.packet.ttl == 40);
        CHECK(result.packet.dont_fragment);
        CHECK(result.view.payload.size() == 24);
    }
}

TEST_CASE("reassembler: faults of the pieces are reported in every order of them") {
    struct Row {
        const char* what;
        std::vector<Part> parts;
        char event;
    };
    const Row rows[] = {
        {"overlap with the next piece", {{0, 16, true}, {8, 24, false}}, 'O'},
        {"overlap in the middle", {{0, 16, true}, {16, 64, true}, {48, 64, false}}, 'O'},
        {"one piece over two", {{0, 16, true}, {24, 40, true}, {8, 32, true}}, 'O'},
        {"teardrop: the end inside of another piece", {{0, 40, true}, {24, 28, false}}, 'O'},
        {"the same piece twice", {{0, 16, true}, {0, 16, true}, {24, 32, false}}, 'D'},
        {"the last piece twice", {{0, 16, true}, {24, 32, false}, {24, 32, false}}, 'D'},
        {"a piece inside of another", {{0, 32, true}, {8, 16, true}, {40, 48, false}}, 'O'},
        {"beyond 65535 bytes", {{0, 8, true}, {65528, 65544, false}}, 'X'},
    };
    for (Row row : rows) {
        std::sort(row.parts.begin(), row.parts.end(), [](const Part& a, const Part& b) {
            return std::tie(a.begin, a.end, a.more_follow) <
                   std::tie(b.begin, b.end, b.more_follow);
        });
        do {
            for (const bool is_v4 : {true, false}) {
                const std::string events = events_of(row.parts, is_v4);
                CAPTURE(row.what, events, is_v4);
                CHECK(std::count(events.begin(), events.end(), row.event) == 1);
                CHECK(events.find_first_not_of(std::string(".c") + row.event) == std::string::npos);
            }
        } while (std::next_permutation(row.parts.begin(), row.parts.end(),
                                       [](const Part& a, const Part& b) {
                                           return std::tie(a.begin, a.end, a.more_follow) <
                                                  std::tie(b.begin, b.end, b.more_follow);
                                       }));
    }
}

TEST_CASE("reassembler: a piece of a datagram that was complete is reported and starts a new one") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    sender.send(0, 16, true);
    CHECK(sender.send(16, 20, false).is_complete);
    SECTION("the same piece again") {
        CHECK(sender.send(0, 16, true, 1).event == FragmentEvent::Duplicate);
        // Hosts take the whole for a new datagram; so it may not be missed.
        const auto again = sender.send(16, 20, false, 1);
        CHECK(again.is_complete);
        CHECK(again.event == FragmentEvent::None);
    }
    SECTION("another cut") {
        CHECK(sender.send(8, 20, false, 1).event == FragmentEvent::Overlapping);
    }
    SECTION("other bytes: the identification is used again") {
        sender.content()[3] = 81;
        CHECK(sender.send(0, 16, true, 1).event == FragmentEvent::None);
        const auto next = sender.send(16, 20, false, 1);
        REQUIRE(next.is_complete);
        CHECK(next.packet.destination_port == 81);
    }
    SECTION("much later") { CHECK(sender.send(0, 16, true, 3).event == FragmentEvent::None); }
}

TEST_CASE("reassembler: the first bytes stay, as in a host, when a piece comes twice") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    sender.send(0, 16, true);
    sender.content()[3] = 81;
    CHECK(sender.send(0, 16, true).event == FragmentEvent::Overlapping);
    const auto result = sender.send(16, 20, false);
    REQUIRE(result.is_complete);
    CHECK(result.packet.destination_port == 80);
}

TEST_CASE("reassembler: an incomplete datagram is kept for 60 seconds from its first piece") {
    for (const double last : {59.0, 61.0}) {
        Reassembler reassembler;
        FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
        sender.send(0, 8, true, 0);
        sender.send(8, 16, true, 50);
        CHECK(sender.send(16, 20, false, last).is_complete == (last < 60));
        CHECK(reassembler.counters().expired == (last < 60 ? 0U : 1U));
    }
}

TEST_CASE("reassembler: datagrams of other hosts, identifications and protocols are kept apart") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    sender.send(0, 16, true);
    SECTION("source") { sender.piece().source = *IpAddress::parse("10.10.150.9"); }
    SECTION("destination") { sender.piece().destination = *IpAddress::parse("10.10.150.9"); }
    SECTION("identification") { sender.fragment().identification = 1; }
    SECTION("protocol") { sender.fragment().protocol = 17; }
    CHECK_FALSE(sender.send(16, 20, false).is_complete);
    CHECK(reassembler.size() == 2);
}

// RFC 8200 section 4.5: only the header of the first piece counts.
TEST_CASE("reassembler: IPv6 takes the protocol from the piece at offset 0") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn), false);
    sender.fragment().protocol = 17;
    sender.send(16, 20, false);
    sender.fragment().protocol = 6;
    const auto result = sender.send(0, 16, true);
    REQUIRE(result.is_complete);
    CHECK(result.packet.transport == Transport::Tcp);
}

TEST_CASE("reassembler: extension headers inside of an IPv6 datagram are read") {
    // Destination options of 1400 bytes, the TCP header behind them in the same first piece.
    Frame content(1400, 0);
    content[0] = 6;
    content[1] = 1400 / 8 - 1;
    append(content, tcp(1000, 80, kFin));
    content.resize(1424);
    Reassembler reassembler;
    FragmentSender sender(reassembler, content, false, 60);
    sender.send(1424, 1430, false);
    const auto result = sender.send(0, 1424, true);
    REQUIRE(result.is_complete);
    REQUIRE(result.packet.verdict == Verdict::Ok);
    CHECK(result.packet.destination_port == 80);
    CHECK(result.packet.payload_length == 30);
}

TEST_CASE("reassembler: what was not captured is not taken for known") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn, 20));
    sender.send(0, 40, true, 0, 13);
    const auto result = sender.send(40, 48, false);
    REQUIRE(result.is_complete);
    CHECK(result.view.payload.size() == 8);
    CHECK(result.packet.verdict == Verdict::Malformed);
}

TEST_CASE("reassembler: impossible pieces are discarded, and odd lengths are cut as hosts do") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    sender.send(0, 0, true);
    CHECK(reassembler.size() == 0);
    sender.send(0, 13, true);  // 8 bytes for IPv4
    CHECK(sender.send(8, 20, false).is_complete);
    FragmentSender sender6(reassembler, tcp(1000, 80, kSyn), false);
    sender6.send(0, 13, true);
    CHECK_FALSE(sender6.send(8, 20, false).is_complete);
    CHECK(reassembler.counters().malformed == 2);
}

TEST_CASE("reassembler: pieces that contradict the end drop the datagram, and are not an overlap") {
    const std::vector<std::vector<Part>> rows = {
        {{8, 16, false}, {24, 32, true}, {0, 8, true}},  // data behind the end
        {{24, 32, true}, {8, 16, false}, {0, 8, true}},
        {{8, 16, false}, {16, 32, false}, {0, 8, true}},  // two ends
    };
    for (const auto& parts : rows) {
        CHECK(events_of(parts, true) == "...");
        CHECK(events_of(parts, false) == "...");
    }
}

TEST_CASE("reassembler: at its limits the datagram that was quiet longest makes room") {
    SECTION("datagrams") {
        Reassembler reassembler({3, 1000000, std::chrono::seconds(60)});
        FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
        for (const std::uint32_t id : {1U, 2U, 3U}) {
            sender.fragment().identification = id;
            sender.send(0, 8, true);
        }
        sender.fragment().identification = 1;
        sender.send(8, 16, true);
        sender.fragment().identification = 4;
        sender.send(0, 8, true);
        CHECK(reassembler.size() == 3);
        CHECK(reassembler.counters().evicted == 1);
        sender.fragment().identification = 1;
        CHECK(sender.send(16, 20, false).is_complete);
    }
    SECTION("bytes") {
        Reassembler reassembler({1000, 20000, std::chrono::seconds(60)});
        FragmentSender sender(reassembler, Frame(2048, 1), false);
        for (std::uint32_t id = 0; id < 100; ++id) {
            sender.fragment().identification = id;
            sender.send(0, 2048, true);
            CHECK(reassembler.memory() <= 20000);
        }
        CHECK(reassembler.size() > 2);
        CHECK(reassembler.counters().evicted == 100 - reassembler.size());
    }
}

TEST_CASE("reassembler: a clock that was set back leaves nothing behind that never ends") {
    Reassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    sender.send(0, 8, true, 1000);
    sender.send(0, 16, true, 0);
    CHECK(sender.send(16, 20, false, 1).is_complete);
}
