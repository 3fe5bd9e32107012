#include "sensor/detect/distributed_scan_detector.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {
namespace {

constexpr auto kDistributedScanUse = TargetTable::use_of(ScanKind::DistributedScan);
constexpr int kFewestSources = 2;

}  // namespace

std::optional<TargetDetection> DistributedScanDetector::add_probe(
    const TargetProbe& probe, const DetectorSettings& settings) {
    AddressCounter* counter =
        targets_.obtain(kDistributedScanUse, ScanKind::DistributedScan, probe);
    if (counter == nullptr) {
        return std::nullopt;
    }
    const auto window = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(settings.rate_window).count());
    if (counter->ports.is_empty_at(probe.second, window)) {
        counter->first_ports = DestinationPorts();
    }
    TargetTable::count(*counter, probe, settings.idle);
    counter->first_ports.add(probe.port);
    if (counter->is_detected) {
        return std::nullopt;
    }
    const int ports = counter->ports.add(probe.port, probe.second, window, probe.source_hash);
    const int sources = counter->latest_sources.add(probe.source_hash, probe.second, window);
    if (ports < settings.threshold || sources < kFewestSources) {
        return std::nullopt;
    }
    counter->sources = std::max(counter->sources, static_cast<std::uint32_t>(sources));
    return targets_.mark_detected(*counter);
}

void DistributedScanDetector::forget_source(const base::IpAddress& destination,
                                            PairKey source_hash) {
    AddressCounter* counter =
        targets_.find(kDistributedScanUse, ScanKind::DistributedScan, destination);
    if (counter != nullptr && !counter->is_detected) {
        counter->ports.forget(source_hash);
    }
}

bool DistributedScanDetector::is_detected(const base::IpAddress& destination) const {
    return targets_.is_detected(kDistributedScanUse, ScanKind::DistributedScan, destination);
}

}  // namespace portcullis::sensor_detect
