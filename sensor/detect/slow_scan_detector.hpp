// SlowScanDetector: what a source touched within a day may be a scan, though no visit of it was
// enough for any other kind.
//
// Beside SourceTracker, which counts visits and tells of them; the memory itself is SlowScanTable.
// A visit is what the fast counters of a source have counted until no new door comes for their idle
// time. Doors of a visit that is going on wait for its end: it may become a scan of another kind,
// which is told once. Single-threaded; allocates for reports alone.
#pragma once

#include <cstdint>
#include <vector>

#include "sensor/detect/pending_probes.hpp"
#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/slow_scan_table.hpp"
#include "sensor/detect/source_table.hpp"
#include "sensor/detect/tracker_settings.hpp"

namespace portcullis::sensor_detect {

// Who can give a source room in the table.
class SourceMaker {
  public:
    virtual ~SourceMaker() = default;
    // The place of the probe's source in the table, with what it did so far.
    virtual std::uint32_t obtain(const Probe& probe) = 0;
};

class SlowScanDetector {
  public:
    // All references must outlive the object; `settings` may change, but for its sizes. At most
    // `most_visits` wait to be told.
    SlowScanDetector(const TrackerSettings& settings, SourceTable& table, Extents& extents,
                     ScanReports& reports, SourceMaker& sources, std::size_t most_visits);

    // `second`: of `now`, since 1970.
    void set_time(base::Timestamp now, std::uint32_t second) {
        now_ = now;
        second_ = second;
    }
    // The memory of touch(), asked for early.
    void prefetch(std::uint64_t pair) const { slow_table_.prefetch(pair); }

    // A TCP port is closed or did not answer, and no other kind reported it. In all calls `key` is
    // the keyed hash of what is counted together: the probe's pair, or its source over all targets.
    void touch(const Probe& probe, std::uint64_t key, std::uint8_t target);
    // The port was open after all.
    void take_back(const Probe& probe, std::uint64_t key, std::uint8_t target);
    // A slow scan is going on that a probe may belong to.
    bool has_running() const { return running_ > 0; }
    // The counter of a slow scan is about to be dropped.
    void on_over() { --running_; }
    // New doors did not come for the idle time of the kind, though other packets did.
    bool is_visit_over(const Counter& counter) const;
    // The visit that `counter` counted was reported by no other kind: it may be enough. Told by
    // report_visits().
    void end_visit(const SourceState& state, std::uint64_t key, const Counter& counter);
    // Probes that the host dropped, which a counter of `kind` had counted, do not count here
    // either.
    void forget_ports(std::uint64_t key, ScanKind kind, std::span<const std::uint16_t> ports);
    // What another kind has reported is no slow scan as well.
    void forget_visit(std::uint64_t key, const Counter& counter);

    bool has_visits() const { return !visits_.empty(); }
    void report_visits();
    void clear() { slow_table_.clear(); }

  private:
    struct Visit {
        std::uint64_t pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        DestinationPorts ports;
        SourcePorts source_ports;
        std::uint64_t bytes = 0;
        std::uint32_t interface = 0;  // of arrival; 0 = not known
    };

    std::uint32_t second() const { return second_; }
    SlowScanTable::Limits limits() const;
    // Whether all that is remembered of a source, so many ports, may be of a visit that is going on
    // and may yet become a scan of another kind.
    bool is_one_visit(std::uint32_t source, std::size_t remembered);
    SlowScanTable::PortProbe port_probe_of(const Probe& probe, std::uint64_t key,
                                           std::uint8_t target) const;
    // Reports what is remembered of a source if it is enough; what that lacks is of its last visit.
    // If the host drops what the source sends, the ports of that visit are forgotten instead.
    void tell(const Visit& visit);
    // Reports a slow scan, together with those that are in lock-step with it.
    void report(const SlowScanTable::ProbedPorts& probed, const Visit& last);
    void begin(const SlowScanTable::ProbedPorts& probed, const SourcePorts& from,
               std::uint32_t interface);

    const TrackerSettings& settings_;
    SourceTable& table_;
    Extents& extents_;
    ScanReports& reports_;
    SourceMaker& sources_;
    std::size_t most_visits_;
    SlowScanTable slow_table_;
    std::vector<Visit> visits_;  // that are over
    std::size_t running_ = 0;    // counters of slow scans in the table
    base::Timestamp now_;
    std::uint32_t second_ = 0;
};

}  // namespace portcullis::sensor_detect
