#include "sensor/sensor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace portcullis {

using sensor_packet::Packet;
using sensor_packet::Verdict;

Sensor::Sensor(const sensor_config::SensorSettings& settings,
               const sensor_report::ServiceNames& services, const sensor_report::HostNames& hosts,
               std::unique_ptr<sensor_report::LogTarget> target)
    : log_(std::move(target)),
      reporter_(sensor_config::report_settings(settings), services, hosts, log_),
      tracker_(sensor_config::tracker_settings(settings), reporter_) {
    set_settings(settings);
}

void Sensor::set_settings(const sensor_config::SensorSettings& settings) {
    filters_ = settings.filters;
    promisc_ = base::CidrSet();
    for (const base::Cidr& network : settings.promisc) {
        promisc_.add(network);
    }
    reporter_.set_settings(sensor_config::report_settings(settings));
    tracker_.set_settings(sensor_config::tracker_settings(settings));
}

void Sensor::set_local_addresses(std::vector<base::IpAddress> addresses) {
    std::sort(addresses.begin(), addresses.end());
    local_ = std::move(addresses);
}

bool Sensor::is_ours(const base::IpAddress& address) const {
    return std::binary_search(local_.begin(), local_.end(), address) ||
           (!promisc_.empty() && promisc_.contains(address));
}

void Sensor::on_frame(const sensor_capture::Frame& frame) {
    const Packet packet = sensor_capture::parse_frame(frame);
    ++verdicts_[static_cast<std::size_t>(packet.verdict)];
    if (packet.verdict != Verdict::Ok) {
        return;
    }
    const bool is_from_us = is_ours(packet.source);
    const bool is_to_us = is_ours(packet.destination);
    if (is_from_us == is_to_us) {
        return;
    }
    last_packet_ = frame.time;
    if (on_first_packet_) {
        std::exchange(on_first_packet_, nullptr)(frame.time);
    }
    if (is_from_us) {
        tracker_.on_outbound(packet, frame.time);
    } else if (!filters_.ignores(packet)) {
        tracker_.on_inbound(packet, frame.time);
    }
}

void Sensor::advance(base::Timestamp now) {
    tracker_.advance(now);
    log_.flush();
}

void Sensor::finish(base::Timestamp now) {
    tracker_.finish(now);
    log_.finish(now);
}

SensorCounters Sensor::counters() const {
    const auto count = [&](Verdict verdict) {
        return verdicts_[static_cast<std::size_t>(verdict)];
    };
    const auto tracked = tracker_.counters();
    return {{"packets_to_us", tracked.inbound},
            {"packets_from_us", tracked.outbound},
            {"fragments", count(Verdict::Fragment)},
            {"malformed_packets", count(Verdict::Malformed)},
            {"bad_checksums", count(Verdict::BadChecksum)},
            {"other_packets", count(Verdict::OtherLink) + count(Verdict::OtherTransport)},
            {"sources_forgotten_early", tracked.source_evictions},
            {"scanners_forgotten_early", tracked.scan_evictions},
            {"probes_forgotten_early", tracked.probes_left_early},
            {"sensor_lines_lost", log_.lines_lost()}};
}

std::string Sensor::statistics() const {
    std::string text;
    for (const auto& [name, value] : counters()) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    }
    return text;
}

}  // namespace portcullis
