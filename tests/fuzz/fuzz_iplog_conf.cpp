// Any text as iplog.conf: every fault has a line of the text, the settings are within bounds and
// can be used, and the same text is understood the same way again.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "sensor/config/iplog_conf.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto kServices =
        sensor_report::ServicesFile::parse("ssh 22/tcp\nhttp 80/tcp www\ndomain 53/udp\n");
    static const auto kHosts = sensor_report::HostsFile::parse("10.0.0.1 one\nfd00::1 six one\n");
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
    base::Diagnostics again;
    const auto first = settings.values;
    sensor_config::apply_iplog_conf(text, "iplog.conf", kServices, kHosts, settings, again);
    base::Diagnostics problems;
    if (base::render(again) != base::render(diagnostics) || settings.values != first) {
        std::abort();
    }
    sensor_config::derive_settings(settings, {*base::IpAddress::parse("10.0.0.53")}, problems);
    for (const auto& kind : sensor_config::tracker_settings(settings).kinds) {
        if (kind.threshold == 0 || kind.idle.count() == 0) {
            std::abort();
        }
    }
    sensor_packet::Packet packet;
    packet.verdict = sensor_packet::Verdict::Ok;
    for (int transport = 0; transport < 4; ++transport) {
        packet.transport = static_cast<sensor_packet::Transport>(transport);
        settings.filters.ignores(packet);
    }
    return 0;
}
