// Sources whose packets arrive on several interfaces, of which the host drops some.
#include "sensor/detect/return_path.hpp"

#include <map>

#include "tests/support/detect_wire.hpp"

namespace base = portcullis::base;
using portcullis::sensor_detect::Observation;
using portcullis::sensor_detect::ObservationType;
using portcullis::sensor_detect::ReturnPath;
using portcullis::sensor_detect::ReturnPathJudge;
using portcullis::sensor_detect::TrackerSettings;
using portcullis::test::Wire;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint32_t kRight = 7;  // where the route back leads
constexpr std::uint32_t kWrong = 8;
const std::string kSource = "10.10.150.1";

// The route back to each source; where it leads elsewhere, `other` is the judgement.
struct Judge final : ReturnPathJudge {
    std::uint32_t route = kRight;
    std::map<std::string, std::uint32_t> routes;
    ReturnPath other = ReturnPath::Filtered;
    std::vector<std::string> destinations;
    ReturnPath judge(const base::IpAddress& source, const base::IpAddress& destination,
                     std::uint32_t interface) override {
        destinations.push_back(destination.to_string());
        const auto own = routes.find(source.to_string());
        return interface == (own == routes.end() ? route : own->second) ? ReturnPath::Same : other;
    }
};

struct Case {
    Case() { wire.tracker.set_return_path(&judge); }
    explicit Case(const TrackerSettings& settings) : wire(settings) {
        wire.tracker.set_return_path(&judge);
    }
    // SYNs to `count` ports from `first` on, which nobody answers.
    void probe(std::uint32_t interface, int first, int count) {
        wire.interface = interface;
        for (int i = 0; i < count; ++i) {
            wire.raw_syn(40000, static_cast<std::uint16_t>(first + i));
            wire.pass(milliseconds(20));
        }
        wire.pass(milliseconds(400));
    }
    std::vector<std::string> scans() const { return wire.scans(); }

    Wire wire;
    Judge judge;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("return_path: a forger whose packets are dropped adds nothing to the source's own") {
    for (const int forged : {1, 5, 9, 10, 12, 40, 200}) {
        CAPTURE(forged);
        Case before;
        before.probe(kWrong, 1000, forged);
        CHECK(before.scans().empty());
        before.probe(kRight, 1, 9);
        CHECK(before.scans().empty());
        before.probe(kRight, 10, 1);
        CHECK(before.scans() == Texts{"TCP: SYN scan detected"});
        CHECK_FALSE(before.wire.observations.back().is_route_asymmetric);

        Case after;
        after.probe(kRight, 1, 5);
        after.probe(kWrong, 1000, forged);
        after.probe(kRight, 6, 4);
        CHECK(after.scans().empty());
        after.probe(kRight, 10, 1);
        CHECK(after.scans() == Texts{"TCP: SYN scan detected"});
    }
}

TEST_CASE("return_path: dropped packets never become a slow scan") {
    Case burst;
    for (int round = 0; round < 20; ++round) {
        burst.probe(kWrong, 1000 + 40 * round, 40);
        burst.wire.pass(seconds(11));
    }
    burst.wire.tracker.finish(burst.wire.now);
    CHECK(burst.scans().empty());

    Case slow;
    for (int i = 0; i < 30; ++i) {
        slow.probe(kWrong, 1000 + i, 1);
        slow.wire.pass(seconds(120));
    }
    CHECK(slow.scans().empty());
    for (int i = 0; i < 10; ++i) {
        slow.probe(kRight, 1 + i, 1);
        slow.wire.pass(seconds(120));
    }
    CHECK(slow.scans() == Texts{"TCP: slow scan detected"});
}

TEST_CASE("return_path: a slow scan is judged by the interface of its own packets") {
    Case seen;
    const std::string other = "10.10.150.99";
    seen.judge.routes[other] = kWrong;
    for (int i = 0; i < 10; ++i) {
        seen.wire.them = kSource;
        seen.wire.interface = kRight;
        seen.wire.raw_syn(40000, static_cast<std::uint16_t>(1 + i));
        seen.wire.them = other;  // the last packet when the silence of the probe counts
        seen.wire.interface = kWrong;
        seen.wire.connect(40000, 80);
        seen.wire.pass(seconds(120));
    }
    CHECK(seen.scans() == Texts{"TCP: slow scan detected"});
}

TEST_CASE("return_path: dropped packets do not make a detected scan continue") {
    Case seen;
    seen.probe(kRight, 1, 10);
    seen.wire.pass(seconds(11));
    seen.probe(kWrong, 1000, 40);
    CHECK(seen.scans() == Texts{"TCP: SYN scan detected"});
    seen.judge.route = kWrong;  // the route moves, the packets do not
    seen.probe(kRight, 100, 40);
    CHECK(seen.scans() == Texts{"TCP: SYN scan detected"});
    seen.probe(kWrong, 200, 10);
    CHECK(seen.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan detected again"});
}

TEST_CASE("return_path: the mark of a repeated line is that of the interface used last") {
    Case seen;
    seen.judge.other = ReturnPath::Other;
    std::vector<bool> marks;
    int first = 1;
    for (const std::uint32_t interface : {kRight, kWrong, kRight}) {
        seen.probe(interface, first, 10);
        seen.wire.pass(seconds(11));
        first += 100;
    }
    for (const Observation& line : seen.wire.observations) {
        if (line.type == ObservationType::ScanDetected) {
            marks.push_back(line.is_route_asymmetric);
        }
    }
    CHECK(marks == std::vector<bool>{false, true, false});
}

TEST_CASE("return_path: decoys whose packets are dropped do not hide the scanner") {
    for (const bool is_dropped : {true, false}) {
        CAPTURE(is_dropped);
        Case seen;
        const Texts decoys{"10.10.150.21", "10.10.150.22", "10.10.150.23", "10.10.150.24"};
        for (const std::string& decoy : decoys) {
            seen.judge.routes[decoy] = is_dropped ? kWrong : kRight;
        }
        seen.wire.interface = kRight;
        for (int port = 1; port <= 40; ++port) {
            for (const std::string& decoy : decoys) {
                seen.wire.them = decoy;
                seen.wire.raw_syn(40000, static_cast<std::uint16_t>(port));
            }
            seen.wire.them = kSource;
            seen.wire.raw_syn(40000, static_cast<std::uint16_t>(port));
            seen.wire.pass(milliseconds(20));
        }
        seen.wire.pass(seconds(1));
        CHECK(seen.scans() ==
              Texts{is_dropped ? "TCP: SYN scan detected" : "TCP: scan with decoys detected"});
        if (is_dropped) {
            for (const Observation& line : seen.wire.observations) {
                CHECK((line.type != ObservationType::ScanDetected ||
                       line.source.to_string() == kSource));
            }
        }
    }
}

TEST_CASE("return_path: a scan over several targets is judged by the first of them") {
    TrackerSettings settings;
    settings.watches_networks = true;
    Case seen(settings);
    for (int i = 0; i < 10; ++i) {
        seen.wire.us = fmt::format("10.10.150.{}", 10 + i % 2);
        seen.probe(kRight, 1 + i, 1);
    }
    CHECK(seen.scans() == Texts{"TCP: SYN scan detected"});
    REQUIRE_FALSE(seen.judge.destinations.empty());
    for (const std::string& destination : seen.judge.destinations) {
        CHECK((destination == "10.10.150.10" || destination == "10.10.150.11"));
    }
}

TEST_CASE("return_path: dropped packets to several of our addresses add nothing either") {
    Case seen;
    const std::vector<base::IpAddress> ours{*base::IpAddress::parse("10.10.150.2"),
                                            *base::IpAddress::parse("10.10.150.3")};
    seen.wire.tracker.set_own_addresses(ours);
    for (int i = 0; i < 60; ++i) {
        seen.wire.us = ours[static_cast<std::size_t>(i % 2)].to_string();
        seen.probe(kWrong, 1000 + i, 1);
    }
    CHECK(seen.scans().empty());
    for (int i = 0; i < 10; ++i) {
        CHECK(seen.scans().empty());
        seen.wire.us = ours[static_cast<std::size_t>(i % 2)].to_string();
        seen.probe(kRight, 1 + i, 1);
    }
    CHECK(seen.scans() == Texts{"TCP: SYN scan detected"});
}
