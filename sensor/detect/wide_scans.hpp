// WideScans: what a source does to all our addresses together, and what an IPv6 network does that
// changes its address: scans of which no single pair of addresses shows enough.
//
// Beside SourceTracker, which counts per pair and hands over each port that was closed or did not
// answer. A source (IPv6: its network of `ipv6_prefix` bits) is first a mark that says in which
// pair it was seen. Its count begins when it appears in a second pair, with what both pairs have
// counted. Ports are counted per target: the same port of two targets counts twice.
// Single-threaded; bounded; no allocation in the steady state but for reports.
#pragma once

#include <cstdint>
#include <optional>

#include "base/keyed_hash.hpp"
#include "sensor/detect/extent.hpp"
#include "sensor/detect/pending_probes.hpp"
#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/single_probe_table.hpp"
#include "sensor/detect/source_table.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/detect/zeroed_array.hpp"

namespace portcullis::sensor_detect {

// Most sources that are counted at once.
inline constexpr std::size_t kMostWideSources = 1024;

class WideScans {
  public:
    // What SourceTracker has of single pairs. All references must outlive the object.
    struct Pairs {
        SourceTable& table;
        SingleProbeTable& singles;
    };
    WideScans(const TrackerSettings& settings, const base::KeyedHash& hash, Pairs pairs,
              Extents& extents, ScanReports& reports, CounterSink& sink);

    void set_second(std::uint32_t second) { second_ = second; }

    // In all calls `key` is the keyed hash by which a source is known here.

    // A probe was received. True = a scan that is detected takes it.
    bool receive(const Probe& probe, std::uint64_t key) {
        return table_.size() > 0 && count(probe, key);
    }
    // A port was closed or did not answer, and its pair has counted it. True = the probe belongs to
    // a scan that is detected, now or before.
    bool touch(const Probe& probe, std::uint64_t key, PortState state);
    // The port was open after all.
    void take_back(const Probe& probe, std::uint64_t key);
    // A pair was reported by itself: what it touched is no part of something wider.
    void forget(std::uint64_t key, ScanKind kind);
    // The address has proven itself by a handshake: what is detected of `key`, and it took part in,
    // is told so.
    void note_proof(const base::IpAddress& address, std::uint64_t key);
    // Our host answered a source. True = the source is detected.
    bool note_answer(std::uint64_t key);

    void sweep(std::uint32_t second) { table_.sweep(second); }
    std::optional<std::uint32_t> next_sweep() const { return table_.next_sweep(); }
    bool is_empty() const { return table_.size() == 0; }
    // Drops all, after a line about each scan that is going on.
    void clear();

  private:
    struct Mark {
        std::uint64_t pair = 0;
        std::uint32_t fingerprint = 0;
        std::uint32_t second = 0;  // 0 = free
        base::IpAddress source;
        base::IpAddress target;
    };
    static constexpr std::size_t kMarks = 32768;

    bool count(const Probe& probe, std::uint64_t key);
    // Whether the probe counts (ScanReports::admit()).
    bool admit(std::uint32_t source, const Probe& probe, PortState state);
    // Forgets the ports that were counted by probes that the host dropped.
    void forget_dropped(std::uint32_t source);
    // Begins to count the source, if this is its second pair.
    std::uint32_t begin(const Probe& probe, std::uint64_t key, PortState state);
    // Takes over what a pair has counted.
    void take_over(std::uint32_t source, std::uint64_t pair, const base::IpAddress& target,
                   const base::IpAddress& from);
    bool is_reached(std::uint32_t source, const Counter& counter);
    std::uint16_t item_of(const base::IpAddress& target, std::uint16_t port) const;
    std::uint32_t expiry_of(ScanKind kind) const;

    const TrackerSettings& settings_;
    const base::KeyedHash& hash_;
    Pairs pairs_;
    Extents& extents_;
    ScanReports& reports_;
    SourceTable table_;
    ZeroedArray<Mark> marks_;
    std::uint32_t second_ = 0;
};

}  // namespace portcullis::sensor_detect
