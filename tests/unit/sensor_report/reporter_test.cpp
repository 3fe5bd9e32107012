#include "sensor/report/reporter.hpp"

using namespace portcullis::sensor_report;
using namespace portcullis::sensor_detect;
using portcullis::base::IpAddress;
using portcullis::base::Timestamp;

namespace {

class TextTarget final : public LogTarget {
  public:
    explicit TextTarget(std::string& text) : text_(text) {}
    std::size_t write(std::string_view lines) override {
        text_ += lines;
        return lines.size();
    }
    portcullis::base::Result<void> reopen() override { return {}; }
    bool has_own_time() const override { return true; }

  private:
    std::string& text_;
};

constexpr const char* kServices =
    "# comment\nftp 21/tcp\nepmap 135/tcp loc-srv # alias\ndomain 53/tcp\ndomain 53/udp\n"
    "bad\nbad 1\nbad x/tcp\nbad 1/sctp\nhuge 99999/tcp\nssh 22/tcp\nother 22/tcp\n"
    "evil[1] 7/tcp\n";
constexpr const char* kHosts =
    "127.0.0.1 localhost\n10.10.150.1 mail.derkeiler.com mail # the seed\n10.10.150.7 host7\n"
    "fd00::1 six\nnot-an-address name\n10.10.150.9\n10.10.150.8 bad[name]\n";

}  // namespace

TEST_CASE("reporter: hosts and ports are written by name, address or both, as switched") {
    const ServicesFile services = ServicesFile::parse(kServices);
    const HostsFile hosts = HostsFile::parse(kHosts);
    struct Row {
        const char* source;
        std::uint16_t port;
        bool log_ip;
        bool log_dest;
        bool resolve;
        const char* text;
    };
    const Row rows[] = {
        {"10.10.150.1", 21, true, false, true,
         "TCP: ftp connection attempt from mail.derkeiler.com (10.10.150.1):9\n"},
        {"10.10.150.1", 21, false, false, true,
         "TCP: ftp connection attempt from mail.derkeiler.com:9\n"},
        {"10.10.150.1", 21, true, false, false, "TCP: ftp connection attempt from 10.10.150.1:9\n"},
        {"10.10.150.7", 135, true, false, true,
         "TCP: epmap connection attempt from host7 (10.10.150.7):9\n"},
        {"10.10.150.8", 7, true, false, true,
         "TCP: port 7 connection attempt from 10.10.150.8:9\n"},
        {"10.10.150.3", 22, true, true, true,
         "TCP: ssh connection attempt to 10.10.150.2 from 10.10.150.3:9\n"},
        {"fd00::1", 53, true, false, true, "TCP: domain connection attempt from six (fd00::1):9\n"},
        {"fd00::2", 53, true, false, true, "TCP: domain connection attempt from [fd00::2]:9\n"},
    };
    for (const Row& row : rows) {
        std::string text;
        LogWriter log(std::make_unique<TextTarget>(text));
        ReportSettings settings;
        settings.log_address = row.log_ip;
        settings.log_destination = row.log_dest;
        settings.resolve_tcp = row.resolve;
        Reporter reporter(settings, services, hosts, log);
        Observation observation;
        observation.source = *IpAddress::parse(row.source);
        observation.destination = *IpAddress::parse("10.10.150.2");
        observation.source_port = 9;
        observation.destination_port = row.port;
        reporter.on_observation(observation);
        CHECK(text.empty());
        log.flush();
        CHECK(text == row.text);
    }
}

TEST_CASE("reporter: many sources are all named, or counted where nobody can know them") {
    const ServicesFile services = ServicesFile::parse(kServices);
    const HostsFile hosts = HostsFile::parse(kHosts);
    std::string text;
    LogWriter log(std::make_unique<TextTarget>(text));
    ReportSettings settings;
    settings.log_address = true;
    Reporter reporter(settings, services, hosts, log);
    const IpAddress sources[] = {*IpAddress::parse("10.10.150.1"), *IpAddress::parse("fd00::2")};
    Observation observation;
    observation.type = ObservationType::ScanDetected;
    observation.kind = ScanKind::Decoys;
    observation.sources = sources;
    reporter.on_observation(observation);
    CHECK(text ==
          "TCP: scan with decoys detected from mail.derkeiler.com (10.10.150.1), fd00::2\n");
    text.clear();
    observation.kind = ScanKind::SynFlood;
    observation.sources = {};
    observation.source_count = 100;
    reporter.on_observation(observation);
    CHECK(text == "TCP: SYN flood detected from 100 sources\n");
}

TEST_CASE("reporter: a detection is in the log at once, with all that came before it") {
    const ServicesFile services;
    const HostsFile hosts;
    std::string text;
    LogWriter log(std::make_unique<TextTarget>(text));
    Reporter reporter({}, services, hosts, log);
    Observation observation;
    observation.source = *IpAddress::parse("10.0.0.1");
    observation.source_port = 9;
    observation.destination_port = 1;
    reporter.on_observation(observation);
    observation.type = ObservationType::ScanDetected;
    observation.kind = ScanKind::NullScan;
    reporter.on_observation(observation);
    CHECK(text ==
          "TCP: port 1 connection attempt from 10.0.0.1:9\n"
          "TCP: null scan detected from 10.0.0.1\n");
}

TEST_CASE("reporter: names of the network are used when the files have none") {
    struct Lookup final : HostLookup {
        std::vector<std::string> asked;
        std::string_view name_of(const IpAddress& address) override {
            asked.push_back(address.to_string());
            return address == *IpAddress::parse("192.0.2.7") ? "scanner.example" : "";
        }
    };
    const ServicesFile services;
    const HostsFile hosts = HostsFile::parse(kHosts);
    std::string text;
    LogWriter log(std::make_unique<TextTarget>(text));
    ReportSettings settings;
    settings.log_address = true;
    settings.resolve_udp = false;
    Reporter reporter(settings, services, hosts, log);
    Lookup lookup;
    reporter.set_host_lookup(&lookup);
    Observation observation;
    observation.type = ObservationType::EchoRequest;
    for (const char* source : {"192.0.2.7", "192.0.2.8", "10.10.150.1"}) {
        observation.source = *IpAddress::parse(source);
        reporter.on_observation(observation);
    }
    observation.type = ObservationType::Traceroute;
    reporter.on_observation(observation);
    log.flush();
    CHECK(text ==
          "ICMP: echo from scanner.example (192.0.2.7) (0 bytes)\n"
          "ICMP: echo from 192.0.2.8 (0 bytes)\n"
          "ICMP: echo from mail.derkeiler.com (10.10.150.1) (0 bytes)\n"
          "UDP: traceroute from 10.10.150.1\n");
    CHECK(lookup.asked == std::vector<std::string>{"192.0.2.7", "192.0.2.8"});
}

TEST_CASE("reporter: an attempt whose user is asked for is written when it comes back") {
    struct Lookup final : IdentLookup {
        std::vector<Observation> taken;
        bool ask(const Observation& attempt) override {
            if (attempt.destination_port == 22) {
                taken.push_back(attempt);
            }
            return attempt.destination_port == 22;
        }
    };
    const ServicesFile services = ServicesFile::parse(kServices);
    const HostsFile hosts = HostsFile::parse(kHosts);
    std::string text;
    LogWriter log(std::make_unique<TextTarget>(text));
    Reporter reporter({}, services, hosts, log);
    Lookup lookup;
    reporter.set_ident_lookup(&lookup);
    Observation observation;
    observation.source = *IpAddress::parse("fd00::7");
    observation.source_port = 9;
    observation.destination_port = 22;
    reporter.on_observation(observation);
    observation.destination_port = 21;
    reporter.on_observation(observation);
    REQUIRE(lookup.taken.size() == 1);
    reporter.report_attempt(lookup.taken[0], "fred");
    reporter.report_attempt(lookup.taken[0], "");
    log.flush();
    CHECK(text ==
          "TCP: ftp connection attempt from [fd00::7]:9\n"
          "TCP: ssh connection attempt from fred@[fd00::7]:9\n"
          "TCP: ssh connection attempt from [fd00::7]:9\n");
}

TEST_CASE("reporter: the limit of lines holds for packets, never for what was found out") {
    const ServicesFile services;
    const HostsFile hosts;
    std::string text;
    LogSettings limits;
    limits.line_limit = 1;
    LogWriter log(std::make_unique<TextTarget>(text), limits);
    Reporter reporter({}, services, hosts, log);
    Observation observation;
    observation.source = *IpAddress::parse("10.0.0.1");
    observation.source_port = 9;
    for (std::uint16_t port = 1; port <= 3; ++port) {
        observation.destination_port = port;
        reporter.on_observation(observation);
    }
    observation.type = ObservationType::ScanDetected;
    observation.kind = ScanKind::NullScan;
    reporter.on_observation(observation);
    CHECK(text ==
          "TCP: port 1 connection attempt from 10.0.0.1:9\n"
          "TCP: null scan detected from 10.0.0.1\n");
    CHECK(log.lines_suppressed() == 2);
}

TEST_CASE("names: services are found by name and alias, for their protocol") {
    const ServicesFile services = ServicesFile::parse(kServices);
    CHECK(services.find_port(Protocol::Tcp, "loc-srv") == 135);
    CHECK(services.find_port(Protocol::Udp, "domain") == 53);
    CHECK_FALSE(services.find_port(Protocol::Udp, "ftp"));
    CHECK_FALSE(services.find_port(Protocol::Tcp, "FTP"));
    CHECK(services.name_of(Protocol::Tcp, 22) == "ssh");
    CHECK(services.name_of(Protocol::Udp, 135).empty());
}

TEST_CASE("names: nameservers are the addresses of resolv.conf") {
    const HostsFile hosts = HostsFile::parse("10.0.0.54 ns\n10.0.0.55 ns\n");
    const auto servers = parse_nameservers(
        "# nameserver 1.1.1.1\nnameserver 10.0.0.53\nsearch x\nnameserver fe80::1%eth0\n"
        "nameserver x\nnameserver\nnameserver ns\n",
        hosts);
    std::string text;
    for (const auto& server : servers) {
        text += server.to_string() + " ";
    }
    CHECK(text == "10.0.0.53 fe80::1 10.0.0.54 10.0.0.55 ");
}

TEST_CASE("reporter: iplog_compat writes hosts as iplog 2.2.3 does") {
    const std::string long_name(250, 'n');
    const ServicesFile services;
    const HostsFile hosts =
        HostsFile::parse("10.0.0.7 host7\n10.0.0.8 eight.example\n10.0.0.9 " + long_name + "\n");
    struct Row {
        const char* source;
        std::string host;
    };
    const Row rows[] = {{"10.0.0.7", "host7"},
                        {"10.0.0.8", "eight.example (10.0.0.8)"},
                        {"10.0.0.9", "10.0.0.9"},
                        {"10.0.0.10", "10.0.0.10"}};
    for (const Row& row : rows) {
        std::string text;
        LogWriter log(std::make_unique<TextTarget>(text));
        ReportSettings settings;
        settings.log_address = true;
        settings.has_iplog_words = true;
        Reporter reporter(settings, services, hosts, log);
        Observation observation;
        observation.type = ObservationType::EchoRequest;
        observation.source = *IpAddress::parse(row.source);
        observation.bytes = 64;
        reporter.on_observation(observation);
        log.flush();
        CHECK(text == "ICMP: echo from " + row.host + " (64 bytes)\n");
    }
}

TEST_CASE("reporter: while attempts pour in, TCP lines have addresses instead of names") {
    const ServicesFile services;
    const HostsFile hosts = HostsFile::parse("10.0.0.8 eight\n");
    for (const bool spares : {true, false}) {
        std::string text;
        LogWriter log(std::make_unique<TextTarget>(text));
        ReportSettings settings;
        settings.spares_names_in_flood = spares;
        Reporter reporter(settings, services, hosts, log);
        Observation attempt;
        attempt.source = *IpAddress::parse("10.0.0.8");
        attempt.time = Timestamp{std::chrono::seconds(1000)};
        for (std::uint16_t port = 1; port <= 25; ++port) {
            attempt.destination_port = port;
            reporter.on_observation(attempt);
        }
        attempt.time += std::chrono::seconds(5);
        attempt.destination_port = 99;
        reporter.on_observation(attempt);
        log.flush();
        const auto lines_with = [&](std::string_view host) {
            std::size_t count = 0;
            for (auto at = text.find(host); at != std::string::npos; at = text.find(host, at + 1)) {
                ++count;
            }
            return count;
        };
        CHECK(lines_with("from 10.0.0.8:") == (spares ? 6 : 0));
        CHECK(lines_with("from eight:") == (spares ? 20 : 26));
    }
}
