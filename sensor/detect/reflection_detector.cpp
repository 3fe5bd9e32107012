#include "sensor/detect/reflection_detector.hpp"

namespace portcullis::sensor_detect {

using AddressUse = TargetTable::AddressUse;

std::optional<TargetDetection> ReflectionDetector::add_source(ScanKind kind,
                                                              const TargetProbe& probe,
                                                              const DetectorSettings& settings) {
    const AddressUse use =
        kind == ScanKind::SynAckReflection ? AddressUse::SynAcks : AddressUse::Datagrams;
    AddressCounter* counter = targets_.obtain(use, kind, probe);
    if (counter == nullptr) {
        return std::nullopt;
    }
    if (probe.second >= counter->expires_at && !counter->is_detected) {
        counter->first_ports = DestinationPorts();
        counter->source_ports.clear();
    }
    TargetTable::count(*counter, probe, settings.idle);
    counter->first_ports.add(probe.port);
    counter->source_ports.add(probe.source_port);
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(probe.time.time_since_epoch());
    const auto rate = counter->rate.add(time, settings.rate_window, 1);
    if (counter->is_detected || rate < settings.threshold) {
        return std::nullopt;
    }
    if (kind == ScanKind::DatagramFlood && !counter->source_ports.is_full()) {
        counter->kind = ScanKind::DatagramReflection;
    }
    return targets_.mark_detected(*counter);
}

}  // namespace portcullis::sensor_detect
