#include "sensor/detect/scan_tracker.hpp"

#include <fmt/format.h>

#include "tests/support/detect_wire.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::base::Timestamp;
using portcullis::test::Wire;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("scan_tracker: the RST to the tenth hand-made SYN is a SYN scan, at that very moment") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 10; ++port) {
        wire.raw_syn(40000, port);
        CHECK(wire.scans().empty());
        wire.refuse(40000, port);
        wire.pass(milliseconds(1));
    }
    REQUIRE(wire.scans() == Texts{"TCP: SYN scan detected"});
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 10);
    const Observation& scan = wire.observations.back();
    CHECK(scan.destination_ports.ports().size() == 10);
    CHECK(scan.source_ports.ports().size() == 1);
    CHECK(scan.time == Timestamp(seconds(1'700'000'000) + milliseconds(9)));
}

TEST_CASE("scan_tracker: packets after the detection are counted, not reported, until it expires") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        wire.raw_syn(40000, port);
        wire.refuse(40000, port);
    }
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 10);
    wire.pass(seconds(49));
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected"});
    wire.pass(seconds(2));
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan over 100/2400"});
    wire.raw_syn(40000, 7);
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 11);
}

TEST_CASE("scan_tracker: the total of packets does not wrap at 65536") {
    Wire wire;
    for (int i = 0; i < 70000; ++i) {
        wire.tcp(kFin, 4000, static_cast<std::uint16_t>(i + 1));
        wire.refuse(4000, static_cast<std::uint16_t>(i + 1));
    }
    wire.pass(seconds(60));
    CHECK(wire.scans() == Texts{"TCP: FIN scan detected", "TCP: FIN scan over 70000/2800000"});
}

TEST_CASE("scan_tracker: connections as connect() makes them are a port scan from 15 ports on") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 14; ++port) {
        wire.connect(static_cast<std::uint16_t>(40000 + port), port);
        wire.refuse(static_cast<std::uint16_t>(40000 + port), port);
    }
    CHECK(wire.scans().empty());
    wire.connect(50000, 99);
    wire.refuse(50000, 99);
    CHECK(wire.scans() == Texts{"TCP: port scan detected"});
}

TEST_CASE("scan_tracker: over IPv6 the options of a SYN show whether it was made by hand") {
    struct Row {
        std::uint8_t header_length;
        const char* scan;
    };
    for (const Row& row : {Row{24, "TCP: SYN scan detected"}, Row{40, "TCP: port scan detected"}}) {
        CAPTURE(row.header_length);
        Wire wire;
        wire.them = "fd00::1";
        wire.us = "fd00::2";
        for (std::uint16_t port = 1; port <= 20; ++port) {
            Packet syn = wire.packet(Transport::Tcp, 4000, port);
            syn.tcp_flags = kSyn;
            syn.tcp_header_length = row.header_length;
            syn.dont_fragment = false;
            wire.tracker.on_inbound(syn, wire.now);
            wire.refuse(4000, port);
        }
        CHECK(wire.scans() == Texts{row.scan});
    }
}

TEST_CASE("scan_tracker: stealth probes are distinguished by their flags, whatever the ECN bits") {
    struct Row {
        std::uint8_t flags;
        const char* scan;  // "" = none
    };
    const Row rows[] = {
        {0, "TCP: null scan detected"},
        {kEce | kCwr, "TCP: null scan detected"},
        {kFin, "TCP: FIN scan detected"},
        {kFin | kEce, "TCP: FIN scan detected"},
        {kFin | kPsh | kUrg, "TCP: Xmas scan detected"},
        {kFin | kUrg, "TCP: Xmas scan detected"},
        {kFin | kPsh, "TCP: Xmas scan detected"},
        {kUrg | kPsh, "TCP: Xmas scan detected"},
        {kUrg, "TCP: Xmas scan detected"},
        {kPsh, "TCP: Xmas scan detected"},
        {kSyn | kEce | kCwr, "TCP: port scan detected"},
        {kAck, "TCP: ACK scan detected"},
        {kAck | kEce, "TCP: ACK scan detected"},
        {kFin | kAck, "TCP: Maimon scan detected"},
        {kSyn | kAck, "TCP: backscatter detected"},
        {kRst, ""},
        {kRst | kAck, ""},
        {kSyn | kFin, "TCP: SYN-FIN scan detected"},
        {kSyn | kFin | kPsh | kUrg, "TCP: SYN-FIN scan detected"},
        {kAck | kUrg, "TCP: ACK scan detected"},
        {kSyn | kFin | kRst, ""},
        {kSyn | kRst, ""},
        {kFin | kRst, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(int{row.flags});
        Wire wire;
        for (std::uint16_t port = 1; port <= 30; ++port) {
            wire.tcp(row.flags, 4000, port);
            wire.refuse(4000, port);
        }
        CHECK(wire.scans() == (row.scan[0] == '\0' ? Texts{} : Texts{row.scan}));
    }
}

TEST_CASE("scan_tracker: silence counts as closed after 300 ms, and not before") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 10; ++port) {
        wire.raw_syn(40000, port);
    }
    wire.pass(milliseconds(299));
    CHECK(wire.scans().empty());
    wire.pass(milliseconds(2));
    REQUIRE(wire.scans() == Texts{"TCP: SYN scan detected"});
    CHECK(wire.observations.back().time == Timestamp(seconds(1'700'000'000) + milliseconds(300)));
}

TEST_CASE("scan_tracker: a busy client of an open port is not a scan, however often it connects") {
    Wire wire;
    for (int i = 0; i < 2000; ++i) {
        const auto source_port = static_cast<std::uint16_t>(30000 + i);
        wire.connect(source_port, 443);
        wire.accept(source_port, 443);
        wire.pass(milliseconds(5));
    }
    wire.pass(seconds(5));
    CHECK(wire.scans().empty());
}

TEST_CASE("scan_tracker: open ports are not counted, closed ones once") {
    TrackerSettings settings;
    settings.of(ScanKind::OpenPortProbing).is_enabled = false;
    Wire wire(settings);
    for (int round = 0; round < 5; ++round) {  // retransmissions and repetitions
        for (std::uint16_t port = 1; port <= 9; ++port) {
            wire.raw_syn(40000, port);
            wire.refuse(40000, port);
        }
        for (std::uint16_t port = 100; port <= 200; ++port) {
            wire.raw_syn(40000, port);
            wire.accept(40000, port);
        }
        wire.pass(seconds(1));
    }
    CHECK(wire.scans().empty());
    wire.raw_syn(40000, 10);
    wire.refuse(40000, 10);
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected"});
}

TEST_CASE("scan_tracker: an answer that was captured before its probe still answers it") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 40; ++port) {
        wire.accept(40000, port);
        wire.raw_syn(40000, port);
    }
    wire.pass(seconds(1));
    CHECK(wire.scans().empty());
}

TEST_CASE("scan_tracker: an unreachable message of ours says closed as a RST does") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 10; ++port) {
        wire.raw_syn(40000, port);
        wire.unreachable(Transport::Tcp, 40000, port);
    }
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected"});
}

TEST_CASE("scan_tracker: a mixture of hand-made and ordinary SYNs cannot add up below both") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 15; ++port) {
        if (port % 2 == 0) {
            wire.raw_syn(40000, port);
        } else {
            wire.connect(40000, port);
        }
        wire.refuse(40000, port);
    }
    CHECK(wire.scans() == Texts{"TCP: port scan detected"});
}

TEST_CASE("scan_tracker: datagrams to 25 closed or silent ports are a UDP scan") {
    for (const bool is_refused : {true, false}) {
        CAPTURE(is_refused);
        Wire wire;
        for (std::uint16_t port = 1; port <= 25; ++port) {
            CHECK(wire.scans().empty());
            wire.datagram(5000, port);
            if (is_refused) {
                wire.unreachable(Transport::Udp, 5000, port);
            }
            wire.pass(seconds(port < 25 ? 40 : 0));  // slow: no rate involved
        }
        wire.pass(milliseconds(301));
        CHECK(wire.scans() == Texts{"UDP: scan/flood detected"});
    }
}

TEST_CASE(
    "scan_tracker: datagrams to one port are a stream, and a flood at an extraordinary rate") {
    struct Row {
        const char* what;
        std::chrono::microseconds gap;
        int source_ports;
        bool is_refused;
        bool is_flood;
    };
    for (const Row& row :
         {Row{"RTP", milliseconds(20), 1, false, false},
          Row{"a tunnel", milliseconds(1), 40, false, false},
          Row{"a call that has ended", milliseconds(20), 1, true, false},
          Row{"a closed port, many source ports", milliseconds(30), 40, true, true},
          Row{"the same, slower", milliseconds(60), 40, true, false},
          Row{"2000 a second and more", std::chrono::microseconds(400), 1, false, true},
          Row{"fewer", std::chrono::microseconds(600), 1, false, false}}) {
        CAPTURE(row.what);
        Wire wire;
        for (int i = 0; i < 20000; ++i) {
            const auto from = static_cast<std::uint16_t>(5000 + i % row.source_ports);
            wire.datagram(from, 5060);
            if (row.is_refused) {
                wire.unreachable(Transport::Udp, from, 5060);
            }
            wire.pass(row.gap);
        }
        wire.pass(seconds(1));
        CHECK(wire.scans().empty() != row.is_flood);
    }
}

TEST_CASE("scan_tracker: ports 0 and 1 belong to no conversation that another port has") {
    Wire wire;
    wire.answer_datagram(40000, 7);  // from us: 7 → 40000
    const std::size_t threshold = TrackerSettings().of(ScanKind::UdpScan).threshold;
    for (std::uint16_t port = 0; port < threshold + 2; ++port) {
        if (port != 6 && port != 7) {
            wire.datagram(40001, port);
        }
    }
    wire.pass(seconds(1));
    CHECK(wire.scans() == Texts{"UDP: scan/flood detected"});
}

TEST_CASE("scan_tracker: queries that our server answers are not a flood") {
    Wire wire;
    for (int i = 0; i < 1000; ++i) {
        const auto source_port = static_cast<std::uint16_t>(20000 + i);
        wire.datagram(source_port, 53);
        wire.pass(milliseconds(1));
        wire.answer_datagram(source_port, 53);
    }
    wire.pass(seconds(1));
    CHECK(wire.scans().empty());
    CHECK(wire.count(ObservationType::Datagram) == 1000);
}

TEST_CASE("scan_tracker: answers to our queries are not a scan, the same without queries are") {
    for (const bool was_asked : {true, false}) {
        CAPTURE(was_asked);
        Wire wire;
        for (int i = 0; i < 100; ++i) {
            const auto our_port = static_cast<std::uint16_t>(30000 + i);
            if (was_asked) {
                wire.answer_datagram(53, our_port);  // from us: our_port → 53
            }
            wire.datagram(53, our_port);
        }
        wire.pass(seconds(1));
        CHECK(wire.scans().empty() == was_asked);
    }
}

TEST_CASE("scan_tracker: so are answers to what we asked many at once") {
    struct Row {
        const char* group;
        bool is_query;
    };
    for (const Row& row :
         {Row{"239.255.255.250", true}, Row{"10.10.150.255", true}, Row{"10.10.150.9", false}}) {
        CAPTURE(row.group);
        TrackerSettings settings;
        settings.of(ScanKind::UdpScan).rate_threshold = 30;
        Wire wire(settings);
        const std::string device = std::exchange(wire.them, row.group);
        wire.answer_datagram(1900, 40000);
        wire.them = device;
        for (int i = 0; i < 30; ++i) {
            wire.datagram(static_cast<std::uint16_t>(30000 + i), 40000);
        }
        wire.pass(seconds(1));
        CHECK(wire.scans().empty() == row.is_query);
    }
}

TEST_CASE("scan_tracker: a traceroute gives one line and no flood") {
    Wire wire;
    std::uint16_t port = 33434;
    for (std::uint8_t ttl = 1; ttl <= 14; ++ttl) {
        for (int i = 0; i < 3; ++i) {
            wire.datagram(static_cast<std::uint16_t>(port + 10000), port, ttl);
            ++port;
            wire.pass(milliseconds(50));
        }
    }
    wire.pass(seconds(1));
    CHECK(wire.scans().empty());
    CHECK(wire.observations.size() == 1);
    CHECK(wire.count(ObservationType::Traceroute) == 1);
}

TEST_CASE("scan_tracker: a UDP scan does not pass for a traceroute by sending small TTLs") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 200; ++port) {
        wire.datagram(5000, port, 1);
    }
    wire.pass(seconds(1));
    CHECK(wire.scans() == Texts{"UDP: scan/flood detected"});
}

TEST_CASE("scan_tracker: pings are a flood from 70 in 10 s on") {
    struct Row {
        milliseconds gap;
        bool is_flood;
    };
    for (const Row& row : {Row{milliseconds(1), true}, Row{milliseconds(100), true},
                           Row{milliseconds(150), false}, Row{milliseconds(500), false}}) {
        CAPTURE(row.gap.count());
        Wire wire;
        for (int i = 0; i < 300; ++i) {
            wire.ping();
            wire.pass(row.gap);
        }
        CHECK(wire.scans().empty() != row.is_flood);
        CHECK((wire.count(ObservationType::EchoRequest) < 100) == row.is_flood);
    }
}

TEST_CASE("scan_tracker: a kind that is switched off neither reports nor swallows") {
    TrackerSettings settings;
    settings.of(ScanKind::SynScan).is_enabled = false;
    Wire wire(settings);
    for (std::uint16_t port = 1; port <= 15; ++port) {
        wire.raw_syn(40000, port);
        wire.refuse(40000, port);
    }
    CHECK(wire.scans() == Texts{"TCP: port scan detected"});
}

TEST_CASE("scan_tracker: a scan to each of two of our addresses is a scan of its own") {
    Wire wire;
    for (const char* us : {"10.10.150.2", "10.10.150.3"}) {
        wire.us = us;
        for (std::uint16_t port = 1; port <= 6; ++port) {
            wire.raw_syn(40000, port);
            wire.refuse(40000, port);
        }
    }
    CHECK(wire.scans().empty());
}

TEST_CASE("scan_tracker: a scanner is not forgotten while a spoofed flood fills the table") {
    TrackerSettings settings;
    settings.max_sources = 64;
    Wire wire(settings);
    const auto scan = [&](std::uint16_t port) {
        wire.them = "10.10.150.1";
        wire.raw_syn(40000, port);
        wire.refuse(40000, port);
    };
    for (std::uint16_t port = 1; port <= 10; ++port) {
        scan(port);
    }
    for (int i = 0; i < 5000; ++i) {
        wire.them = fmt::format("172.16.{}.{}", i / 250, i % 250 + 1);
        wire.raw_syn(1000, 80);
    }
    scan(11);
    CHECK(wire.tracker.source_count() <= 64);
    CHECK(wire.tracker.counters().source_evictions > 4900);
    CHECK(wire.tracker.counters().scan_evictions == 0);
    wire.tracker.finish(wire.now);
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan over 11/264"});
}

TEST_CASE("scan_tracker: the end of the program ends every scan with its totals") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 30; ++port) {
        wire.raw_syn(40000, port);
        wire.refuse(40000, port);
    }
    wire.tracker.finish(wire.now);
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan over 30/720"});
    CHECK(wire.tracker.source_count() == 0);
    CHECK_FALSE(wire.tracker.next_deadline());
}

TEST_CASE("scan_tracker: the next deadline is that of the oldest unanswered probe, then expiry") {
    Wire wire;
    CHECK_FALSE(wire.tracker.next_deadline());
    wire.raw_syn(40000, 1);
    REQUIRE(wire.tracker.next_deadline());
    CHECK(*wire.tracker.next_deadline() == wire.now + milliseconds(300));
    wire.refuse(40000, 1);
    // A single packet has no line when it is evicted.
    CHECK_FALSE(wire.tracker.next_deadline());
    wire.raw_syn(40000, 2);
    wire.refuse(40000, 2);
    REQUIRE(wire.tracker.next_deadline());
    CHECK(*wire.tracker.next_deadline() == wire.now + seconds(50));
    wire.pass(seconds(61));
    CHECK_FALSE(wire.tracker.next_deadline());
}

TEST_CASE("scan_tracker: time that jumps far ahead or back is taken as it comes") {
    Wire wire;
    wire.raw_syn(40000, 1);
    wire.now = Timestamp(seconds(1));
    wire.raw_syn(40000, 2);
    wire.now = Timestamp::max();
    wire.tracker.advance(wire.now);
    CHECK(wire.tracker.source_count() == 0);
    wire.raw_syn(40000, 3);
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 3);
}

TEST_CASE("scan_tracker: a scan is reported although the clock is set back right after it") {
    Wire wire;
    for (std::uint16_t port = 1; port <= 10; ++port) {
        wire.raw_syn(40000, port);
    }
    wire.now -= std::chrono::hours(3);
    wire.tracker.advance(wire.now);
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan over 10/240"});
}

TEST_CASE("scan_tracker: a clock that was set back does not blind it to silent ports") {
    Wire wire;
    wire.datagram(5000, 53);
    wire.connect(40000, 7);
    wire.now -= std::chrono::hours(3);
    for (std::uint16_t port = 1; port <= 10; ++port) {
        wire.raw_syn(40000, port);
    }
    wire.pass(milliseconds(300));
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected"});
    wire.pass(seconds(61));
    CHECK(wire.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan over 10/240"});
    CHECK(wire.tracker.source_count() == 0);
}
