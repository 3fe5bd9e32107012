// ScanTracker: from packets to observations: who knocks, who scans, and when it is over.
//
// A scan is what touches many doors, not what knocks often. A probe waits in PendingProbes until
// our host's own answer (a RST, an ICMP unreachable: closed; anything else: open) or its silence
// tells what it touched; what was touched goes to the ProbeLedger. What is counted for which kind
// and from which number on it is reported is data: detectors.cpp and probe_classes.cpp.
//
// Single-threaded; time comes with each call and never goes back (a step back is ignored). Bounded:
// see ProbeLedger, PendingProbes and FlowMemory. No allocation in the steady state.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/clock.hpp"
#include "sensor/detect/flow_memory.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/pending_probes.hpp"
#include "sensor/detect/probe_ledger.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_detect {

struct TrackerCounters {
    std::uint64_t inbound = 0;
    std::uint64_t outbound = 0;
    std::uint64_t probes_left_early = 0;  // the table of pending probes was full
    std::uint64_t source_evictions = 0;
    std::uint64_t scan_evictions = 0;  // of these: a scan was going on
};

class ScanTracker final {
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
    std::size_t source_count() const { return ledger_.size(); }

  private:
    void on_tcp(const sensor_packet::Packet& packet);
    // A segment that only our RST tells from one of a connection.
    void on_stray(const sensor_packet::Packet& packet, ProbeClass probe);
    void on_datagram(const sensor_packet::Packet& packet);
    void on_echo_request(const sensor_packet::Packet& packet);
    void on_tcp_answer(const sensor_packet::Packet& packet);
    void on_handshake(const sensor_packet::Packet& packet);

    Probe probe_of(const sensor_packet::Packet& packet, ProbeClass probe);
    bool is_watched(ProbeClass probe) const;
    void await_answer(const Probe& probe);
    void pop_overdue();
    void start_over_at(base::Timestamp now);
    void set_time(base::Timestamp now);
    std::uint32_t second() const;

    TrackerSettings settings_;
    ProbeLedger ledger_;
    PendingProbes pending_;
    FlowMemory flows_;
    base::Timestamp now_;
    base::Timestamp next_second_;  // the ledger is swept when it is reached
    TrackerCounters counters_;
};

}  // namespace portcullis::sensor_detect
