// Scans that continue after their detection, and sources whose parts are one scan.
#include <algorithm>

#include "tests/support/detect_wire.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::test::Wire;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::uint16_t port_of(int i) { return static_cast<std::uint16_t>(1 + i % 65000); }

// Detections so far: all, or repeated ones.
std::size_t detections(const Wire& wire, bool repeated_only = false) {
    return static_cast<std::size_t>(std::count_if(
        wire.observations.begin(), wire.observations.end(), [&](const Observation& seen) {
            return seen.type == ObservationType::ScanDetected &&
                   (seen.is_repeated || !repeated_only);
        }));
}

const Observation& last_detection(const Wire& wire) {
    const auto found = std::find_if(
        wire.observations.rbegin(), wire.observations.rend(),
        [](const Observation& seen) { return seen.type == ObservationType::ScanDetected; });
    REQUIRE(found != wire.observations.rend());
    return *found;
}

}  // namespace

TEST_CASE("continuing_scans: a line every 10 s at most, and none for ports that are not new") {
    Wire wire;
    for (int i = 0; i < 6000; ++i) {  // a minute
        wire.raw_syn(40000, port_of(i));
        wire.refuse(40000, port_of(i));
        wire.pass(milliseconds(10));
    }
    CHECK(detections(wire) == 6);
    CHECK(detections(wire, true) == 5);
    CHECK(last_detection(wire).destination_ports.size() == 10);
    std::size_t before = detections(wire) + 1;  // what came since the last line
    for (int i = 0; i < 6000; ++i) {
        wire.raw_syn(40000, port_of(i % 5));
        wire.pass(milliseconds(10));
    }
    CHECK(detections(wire) == before);
    wire.pass(seconds(51));
    CHECK(wire.scans().back() == "TCP: SYN scan over 12000/288000");
}

TEST_CASE("continuing_scans: from the end of a block to the next line one threshold is learnt") {
    // A firewall that drops the source for some seconds from each line on, a whole day long.
    for (const seconds block : {seconds(10), seconds(600)}) {
        for (const seconds pace : {seconds(0), seconds(45)}) {
            CAPTURE(block.count(), pace.count());
            Wire wire;
            auto blocked_until = wire.now;
            std::size_t lines = 0;
            int learnt = 0;
            int most = 0;
            const auto end = wire.now + (pace.count() == 0 ? hours(1) : hours(24));
            for (int i = 0; wire.now < end; ++i) {
                const auto port = port_of(i);
                wire.raw_syn(40000, port);
                if (wire.now >= blocked_until) {
                    wire.refuse(40000, port);
                    ++learnt;
                }
                if (detections(wire) > lines) {
                    lines = detections(wire);
                    blocked_until = wire.now + block;
                    most = std::max(most, learnt);
                    learnt = 0;
                }
                wire.pass(pace.count() == 0 ? milliseconds(20) : milliseconds(pace));
                if (wire.observations.size() > 4000) {  // only detections matter
                    std::erase_if(wire.observations, [](const Observation& seen) {
                        return seen.type != ObservationType::ScanDetected;
                    });
                }
            }
            CHECK(std::max(most, learnt) <= 10);
            CHECK(lines > 20);
        }
    }
}

TEST_CASE("continuing_scans: who is answered again after a flush is reported before its time") {
    Wire wire;
    int i = 0;
    const auto probe = [&](bool is_answered) {
        wire.raw_syn(40000, port_of(++i));
        if (is_answered) {
            wire.refuse(40000, port_of(i));
        }
        wire.pass(milliseconds(20));
    };
    for (int n = 0; n < 10; ++n) {
        probe(true);
    }
    REQUIRE(detections(wire) == 1);
    for (int n = 0; n < 100; ++n) {  // two seconds of a block
        probe(false);
    }
    CHECK(detections(wire) == 1);
    int learnt = 0;
    while (detections(wire) == 1 && learnt < 100) {
        probe(true);
        ++learnt;
    }
    CHECK(learnt <= 10);
}

TEST_CASE("continuing_scans: slow scans and floods are repeated as well") {
    SECTION("a slow scan") {
        Wire wire;
        for (int i = 0; i < 41; ++i) {
            wire.raw_syn(40000, port_of(i));
            wire.refuse(40000, port_of(i));
            wire.pass(seconds(70));
        }
        CHECK(detections(wire) == 4);
        wire.pass(seconds(3700));
        CHECK(wire.scans().back() == "TCP: slow scan over 41/984");
    }
    SECTION("a ping flood") {
        Wire wire;
        for (int i = 0; i < 6000; ++i) {
            wire.ping();
            wire.pass(milliseconds(10));
        }
        CHECK(detections(wire) == 6);
    }
}

TEST_CASE("continuing_scans: a member of a decoy group that continues alone is a scanner") {
    for (const int companions : {0, 1, 5}) {
        CAPTURE(companions);
        Wire wire;
        const auto probe = [&](int source, int port) {
            wire.them = fmt::format("10.10.160.{}", source);
            wire.raw_syn(50000, port_of(port));
            wire.refuse(50000, port_of(port));
        };
        for (int port = 0; port < 12; ++port) {
            for (int source = 1; source <= 6; ++source) {
                probe(source, port);
            }
            wire.pass(milliseconds(50));
        }
        REQUIRE(wire.scans() == std::vector<std::string>{"TCP: scan with decoys detected"});
        for (int port = 100; port < 140; ++port) {
            for (int source = 1; source <= 1 + companions; ++source) {
                probe(source, port);
            }
            wire.pass(milliseconds(50));
        }
        // Two sources at the same ports are two scanners, as from the start; six are still decoys.
        const std::size_t alone = companions == 5 ? 0 : static_cast<std::size_t>(1 + companions);
        CHECK(detections(wire) == 1 + alone);
        wire.pass(seconds(60));
        const auto scans = wire.scans();
        CHECK(std::count(scans.begin(), scans.end(), "TCP: scan with decoys detected") == 1);
        CHECK(scans.size() == 2 * (1 + alone));  // each ends once
    }
}

TEST_CASE("continuing_scans: one source over several of our addresses is one scan") {
    Wire wire;
    const std::vector<portcullis::base::IpAddress> ours{
        *portcullis::base::IpAddress::parse("10.10.150.2"),
        *portcullis::base::IpAddress::parse("10.10.150.3")};
    wire.tracker.set_own_addresses(ours);
    for (int port = 0; port < 8; ++port) {
        for (const char* us : {"10.10.150.2", "10.10.150.3"}) {
            CHECK(wire.scans().empty() == (port < 5));
            wire.us = us;
            wire.raw_syn(40000, port_of(port));
            wire.refuse(40000, port_of(port));
        }
    }
    CHECK(last_detection(wire).source.to_string() == "10.10.150.1");
    CHECK(last_detection(wire).source_prefix == 0);
    wire.pass(seconds(51));
    CHECK(wire.scans() ==
          std::vector<std::string>{"TCP: SYN scan detected", "TCP: SYN scan over 16/384"});
}

TEST_CASE("continuing_scans: an IPv6 scanner that changes its address is named by its network") {
    struct Row {
        const char* network;
        bool is_one;
    };
    for (const Row& row :
         {Row{"2001:db8:1:2::", true}, Row{"fd00:150::", false}, Row{"fe80::", false}}) {
        CAPTURE(row.network);
        Wire wire;
        wire.us = "fd00:150::2";
        for (int i = 0; i < 36; ++i) {
            wire.them = fmt::format("{}{:x}", row.network, 16 + i % 6);
            wire.raw_syn(port_of(40000 + i), port_of(i));
            wire.refuse(port_of(40000 + i), port_of(i));
            wire.pass(milliseconds(200));
        }
        const auto named = std::count_if(
            wire.observations.begin(), wire.observations.end(), [&](const Observation& seen) {
                return seen.type == ObservationType::ScanDetected && seen.source_prefix == 64 &&
                       seen.source.to_string() == row.network;
            });
        CHECK((named > 0) == row.is_one);
    }
}

TEST_CASE("continuing_scans: packets that strict reverse path filtering drops are not a scan") {
    struct Judge final : ReturnPathJudge {
        ReturnPath answer = ReturnPath::Same;
        ReturnPath judge(const portcullis::base::IpAddress& /*source*/,
                         const portcullis::base::IpAddress& destination,
                         std::uint32_t interface) override {
            CHECK(destination.to_string() == "10.10.150.2");
            CHECK(interface == 7);
            return answer;
        }
    };
    struct Row {
        ReturnPath path;
        bool is_refused;
        bool is_reported;
    };
    for (const Row& row :
         {Row{ReturnPath::Same, false, true}, Row{ReturnPath::Other, false, true},
          Row{ReturnPath::Filtered, false, false}, Row{ReturnPath::Filtered, true, true},
          Row{ReturnPath::Unknown, false, true}}) {
        CAPTURE(static_cast<int>(row.path), row.is_refused);
        Judge judge;
        judge.answer = row.path;
        Wire wire;
        wire.tracker.set_return_path(&judge);
        for (int i = 0; i < 40; ++i) {
            Packet probe = wire.packet(Transport::Tcp, 40000, port_of(i));
            probe.tcp_flags = kSyn;
            probe.dont_fragment = false;
            probe.interface_index = 7;
            wire.tracker.on_inbound(probe, wire.now);
            if (row.is_refused) {
                wire.refuse(40000, port_of(i));
            }
        }
        wire.pass(seconds(1));
        CHECK((detections(wire) > 0) == row.is_reported);
        if (row.is_reported) {
            CHECK(last_detection(wire).is_route_asymmetric == (row.path == ReturnPath::Other));
        }
    }
}
