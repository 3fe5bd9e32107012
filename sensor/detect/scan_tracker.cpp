#include "sensor/detect/scan_tracker.hpp"

#include <algorithm>

#include "sensor/detect/scanner_signatures.hpp"

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::Packet;
using sensor_packet::Transport;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A datagram is an answer if we wrote to that peer, from that port, within this many seconds: as
// long as a firewall's connection tracking keeps a UDP stream.
constexpr std::uint32_t kFlowMemory = 180;
// Our own answer may have been captured before the probe, on another interface.
constexpr std::uint32_t kAnswerMemory = 2;

// iplog: a line for the same traceroute at most that often.
constexpr std::uint32_t kTracerouteLineInterval = 15;
// A run that was quiet for so long is over (traceroute waits 5 s for an answer).
constexpr std::uint32_t kTracerouteIdle = 10;
// Higher hop counts are what ordinary systems send with, less the way to us.
constexpr std::uint8_t kTracerouteMaxTtl = 40;
constexpr std::uint8_t kTracerouteMaxStep = 3;  // lost or overtaking datagrams
// What one traceroute may send, lest a scan with small TTLs hides as one: so many per TTL within
// 5 s (traceroute -q 10), so many per 30 s (30 hops of three, and some).
constexpr std::uint8_t kTracerouteMaxPerTtl = 10;
constexpr std::uint32_t kTracerouteTtlSpan = 5;
constexpr std::uint16_t kTracerouteMaxDatagrams = 100;
constexpr std::uint32_t kTracerouteSpan = 30;

constexpr std::uint32_t kBogusLineInterval = 60;

// Whole seconds are kept in 32 bits (until 2106): what a capture file says beyond is taken for
// this.
constexpr base::Timestamp kEndOfTime{seconds(4'000'000'000)};

// A clock that goes back by more than this was set back; less is packets out of order.
constexpr seconds kClockTolerance{10};

std::uint32_t whole_seconds(base::Timestamp time) {
    return static_cast<std::uint32_t>(duration_cast<seconds>(time.time_since_epoch()).count());
}

Flow flow_of_outbound(const Packet& packet) {
    return {packet.source, packet.destination, packet.source_port, packet.destination_port,
            packet.transport};
}

}  // namespace

TrackerSettings::TrackerSettings() {
    for (const DetectorRow& row : detectors()) {
        of(row.kind) = {true, row.threshold, row.rate_window, row.idle};
    }
}

ScanTracker::ScanTracker(const TrackerSettings& settings, ObservationSink& sink)
    : settings_(settings),
      sink_(sink),
      table_(settings.max_sources, *this),
      pending_(settings.max_pending_probes) {}

std::uint32_t ScanTracker::second() const { return whole_seconds(now_); }

std::uint32_t ScanTracker::expiry_of(ScanKind kind) const {
    return second() + static_cast<std::uint32_t>(settings_.of(kind).idle.count());
}

void ScanTracker::on_inbound(const Packet& packet, base::Timestamp now) {
    advance(now);
    ++counters_.inbound;
    switch (packet.transport) {
        case Transport::Tcp:
            on_tcp(packet);
            break;
        case Transport::Udp:
            on_datagram(packet);
            break;
        case Transport::Icmp:
        case Transport::Icmpv6:
            if (is_echo_request(packet)) {
                on_echo_request(packet);
            } else if (is_echo_reply(packet)) {
                report_packet(ObservationType::EchoReply, packet, packet.payload_length);
            }
            break;
    }
}

void ScanTracker::on_tcp(const Packet& packet) {
    const ProbeClass probe = classify_tcp(packet);
    if (probe == ProbeClass::None) {
        return;
    }
    history_.record(packet);
    const std::uint32_t source = table_.obtain(packet.source, packet.destination, second());
    if (probe == ProbeClass::Bogus) {
        SourceState& state = table_.at(source);
        if (settings_.bogus &&
            (state.bogus_line_at == 0 || second() >= state.bogus_line_at + kBogusLineInterval)) {
            state.bogus_line_at = second();
            report_packet(ObservationType::BogusFlags, packet, 0);
        }
        return;
    }
    if (count_packet(source, probe, packet)) {
        return;
    }
    await_answer(source, probe, packet);
    if (probe == ProbeClass::Connect || probe == ProbeClass::RawSyn) {
        report_packet(ObservationType::ConnectionAttempt, packet, 0);
    }
}

void ScanTracker::on_datagram(const Packet& packet) {
    const Flow flow{packet.destination, packet.source, packet.destination_port, packet.source_port,
                    Transport::Udp};
    if (flows_.knows(flow, second(), kFlowMemory)) {
        report_packet(ObservationType::Datagram, packet, packet.udp_data_length);
        return;
    }
    const std::uint32_t source = table_.obtain(packet.source, packet.destination, second());
    TracerouteRun& run = table_.at(source).traceroute;
    if (settings_.traceroute && is_traceroute(run, packet.ttl)) {
        if (run.last_line == 0 || second() >= run.last_line + kTracerouteLineInterval) {
            run.last_line = second();
            report_packet(ObservationType::Traceroute, packet, 0);
        }
        return;
    }
    if (count_packet(source, ProbeClass::Datagram, packet)) {
        return;
    }
    await_answer(source, ProbeClass::Datagram, packet);
    report_packet(ObservationType::Datagram, packet, packet.udp_data_length);
}

// A traceroute reaches us with TTL 1 first, then with 2, 3, … until we answered: small, rising,
// few of each.
bool ScanTracker::is_traceroute(TracerouteRun& run, std::uint8_t ttl) const {
    const std::uint32_t now = second();
    const bool is_running = run.last_seen != 0 && now <= run.last_seen + kTracerouteIdle;
    if (ttl > kTracerouteMaxTtl || (!is_running && ttl != 1)) {
        return false;
    }
    if (!is_running) {
        const std::uint32_t last_line = run.last_line;
        run = TracerouteRun{};
        run.last_line = last_line;
        run.started_at = now;
    } else if (ttl > run.ttl + kTracerouteMaxStep) {
        return false;
    }
    if (now >= run.started_at + kTracerouteSpan) {
        run.started_at = now;
        run.datagrams = 0;
    }
    if (ttl > run.ttl || now >= run.risen_at + kTracerouteTtlSpan) {
        run.risen_at = now;
        run.at_this_ttl = 0;
    }
    if (run.at_this_ttl >= kTracerouteMaxPerTtl || run.datagrams >= kTracerouteMaxDatagrams) {
        return false;
    }
    ++run.at_this_ttl;
    ++run.datagrams;
    run.ttl = std::max(run.ttl, ttl);
    run.last_seen = now;
    return true;
}

void ScanTracker::on_echo_request(const Packet& packet) {
    const DetectorSettings& settings = settings_.of(ScanKind::PingFlood);
    if (settings.is_enabled) {
        const std::uint32_t source = table_.obtain(packet.source, packet.destination, second());
        Counter& counter =
            table_.obtain_counter(source, ScanKind::PingFlood, expiry_of(ScanKind::PingFlood));
        ++counter.packets;
        counter.bytes += packet.payload_length;
        if (counter.is_detected) {
            return;
        }
        const auto time = duration_cast<milliseconds>(now_.time_since_epoch());
        if (counter.rate.add(time, settings.rate_window, 1) >= settings.threshold) {
            report_detected(source, counter);
            return;
        }
    }
    report_packet(ObservationType::EchoRequest, packet, packet.payload_length);
}

bool ScanTracker::count_packet(std::uint32_t source, ProbeClass probe, const Packet& packet) {
    for (const ScanKind kind : kinds_of(probe)) {
        if (!settings_.of(kind).is_enabled) {
            continue;
        }
        Counter& counter = table_.obtain_counter(source, kind, expiry_of(kind));
        ++counter.packets;
        counter.bytes += packet.payload_length;
        if (counter.is_detected) {
            return true;
        }
        counter.destination_ports.add(packet.destination_port);
        counter.source_ports.add(packet.source_port);
    }
    return false;
}

void ScanTracker::await_answer(std::uint32_t source, ProbeClass probe, const Packet& packet) {
    if (pending_.is_full()) {
        pending_.next_deadline();  // frees what was answered meanwhile
        if (pending_.is_full()) {
            ++counters_.probes_left_early;
            count_touched(pending_.pop_oldest());
        }
    }
    Probe waiting;
    waiting.arrival = now_;
    waiting.source = source;
    waiting.source_generation = table_.at(source).generation;
    waiting.source_port = packet.source_port;
    waiting.destination_port = packet.destination_port;
    waiting.probe = probe;
    pending_.add(waiting);
}

void ScanTracker::on_outbound(const Packet& packet, base::Timestamp now) {
    advance(now);
    ++counters_.outbound;
    switch (packet.transport) {
        case Transport::Tcp: {
            const bool is_reset = (packet.tcp_flags & sensor_packet::kRst) != 0;
            if (!is_reset && (packet.tcp_flags & sensor_packet::kSyn) != 0) {
                flows_.remember(flow_of_outbound(packet), second());
            }
            settle(packet.destination, packet.destination_port, packet.source, packet.source_port,
                   false, is_reset);
            break;
        }
        case Transport::Udp:
            flows_.remember(flow_of_outbound(packet), second());
            settle(packet.destination, packet.destination_port, packet.source, packet.source_port,
                   true, false);
            break;
        case Transport::Icmp:
        case Transport::Icmpv6:
            if (is_unreachable(packet) && packet.has_embedded) {
                settle(packet.embedded.source, packet.embedded.source_port,
                       packet.embedded.destination, packet.embedded.destination_port,
                       packet.embedded.transport == Transport::Udp, true);
            }
            break;
    }
}

void ScanTracker::settle(const base::IpAddress& theirs, std::uint16_t their_port,
                         const base::IpAddress& ours, std::uint16_t our_port, bool is_datagram,
                         bool is_closed) {
    const std::uint32_t source = table_.find(theirs, ours);
    if (source == kNoIndex) {
        return;
    }
    const auto probe = pending_.settle(source, their_port, our_port, is_datagram);
    if (probe && is_closed) {
        count_touched(*probe);
    }
}

void ScanTracker::pop_overdue() {
    const Probe probe = pending_.pop_oldest();
    const SourceState& state = table_.at(probe.source);
    if (state.generation == probe.source_generation && probe.probe != ProbeClass::Datagram) {
        const Flow flow{state.destination, state.source, probe.destination_port, probe.source_port,
                        Transport::Tcp};
        if (flows_.knows(flow, second(), kAnswerMemory)) {
            return;
        }
    }
    count_touched(probe);
}

void ScanTracker::count_touched(const Probe& probe) {
    if (table_.at(probe.source).generation != probe.source_generation) {
        return;  // forgotten meanwhile
    }
    for (const ScanKind kind : kinds_of(probe.probe)) {
        const DetectorSettings& settings = settings_.of(kind);
        Counter* counter = table_.find_counter(probe.source, kind);
        if (!settings.is_enabled || counter == nullptr) {
            continue;
        }
        if (counter->is_detected) {
            return;
        }
        counter->counted_ports.add(probe.destination_port);
        bool is_reached = counter->counted_ports.size() >= settings.threshold;
        if (settings.rate_window.count() > 0) {
            const auto time = duration_cast<milliseconds>(probe.arrival.time_since_epoch());
            is_reached |=
                counter->rate.add(time, settings.rate_window, probe.packets) >= settings.threshold;
        }
        if (is_reached) {
            report_detected(probe.source, *counter);
            return;
        }
    }
}

void ScanTracker::advance(base::Timestamp now) {
    now = std::min(now, kEndOfTime);
    if (now < now_ - kClockTolerance) {
        start_over_at(now);
    }
    if (now <= now_) {
        return;
    }
    // In order of time, so that a line never stands before an earlier one.
    for (;;) {
        const auto overdue = pending_.next_deadline();
        const base::Timestamp first = std::min(overdue.value_or(now), next_second_);
        if (overdue && *overdue <= now && *overdue < next_second_) {
            now_ = std::max(now_, *overdue);
            pop_overdue();
        } else if (next_second_ <= now) {
            // With nothing remembered there is nothing to sweep until `now`.
            now_ = std::max(now_, table_.size() == 0 && !overdue ? now : first);
            table_.sweep(second());
            next_second_ =
                base::Timestamp(duration_cast<seconds>(now_.time_since_epoch())) + seconds(1);
        } else {
            break;
        }
    }
    now_ = now;
}

// Everything that is remembered has a time that lies ahead now: until it is reached again no
// silence would be overdue and no scan over, so all of it is given up.
void ScanTracker::start_over_at(base::Timestamp now) {
    while (pending_.next_deadline()) {
        pending_.pop_oldest();
    }
    now_ = now;
    table_.clear();
    flows_ = FlowMemory();
    next_second_ = base::Timestamp(duration_cast<seconds>(now.time_since_epoch())) + seconds(1);
}

std::optional<base::Timestamp> ScanTracker::next_deadline() {
    std::optional<base::Timestamp> deadline = pending_.next_deadline();
    if (const auto sweep = table_.next_sweep()) {
        const base::Timestamp at{seconds(*sweep)};
        if (!deadline || at < *deadline) {
            deadline = at;
        }
    }
    return deadline;
}

void ScanTracker::finish(base::Timestamp now) {
    advance(now);
    table_.clear();
}

TrackerCounters ScanTracker::counters() const {
    TrackerCounters counters = counters_;
    counters.source_evictions = table_.evictions();
    counters.scan_evictions = table_.scan_evictions();
    return counters;
}

void ScanTracker::report_detected(std::uint32_t source, Counter& counter) {
    counter.is_detected = true;
    table_.mark_scanning(source);
    const SourceState& state = table_.at(source);
    Observation observation;
    observation.type = ObservationType::ScanDetected;
    observation.time = now_;
    observation.kind = counter.kind;
    observation.source = state.source;
    observation.destination = state.destination;
    observation.destination_ports = counter.destination_ports;
    observation.source_ports = counter.source_ports;
    sink_.on_observation(observation);
    report_tool(state, counter.kind);
}

void ScanTracker::report_tool(const SourceState& state, ScanKind kind) {
    if (!settings_.names_tool || detector_of(kind).name.substr(0, 4) != "TCP:") {
        return;
    }
    const auto* signature = find_scanner(history_.last(state.source, state.destination));
    if (signature == nullptr) {
        return;
    }
    Observation observation;
    observation.type = ObservationType::ScannerIdentified;
    observation.time = now_;
    observation.kind = kind;
    observation.source = state.source;
    observation.destination = state.destination;
    observation.tool = signature->name;
    sink_.on_observation(observation);
}

void ScanTracker::report_packet(ObservationType type, const Packet& packet, std::uint64_t bytes) {
    if (settings_.scans_only && type != ObservationType::Traceroute &&
        type != ObservationType::BogusFlags) {
        return;
    }
    Observation observation;
    observation.type = type;
    observation.time = now_;
    observation.source = packet.source;
    observation.destination = packet.destination;
    observation.source_port = packet.source_port;
    observation.destination_port = packet.destination_port;
    observation.bytes = bytes;
    sink_.on_observation(observation);
}

void ScanTracker::on_counter_over(const SourceState& state, const Counter& counter) {
    if (!counter.is_detected) {
        return;
    }
    Observation observation;
    observation.type = ObservationType::ScanExpired;
    observation.time = now_;
    observation.kind = counter.kind;
    observation.source = state.source;
    observation.destination = state.destination;
    observation.packets = counter.packets;
    observation.bytes = counter.bytes;
    sink_.on_observation(observation);
}

}  // namespace portcullis::sensor_detect
