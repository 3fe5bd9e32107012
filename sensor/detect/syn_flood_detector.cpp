#include "sensor/detect/syn_flood_detector.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {

using PortUse = TargetTable::PortUse;

std::optional<TargetDetection> SynFloodDetector::add_attempt(ScanKind kind,
                                                             const TargetProbe& probe,
                                                             const DetectorSettings& settings) {
    const PortUse use = kind == ScanKind::RefusedConnections ? PortUse::Refused : PortUse::HalfOpen;
    TargetCounter* counter = targets_.obtain(use, kind, probe);
    if (counter == nullptr) {
        return std::nullopt;
    }
    TargetTable::count(*counter, probe, settings.idle);
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(probe.time.time_since_epoch());
    const auto rate = counter->rate.add(time, settings.rate_window, probe.packets);
    if (counter->is_detected || rate < settings.threshold) {
        return std::nullopt;
    }
    counter->first_ports.add(probe.port);
    counter->sources = std::max(counter->sources, 1U);
    return targets_.mark_detected(*counter);
}

bool SynFloodDetector::is_detected(const base::IpAddress& destination, std::uint16_t port) const {
    return targets_.is_detected(PortUse::HalfOpen, ScanKind::SynFlood, destination, port) ||
           targets_.is_detected(PortUse::Refused, ScanKind::RefusedConnections, destination, port);
}

}  // namespace portcullis::sensor_detect
