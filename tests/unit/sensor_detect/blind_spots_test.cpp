// Kinds that iplog does not detect: they need our RSTs, long times, several hosts or many sources.
#include "tests/support/detect_wire.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::test::Wire;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

using Texts = std::vector<std::string>;

std::uint16_t port_of(int i) { return static_cast<std::uint16_t>(i); }

std::string address_of(int i) { return fmt::format("10.{}.{}.1", i / 250 + 1, i % 250); }

const Observation* find_scan(const Wire& wire, ObservationType type, ScanKind kind) {
    for (const Observation& seen : wire.observations) {
        if (seen.type == type && seen.kind == kind) {
            return &seen;
        }
    }
    return nullptr;
}

}  // namespace

TEST_CASE("blind_spots: an ACK scan is detected by our RSTs, the only part that is captured") {
    Wire wire;
    for (int port = 1; port <= 30; ++port) {
        CHECK(wire.scans().empty() == (port <= 10));
        wire.answer_tcp(kRst, 46816, port_of(port));
    }
    wire.pass(seconds(51));
    CHECK(wire.scans() == Texts{"TCP: ACK scan detected", "TCP: ACK scan over 30/600"});
}

TEST_CASE("blind_spots: left-overs of our own connections are not a scan") {
    struct Row {
        const char* what;
        void (*happen)(Wire&, std::uint16_t);
    };
    const Row rows[] = {
        {"a RST of ours with ACK ends a connection",
         [](Wire& w, std::uint16_t p) { w.answer_tcp(kRst | kAck, 46816, p); }},
        {"a service's segments to high ports of ours, after the connections were closed",
         [](Wire& w, std::uint16_t p) { w.answer_tcp(kRst, 443, port_of(40000 + p)); }},
        {"the same where they are seen, with FIN",
         [](Wire& w, std::uint16_t p) {
             w.tcp(kFin | kAck, 8080, port_of(40000 + p));
             w.answer_tcp(kRst, 8080, port_of(40000 + p));
         }},
        {"segments of a peer to which we connected half a minute ago",
         [](Wire& w, std::uint16_t p) {
             if (p == 1) {
                 w.answer_tcp(kSyn, 22, 50000);
                 w.pass(seconds(30));
             }
             w.tcp(kSyn | kAck, 46816, p);
             w.answer_tcp(kRst, 46816, p);
         }},
        {"segments of connections that began before the sensor, acknowledged by us",
         [](Wire& w, std::uint16_t p) {
             w.tcp(kAck, 46816, p);
             w.answer_tcp(kAck, 46816, p);
         }},
        {"a FIN whose answer the kernel filter keeps back",
         [](Wire& w, std::uint16_t p) {
             w.answer_datagram(9, 9);  // there are packets of ours
             w.tcp(kFin | kAck, 46816, p);
         }},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Wire wire;
        for (int port = 1; port <= 200; ++port) {
            row.happen(wire, port_of(port));
            wire.pass(milliseconds(20));
        }
        wire.pass(seconds(1));
        CHECK(wire.scans().empty());
    }
}

TEST_CASE("blind_spots: a flow of ours protects its peer for 60 s, not longer") {
    Wire wire;
    wire.answer_tcp(kSyn, 22, 50000);
    wire.pass(seconds(61));
    for (int port = 1; port <= 10; ++port) {
        wire.tcp(kSyn | kAck, 46816, port_of(port));
        wire.answer_tcp(kRst, 46816, port_of(port));
    }
    CHECK(wire.scans() == Texts{"TCP: SYN-ACK probes detected"});
}

TEST_CASE("blind_spots: answers of one service to connections we never made are backscatter") {
    Wire wire;
    for (int i = 0; i < 100; ++i) {
        wire.tcp(kSyn | kAck, 80, port_of(20000 + 7 * i));
        wire.answer_tcp(kRst, 80, port_of(20000 + 7 * i));
    }
    wire.pass(seconds(51));
    CHECK(wire.scans() == Texts{"TCP: backscatter detected", "TCP: backscatter over 100/4000"});
}

TEST_CASE("blind_spots: ten ports over many bursts are a slow scan, at any pace") {
    for (const seconds gap : {seconds(51), seconds(600), seconds(9000)}) {
        CAPTURE(gap.count());
        Wire wire;
        for (int port = 1; port <= 15; ++port) {
            CHECK(wire.scans().empty() == (port <= 10));
            wire.raw_syn(40000, port_of(port));
            wire.refuse(40000, port_of(port));
            if (port < 15) {
                wire.pass(gap);
            }
        }
        const std::size_t attempts = wire.count(ObservationType::ConnectionAttempt);
        CHECK(attempts == (gap < seconds(3600) ? 10 : 15));  // else the scan is over meanwhile
        wire.tracker.finish(wire.now);
        CHECK(wire.scans().front() == "TCP: slow scan detected");
        if (gap < seconds(3600)) {
            CHECK(wire.scans() == Texts{"TCP: slow scan detected", "TCP: slow scan over 15/360"});
        }
    }
}

TEST_CASE("blind_spots: fewer than ten ports, or more than a day, are not a slow scan") {
    SECTION("one port again and again") {
        Wire wire;
        for (int i = 0; i < 200; ++i) {
            wire.raw_syn(port_of(40000 + i), 25);
            wire.refuse(port_of(40000 + i), 25);
            wire.pass(seconds(90));
        }
        CHECK(wire.scans().empty());
    }
    SECTION("nine ports a day") {
        Wire wire;
        for (int i = 0; i < 60; ++i) {
            wire.raw_syn(40000, port_of(i + 1));
            wire.refuse(40000, port_of(i + 1));
            wire.pass(minutes(161));
        }
        CHECK(wire.scans().empty());
    }
    SECTION("nine at once") {
        Wire wire;
        for (int port = 1; port <= 9; ++port) {
            wire.connect(port_of(40000 + port), port_of(port));
            wire.refuse(port_of(40000 + port), port_of(port));
        }
        wire.pass(seconds(120));
        wire.tracker.finish(wire.now);
        CHECK(wire.scans().empty());
    }
    SECTION("a scanner that comes back to one more port was reported already") {
        Wire wire;
        for (int port = 1; port <= 30; ++port) {
            wire.raw_syn(40000, port_of(port));
            wire.refuse(40000, port_of(port));
        }
        wire.pass(seconds(120));
        wire.raw_syn(40000, 99);
        wire.refuse(40000, 99);
        CHECK(wire.scans() == Texts{"TCP: SYN scan detected", "TCP: SYN scan over 30/720"});
    }
}

TEST_CASE("blind_spots: 10 to 14 ports by connect() are a page with pictures, not a scan") {
    for (const seconds gap : {seconds(0), seconds(60), seconds(3000)}) {
        for (const int ports : {14, 15}) {
            CAPTURE(gap.count(), ports);
            Wire wire;
            for (int port = 1; port <= ports; ++port) {
                wire.connect(port_of(40000 + port), port_of(port));
                wire.refuse(port_of(40000 + port), port_of(port));
                wire.pass(gap);
            }
            wire.pass(seconds(51));
            CHECK(wire.scans().empty() == (ports == 14));
        }
    }
}

TEST_CASE("blind_spots: a burst too short for a port scan is a slow scan when it is over") {
    TrackerSettings settings;
    settings.of(ScanKind::PortScan).threshold = 17;
    Wire wire(settings);
    for (int port = 1; port <= 16; ++port) {
        wire.connect(port_of(40000 + port), port_of(port));
        wire.refuse(port_of(40000 + port), port_of(port));
    }
    SECTION("by itself") {
        wire.pass(seconds(49));
        CHECK(wire.scans().empty());
        wire.pass(seconds(2));
        CHECK(wire.scans() == Texts{"TCP: slow scan detected"});
        wire.pass(seconds(3601));
        CHECK(wire.scans() == Texts{"TCP: slow scan detected", "TCP: slow scan over 16/640"});
    }
    SECTION("because the sensor ends") {
        wire.tracker.finish(wire.now);
        CHECK(wire.scans() == Texts{"TCP: slow scan detected", "TCP: slow scan over 16/640"});
    }
    SECTION("but not if it was a port scan after all") {
        wire.connect(40017, 17);
        wire.refuse(40017, 17);
        wire.pass(seconds(120));
        wire.tracker.finish(wire.now);
        CHECK(wire.scans() == Texts{"TCP: port scan detected", "TCP: port scan over 17/680"});
    }
}

TEST_CASE("blind_spots: what waited for an answer when a slow scan was found is in its total") {
    Wire wire;
    for (int port = 1; port <= 14; ++port) {
        wire.connect(port_of(40000 + port), port_of(port));
        wire.pass(seconds(60));
    }
    for (int port = 15; port <= 19; ++port) {  // all of them silent
        wire.connect(port_of(40000 + port), port_of(port));
        wire.pass(milliseconds(10));
    }
    wire.pass(seconds(1));
    wire.tracker.finish(wire.now);
    CHECK(wire.scans() == Texts{"TCP: slow scan detected", "TCP: slow scan over 19/760"});
}

TEST_CASE("blind_spots: slow scans with decoys are one report") {
    for (const int decoys : {7, 1}) {
        for (const bool is_one_burst : {false, true}) {
            CAPTURE(decoys, is_one_burst);
            TrackerSettings settings;
            for (const ScanKind fast : {ScanKind::SynScan, ScanKind::PortScan}) {
                settings.of(fast).threshold = 15;
            }
            Wire wire(settings);
            for (int port = 1; port <= 12; ++port) {
                for (int source = 0; source <= decoys; ++source) {
                    wire.them = fmt::format("10.10.160.{}", source);
                    wire.raw_syn(50000, port_of(port));
                    wire.refuse(50000, port_of(port));
                }
                wire.pass(is_one_burst ? milliseconds(100) : milliseconds(300'000));
            }
            wire.pass(seconds(4000));
            if (decoys == 7) {
                CHECK(wire.scans() == Texts{"TCP: scan with decoys detected",
                                            "TCP: scan with decoys over 96/2304"});
            } else {
                CHECK(wire.scans() == Texts{"TCP: slow scan detected", "TCP: slow scan detected",
                                            "TCP: slow scan over 12/288",
                                            "TCP: slow scan over 12/288"});
            }
        }
    }
}

TEST_CASE("blind_spots: a reported decoy is not a slow scanner because of later probes") {
    Wire wire;
    for (int port = 1; port <= 12; ++port) {
        for (int source = 0; source <= 7; ++source) {
            wire.them = fmt::format("10.10.160.{}", source);
            wire.raw_syn(50000, port_of(port));
            wire.refuse(50000, port_of(port));
        }
    }
    wire.pass(seconds(100));
    for (int source = 0; source <= 7; ++source) {
        wire.them = fmt::format("10.10.160.{}", source);
        wire.connect(50001, 113);
        wire.refuse(50001, 113);
    }
    wire.pass(seconds(100));
    CHECK(wire.scans() ==
          Texts{"TCP: scan with decoys detected", "TCP: scan with decoys over 96/2304"});
}

TEST_CASE("blind_spots: a sweep over hosts is seen where their networks are watched") {
    for (const bool is_promiscuous : {true, false}) {
        CAPTURE(is_promiscuous);
        TrackerSettings settings;
        settings.watches_networks = is_promiscuous;
        Wire wire(settings);
        for (int host = 1; host <= 20; ++host) {
            wire.us = fmt::format("10.10.150.{}", host);
            wire.connect(port_of(40000 + host), 22);
            wire.refuse(port_of(40000 + host), 22);
            wire.connect(port_of(40000 + host), 22);  // a retransmission
            wire.refuse(port_of(40000 + host), 22);
        }
        wire.pass(seconds(51));
        const Observation* sweep =
            find_scan(wire, ObservationType::ScanDetected, ScanKind::HostSweep);
        REQUIRE((sweep != nullptr) == is_promiscuous);
        if (sweep != nullptr) {
            CHECK(sweep->destination.to_string() == "10.10.150.10");
            CHECK(sweep->source.to_string() == "10.10.150.1");
            REQUIRE(sweep->destination_ports.size() == 1);
            CHECK(sweep->destination_ports.ports()[0] == 22);
            CHECK(sweep->source_ports.size() == 0);
            CHECK(wire.scans().back() == "TCP: sweep scan over 40/1600");
        }
    }
}

TEST_CASE("blind_spots: a sweep by datagrams counts refusals, one by pings each host") {
    enum class Answer { None, Refusal, Reply };
    struct Row {
        bool is_ping;
        Answer answer;
        Texts scans;
    };
    const Texts by_datagrams{"UDP: sweep over hosts detected", "UDP: sweep over hosts over 12/480"};
    const Texts by_pings{"ICMP: sweep over hosts detected", "ICMP: sweep over hosts over 12/768"};
    for (const Row& row : {Row{false, Answer::Refusal, by_datagrams}, Row{false, Answer::Reply, {}},
                           Row{false, Answer::None, {}}, Row{true, Answer::None, by_pings},
                           Row{true, Answer::Reply, by_pings}}) {
        CAPTURE(row.is_ping, static_cast<int>(row.answer));
        TrackerSettings settings;
        settings.watches_networks = true;
        Wire wire(settings);
        for (int host = 1; host <= 12; ++host) {
            wire.us = fmt::format("10.10.150.{}", host);
            const std::uint16_t from = port_of(40000 + host);
            row.is_ping ? wire.ping() : wire.datagram(from, 161);
            if (row.answer == Answer::Reply) {
                row.is_ping ? wire.answer_ping() : wire.answer_datagram(from, 161);
            } else if (row.answer == Answer::Refusal) {
                wire.unreachable(Transport::Udp, from, 161);
            }
            wire.pass(milliseconds(20));
        }
        wire.pass(seconds(1));
        wire.tracker.finish(wire.now);
        CHECK(wire.scans() == row.scans);
    }
}

TEST_CASE("blind_spots: decoys are one report at any pace, and hide nobody who comes later") {
    for (const int pace : {1, 6, 15, 30, 49, 51, 300}) {
        CAPTURE(pace);
        Wire wire;
        for (int port = 1; port <= 12; ++port) {
            for (int source = 0; source < 6; ++source) {
                wire.them = fmt::format("10.10.160.{}", source);
                wire.raw_syn(50000, port_of(port));
                wire.refuse(50000, port_of(port));
            }
            wire.pass(seconds(pace));
        }
        wire.pass(seconds(10));
        const std::size_t reports = wire.scans().size();
        CHECK(wire.scans().front() == "TCP: scan with decoys detected");
        CHECK(reports <= 2);  // it may be over by now
        wire.them = "10.10.170.1";
        for (int port = 1; port <= 12; ++port) {
            wire.raw_syn(50000, port_of(port));
            wire.refuse(50000, port_of(port));
        }
        CHECK(wire.scans().size() == reports + 1);
        CHECK(wire.scans().back() == "TCP: SYN scan detected");
    }
}

TEST_CASE("blind_spots: decoys that continue with another kind of probe are still one report") {
    const auto round = [](Wire& wire, std::uint8_t flags, seconds pace) {
        for (int port = 1; port <= 12; ++port) {
            for (int source = 0; source < 8; ++source) {
                wire.them = fmt::format("10.10.160.{}", source);
                if (flags == kSyn) {
                    wire.raw_syn(50000, port_of(port));
                } else {
                    wire.tcp(flags, 50000, port_of(port));
                }
                wire.refuse(50000, port_of(port));
            }
            wire.pass(pace);
        }
    };
    Wire wire;
    SECTION("SYN, then FIN") { round(wire, kSyn, seconds(0)); }
    SECTION("slowly, then fast") { round(wire, kSyn, seconds(300)); }
    wire.pass(seconds(20));
    round(wire, kFin, seconds(0));
    CHECK(wire.scans() == Texts(2, "TCP: scan with decoys detected"));
}

TEST_CASE("blind_spots: what nobody is blocked for does not hide a slow scan") {
    Wire wire;
    for (int burst = 0; burst < 3; ++burst) {
        for (int port = 1; port <= 9; ++port) {
            wire.raw_syn(50000, port_of(100 * burst + port));
            wire.refuse(50000, port_of(100 * burst + port));
        }
        for (int i = 0; i < 10; ++i) {
            const std::uint16_t to = port_of(20000 + 100 * burst + i);
            wire.tcp(kSyn | kAck, 80, to);
            wire.answer_tcp(kRst, 80, to);
        }
        wire.pass(seconds(60));
    }
    const Texts scans = wire.scans();
    CHECK(std::count(scans.begin(), scans.end(), "TCP: slow scan detected") == 1);
}

TEST_CASE("blind_spots: a burst ends when no new ports are probed, whatever else arrives") {
    TrackerSettings settings;
    settings.of(ScanKind::PortScan).threshold = 20;
    Wire wire(settings);
    for (int port = 1; port <= 16; ++port) {
        wire.connect(port_of(40000 + port), port_of(port));
        wire.refuse(port_of(40000 + port), port_of(port));
    }
    for (int i = 0; i < 3; ++i) {
        wire.pass(seconds(40));
        wire.connect(port_of(41000 + i), 80);
        wire.accept(port_of(41000 + i), 80);
        const auto deadline = wire.tracker.next_deadline();
        REQUIRE(deadline);
        if (i == 1) {
            CHECK(*deadline <= wire.now + seconds(1));
        }
    }
    CHECK(wire.scans() == Texts{"TCP: slow scan detected"});
}

TEST_CASE("blind_spots: left-overs of connections whose handshake was captured are not a scan") {
    Wire wire;
    for (int i = 0; i < 30; ++i) {
        wire.connect(port_of(33000 + i), port_of(50000 + i));  // passive FTP: we are the server
        wire.accept(port_of(33000 + i), port_of(50000 + i));
        wire.pass(seconds(100));
        wire.tcp(kFin | kAck, port_of(33000 + i), port_of(50000 + i));
        wire.answer_tcp(kRst, port_of(33000 + i), port_of(50000 + i));
        wire.answer_tcp(kRst, port_of(33000 + i), port_of(50000 + i));
    }
    wire.tracker.finish(wire.now);
    CHECK(wire.scans().empty());
}

TEST_CASE("blind_spots: a scan with decoys is one report, whichever source gets answers") {
    struct Row {
        const char* what;
        int answered;  // the source whose probes are refused at once; -1 = all, -2 = none
    };
    for (const Row& row : {Row{"all", -1}, Row{"the scanner alone: decoys have no ARP", 3},
                           Row{"none: the host drops", -2}}) {
        CAPTURE(row.what);
        Wire wire;
        for (int port = 1; port <= 30; ++port) {
            for (int source = 0; source < 9; ++source) {
                wire.them = fmt::format("10.10.160.{}", source);
                wire.raw_syn(50000, port_of(port));
                if (row.answered == -1 || row.answered == source) {
                    wire.refuse(50000, port_of(port));
                }
            }
            wire.pass(milliseconds(10));
        }
        wire.pass(seconds(60));
        CHECK(wire.scans() ==
              Texts{"TCP: scan with decoys detected", "TCP: scan with decoys over 270/6480"});
    }
}

TEST_CASE("blind_spots: sources that scan on their own are each reported") {
    Wire wire;
    for (int i = 0; i < 20; ++i) {
        for (int source = 1; source <= 5; ++source) {  // at the same time, each in its own order
            wire.them = fmt::format("10.10.160.{}", source);
            const int port =
                source % 2 == 0 ? 1 + (i * source * 3) % 23 : 24 - (i * source * 5) % 23;
            wire.raw_syn(50000, port_of(port));
            wire.refuse(50000, port_of(port));
        }
    }
    CHECK(wire.scans() == Texts(5, "TCP: SYN scan detected"));
}

TEST_CASE("blind_spots: two sources at the same ports are two scans, unless the threshold is two") {
    for (const std::uint16_t enough : {std::uint16_t{3}, std::uint16_t{2}}) {
        TrackerSettings settings;
        settings.of(ScanKind::Decoys).threshold = enough;
        Wire wire(settings);
        for (int port = 1; port <= 12; ++port) {
            for (const char* source : {"10.10.160.1", "10.10.160.2"}) {
                wire.them = source;
                wire.raw_syn(50000, port_of(port));
                wire.refuse(50000, port_of(port));
            }
        }
        CHECK(wire.scans().size() == (enough == 2 ? 1 : 2));
    }
}

TEST_CASE("blind_spots: many sources with a port each are a distributed scan; one port is none") {
    for (const bool is_scan : {true, false}) {
        CAPTURE(is_scan);
        Wire wire;
        for (int i = 0; i < 60; ++i) {
            wire.them = address_of(i);
            wire.raw_syn(40000, is_scan ? port_of(1000 + i) : port_of(80));
            wire.pass(milliseconds(100));
        }
        wire.pass(seconds(51));
        CHECK(wire.scans().empty() != is_scan);
        if (is_scan) {
            CHECK(wire.scans() == Texts{"TCP: distributed scan of ports detected",
                                        "TCP: distributed scan of ports over 60/1440"});
            const Observation* over =
                find_scan(wire, ObservationType::ScanExpired, ScanKind::DistributedScan);
            CHECK(over->source_count == 60);
        }
    }
}

TEST_CASE(
    "blind_spots: 30 ports by several sources within 60 s are a distributed scan, and no less is") {
    struct Row {
        const char* what;
        int ports;
        int sources;
        int gap;  // milliseconds
        bool is_scan;
    };
    const Row rows[] = {
        {"just enough", 30, 10, 100, true}, {"a port less", 29, 10, 100, false},
        {"few sources", 30, 3, 100, true},  {"just in time", 30, 10, 2000, true},
        {"too slow", 60, 30, 2100, false},
    };
    for (const Row& row : rows) {
        for (int base = 1000; base <= 9000; base += 1000) {  // which ports does not matter
            CAPTURE(row.what, base);
            Wire wire;
            for (int i = 0; i < row.ports; ++i) {
                wire.them = address_of(i % row.sources);
                wire.connect(40000, port_of(base + i));
                wire.pass(milliseconds(row.gap));
            }
            wire.pass(seconds(1));
            CHECK(wire.scans().empty() != row.is_scan);
        }
    }
}

TEST_CASE("blind_spots: stray probes of a day are not a distributed scan") {
    Wire wire;
    for (int i = 0; i < 2000; ++i) {
        wire.them = address_of(i);
        wire.raw_syn(40000, port_of(1000 + i));
        wire.pass(seconds(5));
    }
    CHECK(wire.scans().empty());
}

TEST_CASE("blind_spots: connections that are not completed are a SYN flood") {
    struct Row {
        const char* what;
        bool is_flood;
        void (*answer)(Wire&, std::uint16_t source_port);
    };
    const Row rows[] = {
        {"not answered", true, [](Wire&, std::uint16_t) {}},
        {"refused", true, [](Wire& w, std::uint16_t p) { w.refuse(p, 80); }},
        {"accepted, and completed", false, [](Wire& w, std::uint16_t p) { w.accept(p, 80); }},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Wire wire;
        for (int i = 0; i < 400; ++i) {
            wire.them = address_of(i);
            wire.raw_syn(port_of(30000 + i), 80);
            row.answer(wire, port_of(30000 + i));
            wire.pass(milliseconds(20));
        }
        wire.pass(seconds(60));
        CHECK(wire.scans() ==
              (row.is_flood ? Texts{"TCP: SYN flood detected", "TCP: SYN flood over 400/9600"}
                            : Texts{}));
        const std::size_t attempts = wire.count(ObservationType::ConnectionAttempt);
        CHECK((attempts < 150) == row.is_flood);
    }
}

TEST_CASE("blind_spots: a SYN+ACK that we must repeat was not completed") {
    Wire wire;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 120; ++i) {
            wire.them = address_of(i);
            if (round == 0) {
                wire.raw_syn(40000, 80);
            }
            wire.accept(40000, 80);
        }
        wire.pass(seconds(2));
    }
    CHECK(wire.scans() == Texts{"TCP: SYN flood detected"});
}

TEST_CASE("blind_spots: a client is seen among the forged sources of a flood as soon as it scans") {
    Wire wire;
    for (int i = 0; i < 3000; ++i) {
        wire.them = address_of(i);
        wire.raw_syn(40000, 80);
        if (i % 100 == 0) {
            wire.them = "192.0.2.1";
            wire.raw_syn(40000, port_of(1 + i / 100));
            wire.refuse(40000, port_of(1 + i / 100));
        }
        wire.pass(milliseconds(1));
    }
    const Observation* scan = find_scan(wire, ObservationType::ScanDetected, ScanKind::SynScan);
    REQUIRE(scan != nullptr);
    CHECK(scan->source.to_string() == "192.0.2.1");
}
