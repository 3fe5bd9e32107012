// SlowScanDetector: ports that a source probed within a day may be a scan, although no burst of the
// source reached the threshold of another kind.
//
// SourceTracker counts the bursts and calls this class when one ends. SlowScanTable stores the
// ports. A burst is what the counters of a source counted until no new port is probed for the idle
// time of the kind. The ports of a running burst are not reported before it ends: the burst may
// still become a scan of another kind, and a scan is reported once. Single-threaded; allocates for
// reports alone.
#pragma once

#include <cstdint>
#include <vector>

#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/slow_scan_table.hpp"
#include "sensor/track/source_table.hpp"

namespace portcullis::sensor_detect {

// Who can give a source room in the table.
class SourceMaker {
  public:
    virtual ~SourceMaker() = default;
    // The place of the probe's source in the table, with what it did so far.
    virtual SourceIndex obtain(const Probe& probe) = 0;
};

class SlowScanDetector {
  public:
    // All references must outlive the object. `settings` may change, except for its sizes. At most
    // `most_ended_bursts` wait for report_ended_bursts().
    SlowScanDetector(const TrackerSettings& settings, SourceTable& table, Extents& extents,
                     ScanReports& reports, SourceMaker& sources, std::size_t most_ended_bursts);

    // `second`: of `now`, since 1970.
    void set_time(base::Timestamp now, Second second) {
        now_ = now;
        second_ = second;
    }
    // Prefetches the memory that add_probe() needs.
    void prefetch(PairKey pair) const { slow_table_.prefetch(pair); }

    // A TCP port is closed or did not answer, and no other kind reported it. In all calls `key` is
    // the keyed hash of what is counted together: the probe's pair, or its source over all targets.
    void add_probe(const Probe& probe, PairKey key, std::uint8_t target);
    // The port turned out to be open: it does not count any longer.
    void take_back(const Probe& probe, PairKey key, std::uint8_t target);
    // True if a slow scan is running that a probe may belong to.
    bool has_running() const { return running_ > 0; }
    // Call before the counter of a slow scan is dropped.
    void on_over() { --running_; }
    // True if no new port was probed for the idle time of the kind, although packets still arrive.
    bool has_burst_ended(const Counter& counter) const;
    // The burst that `counter` counted has ended, and no other kind reported it. If the source has
    // enough ports now, report_ended_bursts() reports a slow scan.
    void end_burst(const SourceState& state, PairKey key, const Counter& counter);
    // Removes ports that a counter of `kind` had counted before it turned out that the host drops
    // the probes.
    void forget_ports(PairKey key, ScanKind kind, std::span<const std::uint16_t> ports);
    // Removes the ports that another kind has reported.
    void forget_burst(PairKey key, const Counter& counter);

    bool has_ended_bursts() const { return !ended_bursts_.empty(); }
    void report_ended_bursts();
    void clear() { slow_table_.clear(); }

  private:
    struct Burst {
        PairKey pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        DestinationPorts ports;
        SourcePorts source_ports;
        std::uint64_t bytes = 0;
        std::uint32_t interface = 0;  // of arrival; 0 = not known
    };

    Second second() const { return second_; }
    SlowScanTable::Limits limits() const;
    // Whether all `remembered` ports of a source may belong to a running burst, which may still
    // become a scan of another kind.
    bool is_one_burst(SourceIndex source, std::size_t remembered);
    SlowScanTable::PortProbe port_probe_of(const Probe& probe, PairKey key,
                                           std::uint8_t target) const;
    // Reports a slow scan if the source of an ended burst reached the limits. The burst supplies
    // what the table does not store. If the host drops what the source sends, the ports of the
    // burst are removed from the table instead.
    void report_burst(const Burst& burst);
    // Reports a slow scan, together with its decoys.
    void report(const SlowScanTable::ProbedPorts& probed, const Burst& last);
    void begin(const SlowScanTable::ProbedPorts& probed, const SourcePorts& from,
               std::uint32_t interface);

    const TrackerSettings& settings_;
    SourceTable& table_;
    Extents& extents_;
    ScanReports& reports_;
    SourceMaker& sources_;
    std::size_t most_ended_bursts_;
    SlowScanTable slow_table_;
    std::vector<Burst> ended_bursts_;
    std::size_t running_ = 0;  // counters of slow scans in the table
    base::Timestamp now_;
    Second second_ = 0;
};

}  // namespace portcullis::sensor_detect
