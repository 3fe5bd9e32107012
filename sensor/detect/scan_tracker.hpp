// ScanTracker: from packets to observations: who knocks, who scans, and when it is over.
//
// A scan is what touches many ports, not what sends often. A probe waits in PendingProbes until
// our host's own answer (a RST, an ICMP unreachable: closed; anything else: open) or its silence
// shows what it touched; what was touched goes to the SourceTracker. What is counted for which kind
// and from which number on it is reported is data: detectors.cpp and probe_classes.cpp.
//
// Single-threaded; time comes with each call and never goes back (a step back is ignored). Bounded:
// see SourceTracker, PendingProbes and FlowMemory. No allocation in the steady state.
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
    // A segment that only our RST tells from one of a connection.
    void on_stray(const sensor_packet::Packet& packet, ProbeClass probe);
    void on_datagram(const sensor_packet::Packet& packet);
    // A SYN+ACK that may answer a SYN of ours.
    void on_syn_ack(const sensor_packet::Packet& packet);
    void on_sctp(const sensor_packet::Packet& packet);
    void on_other_protocol(const sensor_packet::Packet& packet);
    // A RST or FIN may end a connection that we accepted; in a capture without packets of ours any
    // segment shows that we did.
    void on_connection_segment(const sensor_packet::Packet& packet);
    // Whether a datagram belongs to a conversation: we sent some to that peer from its port, or to
    // the port that it is sent to.
    bool is_of_conversation(const Probe& probe) const;
    // Whether a connection is one that we asked the peer for (FTP's active mode).
    bool is_asked_for(const sensor_packet::Packet& packet) const;
    // The port that a probe touched is closed or did not answer. Not if its source had a working
    // connection to it of late: a service that restarts.
    void count_port(const Probe& probe, PortState state);
    void count_refused(Probe& probe);
    void on_unreachable(const sensor_packet::Packet& packet);
    void on_echo_request(const sensor_packet::Packet& packet);
    void on_tcp_answer(const sensor_packet::Packet& packet);
    void on_handshake(const sensor_packet::Packet& packet);

    Probe probe_of(const sensor_packet::Packet& packet, ProbeClass probe);
    bool is_watched(ProbeClass probe) const;
    void await_answer(const sensor_packet::Packet& packet, Probe& probe);
    // advance() when something is due, or the clock was set back. Not inlined: the registers that
    // it saves would be saved for every packet.
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
    FlowMemory peers_;  // what is known of a peer whatever one of the ports is
    base::Timestamp now_;
    base::Timestamp quiet_until_;  // until then advance() has nothing to do but to set the time
    base::Timestamp next_second_;  // expired counters are swept when it is reached
    TrackerCounters counters_;
};

}  // namespace portcullis::sensor_detect
