// SynFloodDetector: connections to one port of ours that are not completed, from any number of
// sources.
//
// It detects two kinds. SynFlood: the attempts leave half-open connections, or their SYNs are made
// by hand. RefusedConnections: ordinary clients connect to a closed port. Single-threaded; the
// counters are in a TargetTable.
#pragma once

#include <optional>

#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/target_table.hpp"

namespace portcullis::sensor_detect {

class SynFloodDetector {
  public:
    // `targets` must outlive the detector.
    explicit SynFloodDetector(TargetTable& targets) : targets_(targets) {}

    // A connection was not completed. Returns the detection if the attempt reaches the threshold.
    // REQUIRES: kind is SynFlood or RefusedConnections.
    std::optional<TargetDetection> add_attempt(ScanKind kind, const TargetProbe& probe,
                                               const DetectorSettings& settings);
    // True if a detection of either kind at that port is running.
    bool is_detected(const base::IpAddress& destination, std::uint16_t port) const;

  private:
    TargetTable& targets_;
};

}  // namespace portcullis::sensor_detect
