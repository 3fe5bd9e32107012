// MultiTargetDetector: scans of a source that are spread over several addresses of ours, and scans
// of an IPv6 network that changes its address, of which no single pair shows enough.
//
// SourceTracker counts per pair and hands over each port that was closed or unanswered. A source
// (IPv6: its network of `ipv6_prefix` bits) begins as a mark that names the pair in which it was
// seen. Its counter begins when it appears in a second pair, and takes over what both pairs
// counted. Ports are counted per target: the same port of two targets counts twice.
// Single-threaded; bounded; no allocation in the steady state except for reports.
#pragma once

#include <cstdint>
#include <optional>

#include "base/keyed_hash.hpp"
#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/extent.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/single_probe_table.hpp"
#include "sensor/track/source_table.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_detect {

// Most sources that are counted at once.
inline constexpr std::size_t kMostMultiTargetSources = 1024;

class MultiTargetDetector {
  public:
    // What SourceTracker stores about single pairs. All references must outlive the object.
    struct Pairs {
        SourceTable& table;
        SingleProbeTable& singles;
    };
    MultiTargetDetector(const TrackerSettings& settings, const base::KeyedHash& hash, Pairs pairs,
                        Extents& extents, ScanReports& reports);

    // In all calls `key` is the keyed hash of the source over all targets.

    // A probe was received. True = it belongs to a detected scan.
    bool receive(const Probe& probe, PairKey key, base::Timestamp now) {
        return table_.size() > 0 && count(probe, key, now);
    }
    // A port was closed or did not answer, and its pair has counted it. True = the probe belongs to
    // a scan that is detected, now or before.
    bool count_port(const Probe& probe, PairKey key, PortState state, base::Timestamp now);
    // The port turned out to be open: it does not count any longer.
    void take_back(const Probe& probe, PairKey key);
    // A pair was reported as a scan of its own: its ports do not count here any longer.
    void forget(PairKey key, ScanKind kind);
    // The address was proven by a handshake. Detected scans of `key` in which it took part are
    // proven from now on.
    void note_proof(const base::IpAddress& address, PairKey key, Second second);
    // Our host answered a probe. True = its source is detected.
    bool note_answer(PairKey key, Second second);

    // Drops the counters that have expired at `second`, and reports the ends of scans at `now`.
    void sweep(base::Timestamp now, Second second);
    std::optional<Second> next_sweep() const { return table_.next_sweep(); }
    bool is_empty() const { return table_.size() == 0; }
    // Drops all counters, after the line about the end of each running scan.
    void drop_all(base::Timestamp now);

  private:
    struct Mark {
        PairKey pair = 0;
        std::uint32_t fingerprint = 0;
        Second second = 0;  // 0 = free
        base::IpAddress source;
        base::IpAddress target;
    };
    static constexpr std::size_t kMarks = 32768;

    bool count(const Probe& probe, PairKey key, base::Timestamp now);
    // True if the probe counts (ScanReports::admit()).
    bool admit(SourceIndex source, const Probe& probe, PortState state);
    Counter& obtain_counter(SourceIndex source, ScanKind kind, base::Timestamp now);
    // Evicts a source.
    void make_room(base::Timestamp now, SourceIndex spared = kNoIndex);
    // Removes the ports that were counted by probes which the host dropped.
    void forget_dropped(SourceIndex source);
    // Creates the counter of the source if this is its second pair. Returns its index in the table,
    // or kNoIndex.
    SourceIndex begin(const Probe& probe, PairKey key, PortState state, base::Timestamp now);
    // Adds what a pair has counted.
    void take_over(SourceIndex source, PairKey pair, const base::IpAddress& target,
                   const base::IpAddress& from, base::Timestamp now);
    bool is_reached(SourceIndex source, const Counter& counter);
    std::uint16_t item_of(const base::IpAddress& target, std::uint16_t port) const;

    const TrackerSettings& settings_;
    const base::KeyedHash& hash_;
    Pairs pairs_;
    Extents& extents_;
    ScanReports& reports_;
    SourceTable table_;
    ZeroedArray<Mark> marks_;
};

}  // namespace portcullis::sensor_detect
