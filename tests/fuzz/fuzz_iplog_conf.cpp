// Any text as iplog.conf: every fault has a line of the text, and the settings can be used.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "sensor/config/iplog_conf.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto kServices =
        sensor_report::ServiceNames::parse("ssh 22/tcp\nhttp 80/tcp www\ndomain 53/udp\n");
    static const auto kHosts = sensor_report::HostNames::parse("10.0.0.1 one\nfd00::1 six one\n");
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    sensor_config::SensorSettings settings;
    base::Diagnostics diagnostics;
    sensor_config::apply_iplog_conf(text, "iplog.conf", kServices, kHosts, settings, diagnostics);
    const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
    for (const base::Diagnostic& diagnostic : diagnostics.all()) {
        if (diagnostic.message.empty() || diagnostic.place.line > lines) {
            std::abort();
        }
    }
    base::Diagnostics problems;
    sensor_config::settle(settings, {*base::IpAddress::parse("10.0.0.53")}, problems);
    sensor_packet::Packet packet;
    packet.verdict = sensor_packet::Verdict::Ok;
    for (const auto transport : {sensor_packet::Transport::Tcp, sensor_packet::Transport::Icmpv6}) {
        packet.transport = transport;
        settings.filters.ignores(packet);
    }
    return 0;
}
