// Any bytes as an ICMP or ICMPv6 message: a line is written or none, and it is read back the same.
#include <cstdlib>

#include "sensor/report/reporter.hpp"

using namespace portcullis;

struct Sheet final : sensor_report::LogTarget {
    explicit Sheet(std::string& sheet) : text(sheet) {}
    std::size_t write(std::string_view lines) override { return text += lines, lines.size(); }
    base::Result<void> reopen() override { return {}; }
    bool has_own_time() const override { return true; }
    std::string& text;
};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const unsigned choices = size > 0 ? data[0] : 0;
    const sensor_report::ServicesFile services;
    const auto hosts = sensor_report::HostsFile::parse("0.0.0.0 zero\n10.0.0.1 one\nfd00::1 six\n");
    std::string text;
    sensor_report::LogWriter log(std::make_unique<Sheet>(text));
    sensor_report::ReportSettings settings;
    settings.log_destination = (choices & 1) != 0;
    settings.log_address = (choices & 2) != 0;
    settings.has_iplog_words = (choices & 4) != 0;
    sensor_report::Reporter reporter(settings, services, hosts, log);
    sensor_detect::Observation seen;
    seen.type = sensor_detect::ObservationType::IcmpMessage;
    seen.source = *base::IpAddress::parse((choices & 8) != 0 ? "10.0.0.1" : "fd00::1");
    seen.destination = *base::IpAddress::parse((choices & 8) != 0 ? "10.0.0.2" : "fd00::2");
    seen.icmp = std::span(data, size).subspan(size > 0 ? 1 : 0);
    reporter.on_observation(seen);
    log.flush();
    const auto line = sensor_report::parse_line(text.substr(0, text.find('\n')));
    if (!text.empty() && !line) {
        std::abort();
    }
    return 0;
}
