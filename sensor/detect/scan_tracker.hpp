// ScanTracker: from packets to observations: who knocks, who scans, and when it is over.
//
// A scan is what touches many doors, not what knocks often. A probe waits in PendingProbes until
// our host's own answer (a RST, an ICMP unreachable: closed; anything else: open) or its silence
// tells what it touched; only closed and silent ports count, each once. What is counted for which
// kind and from which number on it is reported is data: detectors.cpp and probe_classes.cpp.
//
// Single-threaded; time comes with each call and never goes back (a step back is ignored). Bounded:
// see SourceTable, PendingProbes and FlowMemory. No allocation in the steady state.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/base/clock.hpp"
#include "sensor/detect/detectors.hpp"
#include "sensor/detect/flow_memory.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/pending_probes.hpp"
#include "sensor/detect/probe_history.hpp"
#include "sensor/detect/source_table.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_detect {

struct DetectorSettings {
    bool is_enabled = true;
    std::uint16_t threshold = 0;  // at most kMaxPortThreshold where distinct ports are counted
    std::chrono::milliseconds rate_window{0};
    std::chrono::seconds idle{0};
};

struct TrackerSettings {
    TrackerSettings();  // the defaults of detectors()
    DetectorSettings& of(ScanKind kind) { return kinds[static_cast<std::size_t>(kind)]; }
    const DetectorSettings& of(ScanKind kind) const {
        return kinds[static_cast<std::size_t>(kind)];
    }

    std::array<DetectorSettings, kScanKindCount> kinds;
    bool traceroute = true;
    bool bogus = true;
    bool scans_only = false;                 // no line for single packets
    bool names_tool = true;                  // says which tool a TCP scan looks like
    std::size_t max_pending_probes = 32768;  // a power of two
    std::size_t max_sources = 131072;        // at most some 60 MB
};

struct TrackerCounters {
    std::uint64_t inbound = 0;
    std::uint64_t outbound = 0;
    std::uint64_t probes_left_early = 0;  // the table of pending probes was full
    std::uint64_t source_evictions = 0;
    std::uint64_t scan_evictions = 0;  // of these: a scan was going on
};

class ScanTracker final : private CounterSink {
  public:
    // `sink` must outlive the tracker.
    ScanTracker(const TrackerSettings& settings, ObservationSink& sink);

    // New settings from the next packet on; what was counted stays.
    // `max_sources` and `max_pending_probes` cannot be changed and are ignored.
    void set_settings(const TrackerSettings& settings) { settings_ = settings; }

    // A packet to one of our addresses, from elsewhere; REQUIRES: verdict == Ok.
    void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now);
    // A packet of ours to elsewhere; REQUIRES: verdict == Ok.
    void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now);
    // Lets time pass: probes become overdue, quiet scans end.
    void advance(base::Timestamp now);
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    std::optional<base::Timestamp> next_deadline();
    // Ends all scans now, as at the end of the program.
    void finish(base::Timestamp now);

    TrackerCounters counters() const;
    std::size_t source_count() const { return table_.size(); }

  private:
    void on_tcp(const sensor_packet::Packet& packet);
    void on_datagram(const sensor_packet::Packet& packet);
    void on_echo_request(const sensor_packet::Packet& packet);
    bool is_traceroute(TracerouteRun& run, std::uint8_t ttl) const;
    // Counts the packet for the kinds of `probe`; true = one of them is detected and takes it.
    bool count_packet(std::uint32_t source, ProbeClass probe, const sensor_packet::Packet& packet);
    void await_answer(std::uint32_t source, ProbeClass probe, const sensor_packet::Packet& packet);
    void settle(const base::IpAddress& theirs, std::uint16_t their_port,
                const base::IpAddress& ours, std::uint16_t our_port, bool is_datagram,
                bool is_closed);
    void pop_overdue();
    void start_over_at(base::Timestamp now);
    // The probe touched a closed or silent port.
    void count_touched(const Probe& probe);
    void report_detected(std::uint32_t source, Counter& counter);
    // Says which tool the scan looks like that was just reported, if its probes tell.
    void report_tool(const SourceState& state, ScanKind kind);
    void report_packet(ObservationType type, const sensor_packet::Packet& packet,
                       std::uint64_t bytes);
    void on_counter_over(const SourceState& state, const Counter& counter) override;

    std::uint32_t second() const;
    std::uint32_t expiry_of(ScanKind kind) const;

    TrackerSettings settings_;
    ObservationSink& sink_;
    SourceTable table_;
    PendingProbes pending_;
    FlowMemory flows_;
    ProbeHistory history_;
    base::Timestamp now_;
    base::Timestamp next_second_;  // table_ is swept when it is reached
    TrackerCounters counters_;
};

}  // namespace portcullis::sensor_detect
