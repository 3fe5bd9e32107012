// SlowScanDetector: ports that a source probed within a day may be a scan, although no burst of the
// source reached the threshold of another kind.
//
// SourceTracker counts the bursts, calls this class when one ends, and reports what it returns.
// SlowScanTable stores the ports. A burst is what the counters of a source counted until no new
// port is probed for the idle time of the kind. The ports of a running burst are not reported
// before it ends: the burst may still become a scan of another kind, and a scan is reported once.
// Single-threaded; allocates for reports alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/slow_scan_table.hpp"
#include "sensor/track/source_table.hpp"

namespace portcullis::sensor_detect {

class SlowScanDetector {
  public:
    // All references must outlive the object. `settings` may change, except for its sizes. At most
    // `most_ended_bursts` wait for take_ended_bursts().
    SlowScanDetector(const TrackerSettings& settings, SourceTable& table,
                     const ScanReports& reports, std::size_t most_ended_bursts);

    struct Burst {
        PairKey pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        DestinationPorts ports;
        SourcePorts source_ports;
        std::uint64_t bytes = 0;
        std::uint32_t interface = 0;  // of arrival; 0 = not known
    };
    struct Detection {
        // The source that reached the limits, and then its decoys. They are no longer in the table.
        std::vector<SlowScanTable::ProbedPorts> group;
        Burst last;  // of the first source
    };

    // Prefetches the memory that add_probe() needs.
    void prefetch(PairKey pair) const { slow_table_.prefetch(pair); }

    // A TCP port is closed or did not answer, and no other kind reported it. In all calls `key` is
    // the keyed hash of what is counted together: the probe's pair, or its source over all targets.
    // Returns the detection if the source has enough ports.
    std::optional<Detection> add_probe(const Probe& probe, PairKey key, std::uint8_t target,
                                       Second second);
    // The port turned out to be open: it does not count any longer.
    void take_back(const Probe& probe, PairKey key, std::uint8_t target, Second second);
    // True if a slow scan is running that a probe may belong to.
    bool has_running() const { return running_ > 0; }
    // The counter of a slow scan was created, or is about to be dropped.
    void note_begin() { ++running_; }
    void note_end() { --running_; }
    // True if no new port was probed for the idle time of the kind, although packets still arrive.
    bool has_burst_ended(const Counter& counter, Second second) const;
    // The burst that `counter` counted has ended, and no other kind reported it. If the source has
    // enough ports now, the burst is returned by take_ended_bursts().
    void end_burst(const SourceState& state, PairKey key, const Counter& counter);
    // Removes ports that a counter of `kind` had counted before it turned out that the host drops
    // the probes.
    void forget_ports(PairKey key, ScanKind kind, std::span<const std::uint16_t> ports);
    // Removes the ports that another kind has reported.
    void forget_burst(PairKey key, const Counter& counter);

    // Bursts that have ended and may be slow scans: the caller passes each of them to detect().
    bool has_ended_bursts() const { return !ended_bursts_.empty(); }
    std::vector<Burst> take_ended_bursts() { return std::exchange(ended_bursts_, {}); }
    // Returns the detection if the source of an ended burst reached the limits. The burst supplies
    // what the table does not store. nullopt = it did not; or the host drops what the source sends,
    // and the ports of the burst are removed from the table.
    std::optional<Detection> detect(const Burst& burst);
    void clear() { slow_table_.clear(); }

  private:
    SlowScanTable::Limits limits() const;
    // Whether all `remembered` ports of a source may belong to a running burst, which may still
    // become a scan of another kind.
    bool is_one_burst(SourceIndex source, std::size_t remembered);
    SlowScanTable::PortProbe port_probe_of(const Probe& probe, PairKey key, std::uint8_t target,
                                           Second second) const;

    const TrackerSettings& settings_;
    SourceTable& table_;
    const ScanReports& reports_;
    std::size_t most_ended_bursts_;
    SlowScanTable slow_table_;
    std::vector<Burst> ended_bursts_;
    std::size_t running_ = 0;  // counters of slow scans in the table
};

}  // namespace portcullis::sensor_detect
