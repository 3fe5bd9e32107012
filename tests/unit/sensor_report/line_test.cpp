#include "sensor/report/line.hpp"

#include <random>

#include "tests/support/seed.hpp"

using namespace portcullis::sensor_report;
using namespace portcullis::sensor_detect;

namespace {

std::string text_of(const Line& line) {
    std::string text;
    format_line(line, text);
    return text;
}

Line with_ports(Line line, std::initializer_list<std::uint16_t> destination,
                std::initializer_list<std::uint16_t> source) {
    for (const std::uint16_t port : destination) {
        line.destination_ports.add(port);
    }
    for (const std::uint16_t port : source) {
        line.source_ports.add(port);
    }
    return line;
}

Line line_of(ObservationType type, std::string_view source, std::string_view destination = {}) {
    Line line;
    line.type = type;
    line.source = source;
    line.destination = destination;
    return line;
}

Line attempt(std::string_view source, std::string_view destination, std::string_view service) {
    Line line = line_of(ObservationType::ConnectionAttempt, source, destination);
    line.service = service;
    line.source_port = 51239;
    return line;
}

}  // namespace

TEST_CASE("line: every form is written as iplog writes it") {
    const std::string_view us = "10.10.150.2";
    Line bogus = line_of(ObservationType::BogusFlags, "10.10.160.2");
    bogus.source_port = 60873;
    bogus.destination_port = 25;
    Line bogus_to = bogus;
    bogus_to.destination = us;
    Line datagram = line_of(ObservationType::Datagram, "10.10.150.1");
    datagram.service = "port 33161";
    datagram.source_port = 60362;
    datagram.bytes = 12;
    Line datagram_to = datagram;
    datagram_to.destination = us;
    Line echo = line_of(ObservationType::EchoRequest, "10.10.150.1");
    echo.bytes = 64;
    Line reply = line_of(ObservationType::EchoReply, "10.10.150.1", us);
    reply.bytes = 64;
    Line scan = line_of(ObservationType::ScanDetected, "10.10.150.1");
    scan.kind = ScanKind::SynScan;
    Line scan_to = line_of(ObservationType::ScanDetected, "mail.example (10.1.2.3)", us);
    Line ping_flood = scan;
    ping_flood.kind = ScanKind::PingFlood;
    Line over = line_of(ObservationType::ScanExpired, "10.10.150.1");
    over.kind = ScanKind::UdpScan;
    over.packets = 70000;
    over.bytes = 1400000;
    Line over_to = over;
    over_to.destination = us;
    Line tool = line_of(ObservationType::ScannerIdentified, "mail.example (10.1.2.3)");
    tool.tool = "nmap -sA or -sW";
    Line by_fred = attempt("mail.example (10.1.2.3)", us, "ssh");
    by_fred.user = "fred";

    Line decoys = line_of(ObservationType::ScanDetected, "10.0.0.1, fd00::1, b.example (10.0.0.2)");
    decoys.kind = ScanKind::Decoys;
    Line flood_over = line_of(ObservationType::ScanExpired, "65000 sources", us);
    flood_over.kind = ScanKind::SynFlood;
    Line again = scan;
    again.is_repeated = true;
    Line again_by_name = scan_to;
    again_by_name.is_repeated = true;
    again_by_name.is_route_asymmetric = true;
    Line network = line_of(ObservationType::ScanDetected, "2001:db8:1:2::/64",
                           "10.99.1.1,10.99.1.2,10.99.1.3");
    network.kind = ScanKind::SynFinScan;
    network.is_route_asymmetric = true;
    Line protocols = scan;
    protocols.kind = ScanKind::ProtocolScan;
    Line proven = scan;
    proven.evidence = portcullis::base::Evidence::Proven;
    Line forgeable_again = scan;
    forgeable_again.is_repeated = true;
    forgeable_again.evidence = portcullis::base::Evidence::Forgeable;
    Line doubtful = scan_to;
    doubtful.kind = ScanKind::SynScan;
    doubtful.evidence = portcullis::base::Evidence::Doubtful;
    doubtful.is_route_asymmetric = true;
    Line partial = scan;
    partial.evidence = portcullis::base::Evidence::Doubtful;
    partial.has_partial_checksums = true;
    Line flood_again = ping_flood;
    flood_again.is_repeated = true;
    struct Row {
        Line line;
        const char* text;
    };
    const Row rows[] = {
        {with_ports(again, {21, 1}, {34333}),
         "TCP: SYN scan detected [ports 21,1] from 10.10.150.1 [port 34333] (again)"},
        {with_ports(again_by_name, {22}, {}),
         "TCP: port scan detected to 10.10.150.2 [port 22] from mail.example (10.1.2.3) "
         "(again, asymmetric route)"},
        {with_ports(network, {22, 80}, {5}),
         "TCP: SYN-FIN scan detected to 10.99.1.1,10.99.1.2,10.99.1.3 [ports 22,80] from "
         "2001:db8:1:2::/64 [port 5] (asymmetric route)"},
        {with_ports(protocols, {2, 47}, {}),
         "IP: protocol scan detected [protocols 2,47] from 10.10.150.1"},
        {with_ports(protocols, {2}, {}),
         "IP: protocol scan detected [protocol 2] from 10.10.150.1"},
        {proven, "TCP: SYN scan detected from 10.10.150.1 (proven)"},
        {forgeable_again, "TCP: SYN scan detected from 10.10.150.1 (again, forgeable)"},
        {doubtful,
         "TCP: SYN scan detected to 10.10.150.2 from mail.example (10.1.2.3) "
         "(doubtful, asymmetric route)"},
        {partial, "TCP: SYN scan detected from 10.10.150.1 (doubtful, partial checksums)"},
        {flood_again, "ICMP: ping flood detected from 10.10.150.1 (again)"},
        {with_ports(decoys, {22, 80}, {5}),
         "TCP: scan with decoys detected [ports 22,80] from 10.0.0.1, fd00::1, b.example "
         "(10.0.0.2) [port 5]"},
        {flood_over,
         "TCP: SYN flood mode to 10.10.150.2 expired for 65000 sources - received a total of 0 "
         "packets (0 bytes)."},
        {attempt("10.10.150.1", "", "domain"),
         "TCP: domain connection attempt from 10.10.150.1:51239"},
        {attempt("10.10.150.1", us, "port 1723"),
         "TCP: port 1723 connection attempt to 10.10.150.2 from 10.10.150.1:51239"},
        {attempt("mail.example (10.1.2.3)", "", "ssh"),
         "TCP: ssh connection attempt from mail.example (10.1.2.3):51239"},
        {attempt("fd00::1", "fd00::2", "ssh"),
         "TCP: ssh connection attempt to fd00::2 from [fd00::1]:51239"},
        {attempt("mail.example (fd00::1)", "", "ssh"),
         "TCP: ssh connection attempt from mail.example (fd00::1):51239"},
        {by_fred,
         "TCP: ssh connection attempt to 10.10.150.2 from fred@mail.example (10.1.2.3):51239"},
        {bogus, "TCP: Bogus TCP flags set by 10.10.160.2:60873 (dest port 25)"},
        {bogus_to, "TCP: Bogus TCP flags set by 10.10.160.2:60873 (dest 10.10.150.2:25)"},
        {datagram, "UDP: dgram to port 33161 from 10.10.150.1:60362 (12 data bytes)"},
        {datagram_to,
         "UDP: dgram to 10.10.150.2:port 33161 from 10.10.150.1:60362 (12 data bytes)"},
        {line_of(ObservationType::Traceroute, "fd00::1"), "UDP: traceroute from fd00::1"},
        {line_of(ObservationType::Traceroute, "10.10.150.1", us),
         "UDP: traceroute from 10.10.150.1 to 10.10.150.2"},
        {echo, "ICMP: echo from 10.10.150.1 (64 bytes)"},
        {reply, "ICMP: echo reply from 10.10.150.1 to 10.10.150.2 (64 bytes)"},
        {with_ports(scan, {21, 1}, {34333}),
         "TCP: SYN scan detected [ports 21,1] from 10.10.150.1 [port 34333]"},
        {with_ports(scan, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {1, 2, 3, 4, 5}),
         "TCP: SYN scan detected [ports 1,2,3,4,5,6,7,8,9,10,...] from 10.10.150.1 "
         "[ports 1,2,3,4,5,...]"},
        {with_ports(scan_to, {22}, {5, 6}),
         "TCP: port scan detected to 10.10.150.2 [port 22] from mail.example (10.1.2.3) "
         "[ports 5,6]"},
        {ping_flood, "ICMP: ping flood detected from 10.10.150.1"},
        {over,
         "UDP: scan/flood mode expired for 10.10.150.1 - received a total of 70000 packets "
         "(1400000 bytes)."},
        {over_to,
         "UDP: scan/flood mode to 10.10.150.2 expired for 10.10.150.1 - received a total of 70000 "
         "packets (1400000 bytes)."},
        {tool, "TCP: scanner mail.example (10.1.2.3) looks like nmap -sA or -sW"},
        {line_of(ObservationType::OverlappingFragments, "10.10.150.1"),
         "Overlapping IP fragments from 10.10.150.1"},
        {line_of(ObservationType::OverlappingFragments, "10.10.150.1", us),
         "Overlapping IP fragments to 10.10.150.2 from 10.10.150.1"},
        {line_of(ObservationType::OverlappingFragmentsInserted, "10.10.150.1", us),
         "Overlapping IP frags to 10.10.150.2 from 10.10.150.1"},
        {line_of(ObservationType::DuplicateFragments, "10.10.150.1"),
         "Duplicate IP fragments from 10.10.150.1"},
        {line_of(ObservationType::OversizedFragment, "fd00::1", us),
         "Oversized IP fragment to 10.10.150.2 from fd00::1"},
        {line_of(ObservationType::ShortPacket, "10.10.150.1"), "Short IP packet from 10.10.150.1"},
        {line_of(ObservationType::BadChecksum, "10.10.150.1", us),
         "IP packet with invalid checksum to 10.10.150.2 from 10.10.150.1"},
    };
    for (const Row& row : rows) {
        CHECK(text_of(row.line) == row.text);
        const auto parsed = parse_line(row.text);
        CAPTURE(row.text);
        REQUIRE(parsed);
        CHECK(*parsed == row.line);
    }
}

TEST_CASE("line: ICMP messages have the right words, or those of iplog 2.2.3") {
    struct Row {
        std::uint8_t type;
        std::uint8_t code;
        std::string_view destination;
        std::string_view subject;
        std::string_view detail;
        const char* text;
        const char* iplogs;  // nullptr: the same
    };
    const std::string_view us = "10.0.0.2";
    const std::string_view udp = "udp: dest port 2, source port 1";
    const Row rows[] = {
        {3, 1, "", "", udp, "ICMP: 10.0.0.1: host is unreachable (udp: dest port 2, source port 1)",
         "ICMP: 10.0.0.1: port is unreachable to (udp: dest port 2, source port 1)"},
        {3, 3, us, "n.example (10.0.0.9)", udp,
         "ICMP: (from 10.0.0.1) n.example (10.0.0.9): port is unreachable to 10.0.0.2 (udp: dest "
         "port 2, source port 1)",
         "ICMP: (from 10.0.0.1) n.example (10.0.0.9): port is unreachable to 10.0.0.2 (udp: dest "
         "port 2, source port 1)"},
        {3, 4, "", "fd00::9", "tcp: dest port 2, source port 1",
         "ICMP: (from 10.0.0.1) fd00::9: host without fragmentation is unreachable (tcp: dest port "
         "2, source port 1)",
         nullptr},
        {3, 16, us, "", "",
         "ICMP: undefined destination unreachable code (16) from 10.0.0.1 to 10.0.0.2", nullptr},
        {4, 0, us, "", "", "ICMP: source quench to 10.0.0.2 from 10.0.0.1", nullptr},
        {5, 0, "", "10.0.0.254", "10.0.0.9",
         "ICMP: (10.0.0.254) redirect 10.0.0.1 to network 10.0.0.9", nullptr},
        {5, 3, "", "10.0.0.254", "10.0.0.9",
         "ICMP: (10.0.0.254) redirect-tos 10.0.0.1 to host 10.0.0.9", nullptr},
        {5, 4, "", "", "", "ICMP: undefined redirect code 4 from 10.0.0.1", nullptr},
        {9, 0, us, "", "10.0.0.1 -> 10.0.0.3 (lifetime 30 min, 0 sec)",
         "ICMP: path of router advertisement to 10.0.0.2 from 10.0.0.1: 10.0.0.1 -> 10.0.0.3 "
         "(lifetime 30 min, 0 sec)",
         nullptr},
        {10, 0, "", "", "", "ICMP: router solicitation from 10.0.0.1", nullptr},
        {11, 1, us, "", "ICMP: ICMP_ECHO",
         "ICMP: 10.0.0.1 time exceeded to 10.0.0.2 (ICMP: ICMP_ECHO)", nullptr},
        {12, 0, "", "", "20", "ICMP: parameter problem from 10.0.0.1 (ptr 20)", nullptr},
        {13, 0, "", "", "", "ICMP: timestamp request from 10.0.0.1", nullptr},
        {14, 0, "", "", "12:34:56", "ICMP: timestamp reply from 10.0.0.1 (12:34:56)",
         "ICMP: timestamp request from 10.0.0.1 (12:34:56)"},
        {15, 0, "", "", "", "ICMP: info request from 10.0.0.1", nullptr},
        {16, 0, "", "", "", "ICMP: info reply from 10.0.0.1", nullptr},
        {17, 0, us, "", "", "ICMP: address mask request to 10.0.0.2 from 10.0.0.1", nullptr},
        {18, 0, "", "", "255.255.255.0", "ICMP: address mask reply from 10.0.0.1 (255.255.255.0)",
         nullptr},
        {40, 0, us, "", "", "ICMP: undefined ICMP type 40 to 10.0.0.2 from 10.0.0.1", nullptr},
    };
    for (const Row& row : rows) {
        Line line = line_of(ObservationType::IcmpMessage, "10.0.0.1", row.destination);
        line.icmp_type = row.type;
        line.icmp_code = row.code;
        line.subject = row.subject;
        line.detail = row.detail;
        CHECK(text_of(line) == row.text);
        line.has_iplog_words = true;
        const std::string iplogs = text_of(line);
        CHECK((row.iplogs == nullptr || iplogs == row.iplogs));
        const auto parsed = parse_line(row.text);
        CAPTURE(row.text);
        REQUIRE(parsed);
        CHECK(text_of(*parsed) == row.text);
    }
}

TEST_CASE("line: what is written is read back the same, whatever it holds") {
    const std::uint32_t seed = portcullis::test::first_seed();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    const std::string_view hosts[] = {
        "10.10.150.1", "255.255.255.255",         "fd00:150::1",    "::1", "mail.example.org",
        "host7",       "mail.example (10.1.2.3)", "host7 (fd00::1)"};
    const std::string_view services[] = {"ssh", "ms-wbt-server", "port 1", "port 65535", "z39.50"};
    const ObservationType types[] = {
        ObservationType::ConnectionAttempt, ObservationType::BogusFlags,
        ObservationType::Datagram,          ObservationType::Traceroute,
        ObservationType::EchoRequest,       ObservationType::EchoReply,
        ObservationType::ScanDetected,      ObservationType::ScanExpired,
        ObservationType::IcmpMessage,       ObservationType::OverlappingFragments,
        ObservationType::OversizedFragment, ObservationType::ShortPacket,
        ObservationType::ScannerIdentified, ObservationType::OverlappingFragmentsInserted,
        ObservationType::BadChecksum,       ObservationType::DuplicateFragments,
    };
    const std::string_view details[] = {"udp: dest port 2, source port 1", "ICMP: ICMP_ECHO",
                                        "proto 200: dest port 0, source port 0"};
    for (int i = 0; i < 20000; ++i) {
        Line line;
        line.type = types[below(std::size(types))];
        line.source = hosts[below(std::size(hosts))];
        if (below(2) == 0) {
            line.destination = hosts[below(std::size(hosts))];
        }
        switch (line.type) {
            case ObservationType::ConnectionAttempt:
            case ObservationType::Datagram:
                line.service = services[below(std::size(services))];
                line.source_port = static_cast<std::uint16_t>(random());
                line.bytes = line.type == ObservationType::Datagram ? below(65536) : 0;
                break;
            case ObservationType::BogusFlags:
                line.source_port = static_cast<std::uint16_t>(random());
                line.destination_port = static_cast<std::uint16_t>(random());
                break;
            case ObservationType::EchoRequest:
            case ObservationType::EchoReply:
                line.bytes = below(65536);
                break;
            case ObservationType::Traceroute:
            case ObservationType::OverlappingFragments:
            case ObservationType::DuplicateFragments:
            case ObservationType::OversizedFragment:
            case ObservationType::ShortPacket:
            case ObservationType::BadChecksum:
                break;
            case ObservationType::OverlappingFragmentsInserted:
                // Without a destination it is the same line as the other one.
                line.destination = "10.10.150.2";
                break;
            case ObservationType::ScanDetected:
                line.kind = static_cast<ScanKind>(below(kScanKindCount));
                for (std::size_t n = below(14); n > 0; --n) {
                    line.destination_ports.add(static_cast<std::uint16_t>(random()));
                }
                for (std::size_t n = below(8); n > 0; --n) {
                    line.source_ports.add(static_cast<std::uint16_t>(random()));
                }
                break;
            case ObservationType::ScanExpired:
                line.kind = static_cast<ScanKind>(below(kScanKindCount));
                line.packets = (std::uint64_t{random()} << 32) | random();
                line.bytes = random();
                break;
            case ObservationType::ScannerIdentified:
                line.destination = {};
                line.tool = services[below(std::size(services))];
                break;
            case ObservationType::IcmpMessage:
                line.icmp_type = static_cast<std::uint8_t>(below(2) == 0 ? 3 : 11);
                line.icmp_code = static_cast<std::uint8_t>(line.icmp_type == 3 ? below(16) : 0);
                if (line.icmp_type == 3 && below(2) == 0) {
                    line.subject = hosts[below(std::size(hosts))];
                }
                line.detail = details[below(std::size(details))];
                break;
            default:
                break;
        }
        const std::string text = text_of(line);
        const auto parsed = parse_line(text);
        CAPTURE(text);
        REQUIRE(parsed);
        REQUIRE(*parsed == line);
    }
}

TEST_CASE("line: what no form allows is not read") {
    for (const char* text : {
             "",
             "TCP: ",
             "TCP: ssh connection attempt from 10.0.0.1",
             "TCP: ssh connection attempt from 10.0.0.1:99999",
             "TCP: ssh connection attempt from 10.0.0.1:22 ",
             "TCP: ssh connection attempt from fd00::1:22",
             "TCP: SYN scan detected [ports 60362] from 10.0.0.1",
             "TCP: SYN scan detected [ports 1,2,...] from 10.0.0.1",
             "TCP: SYN scan detected [ports 1,1] from 10.0.0.1",
             "TCP: SYN scan detected [port 1 from 10.0.0.1",
             "TCP: SYN scan detected",
             "TCP: foo scan detected from 10.0.0.1",
             "TCP: SYN scan mode expired for 10.0.0.1 - received a total of 1 packets (2 bytes)",
             "UDP: dgram to ssh from 10.0.0.1:22 (x data bytes)",
             "ICMP: echo from 10.0.0.1 (-1 bytes)",
             "TCP: scanner 10.0.0.1 looks like ",
             "TCP: scanner  looks like zmap",
             "last message repeated 3 times",
         }) {
        CAPTURE(text);
        CHECK_FALSE(parse_line(text));
    }
}
