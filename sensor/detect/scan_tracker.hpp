// ScanTracker: finds scans in packets, and reports them as observations.
//
// A source scans if it probes many ports, not if it sends many packets. A probe waits in
// PendingProbes until the answer of our host shows the state of its port (a RST or an ICMP
// unreachable: closed; anything else: open), or its time is over (unanswered). Then SourceTracker
// counts it. The tables detectors.cpp and probe_classes.cpp say what counts for which kind, and the
// thresholds.
//
// Single-threaded; time comes with each call and never goes back (a small step back is ignored).
// Bounded: see SourceTracker, PendingProbes and FlowMemory. No allocation in the steady state.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/clock.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/source_tracker.hpp"
#include "sensor/detect/tracker.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/track/flow_memory.hpp"
#include "sensor/track/handshakes.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/open_ports.hpp"
#include "sensor/track/pending_probes.hpp"

namespace portcullis::sensor_detect {

class ScanTracker final : public Tracker {
  public:
    // `sink` must outlive the tracker.
    ScanTracker(const TrackerSettings& settings, ObservationSink& sink);

    // `max_sources` and `max_pending_probes` cannot be changed and are ignored.
    void set_settings(const TrackerSettings& settings) override { settings_ = settings; }

    void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    void on_address_request(const base::IpAddress& sender, const base::IpAddress& target,
                            base::Timestamp now) override;
    void set_own_addresses(std::span<const base::IpAddress> addresses) override {
        sources_.set_own_addresses(addresses);
    }
    void set_return_path(ReturnPathJudge* judge) override {
        sources_.reports().set_return_path(judge);
    }
    void advance(base::Timestamp now) override;
    std::optional<base::Timestamp> next_deadline() override;
    // Ends all scans now, as at the end of the program.
    void finish(base::Timestamp now) override;

    TrackerCounters counters() const override;
    std::size_t source_count() const { return sources_.size(); }

  private:
    void on_tcp(const sensor_packet::Packet& packet);
    // A segment that may belong to a connection: it counts only if we answer it with a RST.
    void on_stray(const sensor_packet::Packet& packet, ProbeClass probe);
    void on_datagram(const sensor_packet::Packet& packet);
    // A SYN+ACK that may answer a SYN of ours.
    void on_syn_ack(const sensor_packet::Packet& packet);
    void on_sctp(const sensor_packet::Packet& packet);
    void on_other_protocol(const sensor_packet::Packet& packet);
    // A RST or FIN may end a connection that we accepted. In a capture without packets of ours, any
    // segment of a connection shows that we accepted it.
    void on_connection_segment(const sensor_packet::Packet& packet);
    // True if a datagram belongs to a conversation: we sent datagrams to that peer from the port
    // that it is sent to, or to the port number that it is sent to.
    bool is_of_conversation(const Probe& probe) const;
    // True if we asked the peer for the connection (FTP's active mode).
    bool is_asked_for(const sensor_packet::Packet& packet) const;
    // Counts a closed or unanswered port, unless its source had a working connection to it lately:
    // then a service restarts.
    void count_port(const Probe& probe, PortState state);
    void count_refused(Probe& probe);
    void on_unreachable(const sensor_packet::Packet& packet);
    void on_echo_request(const sensor_packet::Packet& packet);
    void on_tcp_answer(const sensor_packet::Packet& packet);
    void on_handshake(const sensor_packet::Packet& packet);

    Probe probe_of(const sensor_packet::Packet& packet, ProbeClass probe);
    bool is_watched(ProbeClass probe) const;
    void await_answer(const sensor_packet::Packet& packet, Probe& probe);
    // advance() when something is due, or the clock was set back. Not inlined: advance() would
    // otherwise save its registers for every packet.
    [[gnu::noinline]] void catch_up(base::Timestamp now);
    void pop_overdue();
    void start_over_at(base::Timestamp now);
    void set_time(base::Timestamp now);
    Second second() const { return sources_.second(); }

    TrackerSettings settings_;
    Handshakes handshakes_;
    SourceTracker sources_;
    PendingProbes pending_;
    FlowMemory flows_;
    OpenPorts open_ports_;
    FlowMemory peers_;  // the same for peers, with one port or both left out
    base::Timestamp now_;
    base::Timestamp quiet_until_;  // until then advance() only sets the time
    base::Timestamp next_second_;  // expired counters are swept when it is reached
    TrackerCounters counters_;
};

}  // namespace portcullis::sensor_detect
