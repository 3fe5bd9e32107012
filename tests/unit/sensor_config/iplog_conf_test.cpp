#include "sensor/config/iplog_conf.hpp"

#include <syslog.h>

#include <filesystem>

#include "base/fd.hpp"

using namespace portcullis::sensor_config;
using namespace portcullis;

namespace {

const sensor_report::ServicesFile kServices = sensor_report::ServicesFile::parse(
    "ssh 22/tcp\nhttp 80/tcp\nhttps 443/tcp\nftp-data 20/tcp\ndomain 53/tcp\ndomain 53/udp\n"
    "epmap 135/tcp loc-srv\nnetbios-ssn 139/tcp\nmicrosoft-ds 445/tcp\n");
const sensor_report::HostsFile kHosts =
    sensor_report::HostsFile::parse("192.168.7.9 nine\n192.168.7.10 nine\n");

struct Applied {
    SensorSettings settings;
    std::string messages;  // a line each
};

Applied apply(std::string_view text) {
    Applied applied;
    base::Diagnostics diagnostics;
    apply_iplog_conf(text, "FILE", kServices, kHosts, applied.settings, diagnostics);
    for (const auto& diagnostic : diagnostics.all()) {
        applied.messages += iplog_message(diagnostic) + "\n";
    }
    return applied;
}

sensor_packet::Packet packet_of(sensor_packet::Transport transport, const char* source,
                                std::uint16_t source_port, std::uint16_t port) {
    sensor_packet::Packet packet;
    packet.verdict = sensor_packet::Verdict::Ok;
    packet.transport = transport;
    packet.source = *base::IpAddress::parse(source);
    packet.destination = *base::IpAddress::parse(packet.source.is_v4() ? "10.10.150.2" : "fd00::2");
    packet.source_port = source_port;
    packet.destination_port = port;
    return packet;
}

}  // namespace

TEST_CASE("iplog_conf: line_limit says how many lines a second may have") {
    struct Row {
        const char* text;
        std::uint32_t limit;
        const char* message;
    };
    const Row rows[] = {
        {"line_limit 50 set tcp false", 50, ""},
        {"line_limit 0", 0, ""},
        {"line_limit", 1000, "[line 1] Missing line_limit parameter"},
        {"line_limit 5x", 1000, "[line 1] Invalid line_limit: 5x must be in range 0 - 1000000"},
        {"line_limit 1000001", 1000,
         "[line 1] Invalid line_limit: 1000001 must be in range 0 - 1000000"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        SensorSettings settings;
        portcullis::base::Diagnostics diagnostics;
        apply_iplog_conf(row.text, "iplog.conf", {}, {}, settings, diagnostics);
        CHECK(settings.log.line_limit == row.limit);
        CHECK((diagnostics.all().empty() ? "" : iplog_message(diagnostics.all()[0])) ==
              row.message);
    }
}

TEST_CASE("iplog_conf: detection_limit says how many detections a minute may have") {
    struct Row {
        const char* text;
        std::uint32_t limit;
        const char* message;
    };
    const Row rows[] = {
        {"detection_limit 50", 50, ""},
        {"detection_limit 0", 0, ""},
        {"set tcp true", 1000, ""},
        {"detection_limit", 1000, "[line 1] Missing detection_limit parameter"},
        {"detection_limit -1", 1000,
         "[line 1] Invalid detection_limit: -1 must be in range 0 - 1000000"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        SensorSettings settings;
        portcullis::base::Diagnostics diagnostics;
        apply_iplog_conf(row.text, "iplog.conf", {}, {}, settings, diagnostics);
        CHECK(settings.log.detection_limit == row.limit);
        CHECK((diagnostics.all().empty() ? "" : iplog_message(diagnostics.all()[0])) ==
              row.message);
    }
}

TEST_CASE("iplog_conf: filters see the packets that they describe, and no others") {
    using sensor_packet::Transport;
    struct Row {
        const char* rules;
        Transport transport;
        const char* source;
        std::uint16_t source_port;
        std::uint16_t port;  // ICMP: the type
        bool is_ignored;
    };
    constexpr auto tcp = Transport::Tcp;
    constexpr auto udp = Transport::Udp;
    constexpr auto icmp = Transport::Icmp;
    const Row rows[] = {
        {"ignore tcp dport 80", tcp, "10.0.0.1", 9, 80, true},
        {"ignore tcp dport 80", tcp, "10.0.0.1", 9, 81, false},
        {"ignore tcp dport 80", udp, "10.0.0.1", 9, 80, false},
        {"ignore tcp dport 80", tcp, "fd00::1", 9, 80, true},
        {"ignore tcp dport !80", tcp, "10.0.0.1", 9, 80, false},
        {"ignore tcp dport !80", tcp, "10.0.0.1", 9, 81, true},
        {"ignore tcp dport 80:443", tcp, "10.0.0.1", 9, 443, true},
        {"ignore tcp dport 80:443", tcp, "10.0.0.1", 9, 444, false},
        {"ignore tcp dport 443:", tcp, "10.0.0.1", 9, 65535, true},
        {"ignore tcp dport 443:", tcp, "10.0.0.1", 9, 442, false},
        {"ignore tcp dport *:80", tcp, "10.0.0.1", 9, 1, true},
        {"ignore tcp dport *:80", tcp, "10.0.0.1", 9, 81, false},
        {"ignore tcp dport loc-srv", tcp, "10.0.0.1", 9, 135, true},
        {"ignore tcp from 192.168/16", tcp, "192.168.7.9", 9, 1, true},
        {"ignore tcp from 192.168/16", tcp, "192.169.7.9", 9, 1, false},
        {"ignore tcp from 192.168.7/24", tcp, "192.168.7.9", 9, 1, true},
        {"ignore udp from 192.168.7", udp, "192.168.7.9", 9, 1, false},
        {"ignore tcp from !10.10.150.0/255.255.255.0", tcp, "10.10.150.1", 9, 1, false},
        {"ignore tcp from !10.10.150.0/255.255.255.0", tcp, "10.10.151.1", 9, 1, true},
        {"ignore tcp from nine", tcp, "192.168.7.10", 9, 1, true},
        {"ignore tcp from nine", tcp, "192.168.7.11", 9, 1, false},
        {"ignore tcp from typo.example", tcp, "192.168.7.11", 9, 1, false},
        {"ignore tcp from fd00::/16", tcp, "fd00::1", 9, 1, true},
        {"ignore tcp from * to * dport * sport *", tcp, "fd00::1", 9, 1, true},
        {"ignore tcp to 10.10.150.2 sport ftp-data", tcp, "10.0.0.1", 20, 1, true},
        {"ignore tcp to 10.10.150.2 sport ftp-data", tcp, "10.0.0.1", 21, 1, false},
        {"ignore tcp to 10.10.150.3", tcp, "10.0.0.1", 21, 1, false},
        {"ignore tcp dport 80:9000\nlog tcp dport 443", tcp, "10.0.0.1", 9, 443, false},
        {"ignore tcp dport 80:9000\nlog tcp dport 443", tcp, "10.0.0.1", 9, 444, true},
        {"IGNORE TCP DPORT 22:79 FROM 10.0.0.1", tcp, "10.0.0.1", 9, 22, true},
        {"ignore udp", udp, "10.0.0.1", 9, 22, true},
        {"ignore udp\nlog udp dport 53", udp, "10.0.0.1", 9, 53, true},
        {"ignore udp\nlog udp", udp, "10.0.0.1", 9, 53, false},
        {"ignore icmp type !echo", icmp, "10.0.0.1", 0, 8, false},
        {"ignore icmp type !echo", icmp, "10.0.0.1", 0, 0, true},
        {"ignore icmp type ICMP_ECHOR", icmp, "10.0.0.1", 0, 0, true},
        {"ignore icmp type unre", icmp, "10.0.0.1", 0, 3, true},
        {"ignore icmp type 3", icmp, "10.0.0.1", 0, 3, true},
        {"ignore icmp type tstampreply", icmp, "10.0.0.1", 0, 14, true},
        {"ignore icmp type timestamp_reply", icmp, "10.0.0.1", 0, 14, true},
        {"ignore icmp type maskreq", icmp, "10.0.0.1", 0, 17, true},
        {"ignore icmp type timxceed", icmp, "10.0.0.1", 0, 11, true},
        {"", tcp, "10.0.0.1", 9, 1, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.rules, row.source, row.source_port, row.port);
        auto [settings, messages] = apply(row.rules);
        base::Diagnostics problems;
        derive_settings(settings, {}, problems);
        auto packet = packet_of(row.transport, row.source, row.source_port, row.port);
        if (row.transport == Transport::Icmp) {
            packet.icmp_type = static_cast<std::uint8_t>(row.port);
        }
        CHECK(settings.filters.ignores(packet) == row.is_ignored);
    }
}

TEST_CASE(
    "iplog_conf: a faulty rule is reported with its line, in iplog's words, and the rest is used") {
    struct Row {
        const char* rules;
        const char* messages;
    };
    const Row rows[] = {
        {"set nonsense true\nset smurf maybe\nset yes\nset\nset tcp yes\n",
         "[line 1] Invalid \"set\" target: nonsense\n[line 2] Invalid boolean token: maybe\n"
         "[line 3] Invalid \"set\" target: yes\n[line 4] Missing set target\n"
         "[line 5] Invalid boolean token: yes\n"},
        {"user\ngroup\nlogfile\nfacility\npriority\ninterface\npromisc\npid-file\nlog\nignore\n"
         "ignore tcp dport\nignore tcp from\nignore icmp type\nfrobnicate 1\nignore sctp dport 3\n",
         "[line 1] Missing user parameter\n[line 2] Missing group parameter\n"
         "[line 3] Missing log file parameter\n[line 4] Missing syslog facility parameter\n"
         "[line 5] Missing syslog priority parameter\n[line 6] Missing interface parameter\n"
         "[line 7] Missing network parameter\n[line 8] Missing pid file parameter\n"
         "[line 9] Missing protocol parameter\n[line 10] Missing protocol parameter\n"
         "[line 11] Missing port parameter\n[line 12] Missing address parameter\n"
         "[line 13] Missing ICMP type\n[line 14] Invalid rule: frobnicate\n"
         "[line 15] Invalid protocol: sctp\n"},
        {"ignore tcp dport 80 dport 81\nignore tcp from 1.2.3.4 from 1.2.3.5\n"
         "ignore tcp to 1.2.3.4 to 2.3.4.5\n",
         "[line 1] \"dport\" already set.\n[line 2] \"from\" already set.\n"
         "[line 3] \"to\" already set.\n"},
        {"ignore tcp dport nosuchsvc\nignore tcp dport 70000\nignore tcp dport 90:80\n"
         "ignore tcp dport 0\nignore udp dport !\n",
         "[line 1] Invalid port: \"nosuchsvc\"\n"
         "[line 2] Error: Ports must be between 1 and 65535\n"
         "[line 3] Error: Minimum port (90) is greater than the maximum port (80)\n"
         "[line 4] Error: Ports must be between 1 and 65535\n[line 5] Invalid port: \"\"\n"},
        {"ignore tcp from 1.2.3.4/0\nignore tcp from 1.2.3.4/33\nignore tcp from 1.2.3.4/x\n"
         "ignore tcp from typo.example\n",
         "[line 1] Invalid mask: must be in range 1 - 32\n"
         "[line 2] Invalid mask: must be in range 1 - 32\n[line 3] Invalid mask: x\n"
         "[line 4] Unknown host: typo.example\n"},
        {"ignore icmp sport 3\nignore tcp type 3\nignore icmp type *\nignore icmp type 19\n",
         "[line 1] Invalid filter keyword: sport\n[line 2] Invalid filter keyword: type\n"
         "[line 4] Unknown ICMP type: 19\n"},
        {"ignore tcp dport 80 set udp false\n", "[line 1] Invalid filter keyword: set\n"},
        {"facility bogus\npriority bogus\n",
         "Invalid facility: \"bogus\" - falling back to default.\n"
         "Invalid priority: \"bogus\" - falling back to default.\n"},
        {"set udp false#notcomment\n", "[line 1] Invalid boolean token: false#notcomment\n"},
        {"set udp /* never closed\n", "FILE: Parse Error: Unterminated comment.\n"},
        {"frobnicate\nset tcp false", "[line 1] Invalid rule: frobnicate\n"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.rules);
        CHECK(apply(row.rules).messages == row.messages);
    }
    CHECK_FALSE(apply("frobnicate\nset tcp false").settings[Switch::Tcp]);
}

TEST_CASE("iplog_conf: settings, comments and several rules on a line are understood") {
    const Applied applied = apply(
        "set tcp false set udp false # trailing\n"
        "   SET ICMP TRUE set log_ip\n"
        "/* one */ user nobody /* multi\n set frag false\n*/ group 7 # x\n"
        "interfaces eth0,eth1\npid-file /run/x.pid\nlogfile /var/log/iplog\n"
        "facility log_local3\npriority LOG_INFO\npromisc 10.1/16,10.2.0.0/255.255.0.0\n" +
        std::string(9000, 'x') + "\nset verbose");
    const SensorSettings& settings = applied.settings;
    CHECK(applied.messages.empty());
    CHECK_FALSE(settings[Switch::Tcp]);
    CHECK_FALSE(settings[Switch::Udp]);
    CHECK(settings[Switch::Icmp]);
    CHECK(settings[Switch::LogIp]);
    CHECK(settings[Switch::Frag]);
    CHECK(settings[Switch::Verbose]);
    CHECK(settings[Switch::LogDest]);  // promisc turns it on
    CHECK(settings.user == "nobody");
    CHECK(settings.group == "7");
    CHECK(settings.interfaces == std::vector<std::string>{"eth0", "eth1"});
    CHECK(settings.pid_file == "/run/x.pid");
    CHECK(settings.log_file == "/var/log/iplog");
    CHECK(settings.facility == LOG_LOCAL3);
    CHECK(settings.priority == LOG_INFO);
    REQUIRE(settings.promisc.size() == 2);
    CHECK(settings.promisc[1].to_string() == "10.2.0.0/16");
}

TEST_CASE("iplog_conf: settings that cannot go together are refused") {
    for (const auto& [rules, message] :
         {std::pair("set tcp false\nset udp false\nset icmp false",
                    "Told not to log anything.  Exiting."),
          std::pair("promisc 10.0.0.0/8\nset get_ident",
                    "The promisc and get_ident flags are not compatible.")}) {
        CAPTURE(rules);
        auto [settings, messages] = apply(rules);
        base::Diagnostics problems;
        derive_settings(settings, {}, problems);
        REQUIRE(problems.has_errors());
        CHECK(problems.all().front().message == message);
    }
}

TEST_CASE("iplog_conf: ignore_dns hides the answers of the nameservers, and those alone") {
    using sensor_packet::Transport;
    SensorSettings settings = apply("log udp dport 1:65535\nset ignore_dns true").settings;
    base::Diagnostics problems;
    derive_settings(settings, {*base::IpAddress::parse("10.0.0.53")}, problems);
    const auto ignores = [&](const char* source, std::uint16_t source_port) {
        return settings.filters.ignores(packet_of(Transport::Udp, source, source_port, 5000));
    };
    CHECK(ignores("10.0.0.53", 53));
    CHECK_FALSE(ignores("10.0.0.53", 54));
    CHECK_FALSE(ignores("10.0.0.54", 53));
}

TEST_CASE("iplog_conf: the shipped configuration has no fault") {
    const auto text = base::read_file(PORTCULLIS_SOURCE_DIR "/etc/iplog.conf");
    REQUIRE(text);
    const Applied applied = apply(*text);
    CHECK(applied.messages.empty());
    CHECK(applied.settings[Switch::LogIp]);
    CHECK(applied.settings[Switch::IgnoreDns]);
}

TEST_CASE("iplog_conf: the published configuration has no fault") {
    const std::string path = PORTCULLIS_CONFORMANCE_DIR "/published/iplog.conf";
    if (!std::filesystem::exists(path)) {
        WARN("skipped: the conformance data is not here");
        return;
    }
    const auto text = base::read_file(path);
    REQUIRE(text);
    CHECK(apply(*text).messages.empty());
}

TEST_CASE("iplog_conf: how often a scan is repeated, the rate of a flood, and what is one source") {
    using Kind = sensor_detect::ScanKind;
    const auto usual = tracker_settings(apply("").settings);
    CHECK(usual.of(Kind::SynScan).repeat == std::chrono::seconds(10));
    CHECK(usual.of(Kind::UdpScan).rate_threshold == 10000);
    CHECK(usual.ipv6_prefix == 64);
    const Applied applied = apply(
        "threshold syn_scan 5 repeat 60 idle 9\nthreshold udp_scan 20 rate 500 in 2\n"
        "ipv6_prefix 56\n");
    CHECK(applied.messages.empty());
    const auto tracker = tracker_settings(applied.settings);
    CHECK(tracker.of(Kind::SynScan).repeat == std::chrono::seconds(60));
    CHECK(tracker.of(Kind::UdpScan).rate_threshold == 500);
    CHECK(tracker.of(Kind::UdpScan).threshold == 20);
    CHECK(tracker.ipv6_prefix == 56);
    struct Row {
        const char* text;
        const char* problem;
    };
    for (const Row& row :
         {Row{"threshold decoys 3 repeat 5", "[line 1] Invalid threshold keyword: repeat\n"},
          Row{"threshold syn_scan 3 rate 5", "[line 1] Invalid threshold keyword: rate\n"},
          Row{"threshold udp_scan 3 rate 70000",
              "[line 1] Invalid rate: 70000 must be in range 1 - 65535\n"},
          Row{"ipv6_prefix", "[line 1] Missing ipv6_prefix parameter\n"},
          Row{"ipv6_prefix 60",
              "[line 1] Invalid ipv6_prefix: 60 must be one of 48, 56, 64, 128\n"},
          Row{"ipv6_prefix 0",
              "[line 1] Invalid ipv6_prefix: 0 must be one of 48, 56, 64, 128\n"}}) {
        CAPTURE(row.text);
        CHECK(apply(row.text).messages == row.problem);
        CHECK(tracker_settings(apply(row.text).settings).ipv6_prefix == 64);
    }
}

TEST_CASE("iplog_conf: thresholds, windows and idle times are set for each kind") {
    struct Row {
        const char* text;
        const char* messages;
        sensor_detect::ScanKind kind;
        std::uint16_t threshold;
        int window_seconds;
        int idle_seconds;
    };
    using Kind = sensor_detect::ScanKind;
    const Row rows[] = {
        {"threshold syn_scan 5", "", Kind::SynScan, 5, 0, 50},
        {"Threshold SYN_SCAN 5 Idle 120 # comment", "", Kind::SynScan, 5, 0, 120},
        {"threshold ping_flood 1000 idle 9 in 2", "", Kind::PingFlood, 1000, 2, 9},
        {"threshold decoys 4", "", Kind::DatagramDecoys, 4, 5, 50},
        {"threshold slow_scan 12 in 3600", "", Kind::SlowScan, 12, 3600, 3600},
        {"set ack_scan false threshold ack_scan 4", "", Kind::AckScan, 4, 0, 50},
        {"threshold", "[line 1] Missing threshold parameter\n", Kind::SynScan, 10, 0, 50},
        {"threshold syn_scan", "[line 1] Missing threshold parameter\n", Kind::SynScan, 10, 0, 50},
        {"threshold syn_scan 5 idle", "[line 1] Missing threshold parameter\n", Kind::SynScan, 10,
         0, 50},
        {"threshold nmap 5", "[line 1] Invalid threshold target: nmap\n", Kind::SynScan, 10, 0, 50},
        {"threshold syn_scan 33", "[line 1] Invalid threshold: 33 must be in range 1 - 32\n",
         Kind::SynScan, 10, 0, 50},
        {"threshold syn_scan 0", "[line 1] Invalid threshold: 0 must be in range 1 - 32\n",
         Kind::SynScan, 10, 0, 50},
        {"threshold syn_scan 5 in 7", "[line 1] Invalid threshold keyword: in\n", Kind::SynScan, 10,
         0, 50},
        {"threshold ping_flood 5 in 0", "[line 1] Invalid seconds: 0 must be in range 1 - 86400\n",
         Kind::PingFlood, 70, 10, 60},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const Applied applied = apply(row.text);
        CHECK(applied.messages == row.messages);
        const auto tracker = tracker_settings(applied.settings);
        const auto& kind = tracker.of(row.kind);
        CHECK(kind.threshold == row.threshold);
        CHECK(kind.rate_window == std::chrono::seconds(row.window_seconds));
        CHECK(kind.idle == std::chrono::seconds(row.idle_seconds));
        CHECK(kind.is_enabled == (row.kind != Kind::AckScan));
    }
}

TEST_CASE("iplog_conf: max_sources says how many sources are remembered") {
    CHECK(tracker_settings(apply("max_sources 4096\n").settings).max_sources == 4096);
    CHECK(apply("max_sources 12").messages ==
          "[line 1] Invalid max_sources: 12 must be in range 1024 - 4194304\n");
    CHECK(apply("max_sources").messages == "[line 1] Missing max_sources parameter\n");
}
