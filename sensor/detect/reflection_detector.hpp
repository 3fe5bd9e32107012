// ReflectionDetector: datagrams or SYN+ACKs of many sources that answer nothing of ours.
//
// Datagrams of many sources are a flood (DatagramFlood). If they come from few source ports,
// services answer requests that somebody forged in our name (DatagramReflection). SYN+ACKs of many
// sources are the same for TCP (SynAckReflection). Single-threaded; the counters are in a
// TargetTable.
#pragma once

#include <optional>

#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/target_table.hpp"

namespace portcullis::sensor_detect {

class ReflectionDetector {
  public:
    // `targets` must outlive the detector.
    explicit ReflectionDetector(TargetTable& targets) : targets_(targets) {}

    // A source that sent nothing else before sent a datagram that was not answered, or a SYN+ACK
    // that nobody asked for. Returns the detection if the source reaches the threshold; a
    // DatagramFlood from few source ports is returned as DatagramReflection.
    // REQUIRES: kind is DatagramFlood or SynAckReflection.
    std::optional<TargetDetection> add_source(ScanKind kind, const TargetProbe& probe,
                                              const DetectorSettings& settings);

  private:
    TargetTable& targets_;
};

}  // namespace portcullis::sensor_detect
