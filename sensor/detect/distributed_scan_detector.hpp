// DistributedScanDetector: several sources together probe many ports of one address, each only a
// few.
//
// Many sources on one port are a flood or a worm. In a distributed scan the number of distinct
// ports decides, so that each source must probe different ones. A source that reaches a threshold
// of its own is a scan of its own: forget_source() removes its ports. Single-threaded; the counters
// are in a TargetTable.
#pragma once

#include <optional>

#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/target_table.hpp"

namespace portcullis::sensor_detect {

class DistributedScanDetector {
  public:
    // `targets` must outlive the detector.
    explicit DistributedScanDetector(TargetTable& targets) : targets_(targets) {}

    // A port that is closed or unanswered was probed by a source that is not a scanner. Returns the
    // detection if the probe reaches the threshold.
    std::optional<TargetDetection> add_probe(const TargetProbe& probe,
                                             const DetectorSettings& settings);
    // The source turned out to be a scanner: its ports of `destination` do not count any longer.
    void forget_source(const base::IpAddress& destination, PairKey source_hash);
    // True if a distributed scan of that address is running.
    bool is_detected(const base::IpAddress& destination) const;

  private:
    TargetTable& targets_;
};

}  // namespace portcullis::sensor_detect
