#include "sensor/detect/scan_tracker.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include "sensor/detect/ports.hpp"
#include "sensor/detect/probe_classes.hpp"
#include "sensor/packet/header_sizes.hpp"

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::Packet;
using sensor_packet::Transport;
using std::chrono::duration_cast;
using std::chrono::seconds;

// Time after a datagram of ours in which one of the peer to the same port is an answer, in seconds:
// as long as a firewall's connection tracking keeps a UDP stream.
constexpr std::uint32_t kFlowMemory = 180;
// Our own answer may have been captured before the probe, on another interface.
constexpr std::uint32_t kAnswerMemory = 2;
// Time in which segments of a connection whose handshake was captured do not count.
constexpr std::uint32_t kConnectionMemory = 86400;
// Time after our own connection to a peer in which its stray segments are taken as left-overs of
// that connection.
constexpr std::uint32_t kPeerMemory = 60;
// Time in which a SYN+ACK is repeated: Linux repeats it 5 times, for 31 s.
constexpr std::uint32_t kHandshakeMemory = 40;
// Time in which a peer of a working connection may find the same port closed: its service restarts.
constexpr std::uint32_t kServedMemory = 3600;
// Time after an ICMP refusal in which silence counts as a refusal too: such answers are limited, on
// Linux to one per second and peer (net.ipv4.icmp_ratelimit).
constexpr std::uint32_t kRejectMemory = 10;
// Time after our answer to a wrong checksum in which the checksums of that peer are ignored.
constexpr std::uint32_t kRewrittenMemory = 60;
// Time after which a source of SYN+ACKs counts as new.
constexpr std::uint32_t kUnaskedMemory = 60;

// FTP, and FTP over TLS: the port of control connections, and the source port of data connections
// (RFC 959 section 3.2).
struct FtpPorts {
    std::uint16_t control;
    std::uint16_t data;
};
constexpr FtpPorts kFtpPorts[] = {{21, 20}, {990, 989}};

// Chunks of SCTP (RFC 9260 section 3.2).
constexpr std::uint8_t kSctpInit = 1;
constexpr std::uint8_t kSctpInitAck = 2;
constexpr std::uint8_t kSctpAbort = 6;
constexpr std::uint8_t kSctpCookieEcho = 10;
constexpr std::uint8_t kSctpCookieAck = 11;

// Assumed size of a segment of which only our RST was captured: a bare header.
constexpr std::uint16_t kUnseenBytes = 20;
// Bytes of a TCP header without options.
constexpr std::uint8_t kPlainHeader = 20;

// Number of probes by which the prefetch precedes an overdue probe.
constexpr std::size_t kProbesAhead = 4;

// The flow of a packet of ours.
Flow flow_of(const Packet& packet) {
    return {packet.source, packet.destination, packet.source_port, packet.destination_port,
            packet.transport};
}

// The flow of a packet to us if it were an answer.
Flow flow_of(const Probe& probe, Transport transport) {
    return {probe.destination, probe.source, probe.destination_port, probe.source_port, transport};
}

// Time within which hosts answer a datagram that we sent to several at once, in seconds. They are
// near.
constexpr std::uint32_t kGroupMemory = 10;

// True if both are in the same /24, or for IPv6 in the same /64, as link-local addresses are.
bool is_near(const base::IpAddress& a, const base::IpAddress& b) {
    constexpr std::size_t kV4Bytes = 3;
    constexpr std::size_t kV6Bytes = 8;
    return a.family() == b.family() &&
           std::equal(a.data(), a.data() + (a.is_v4() ? kV4Bytes : kV6Bytes), b.data());
}

// The flow of what we sent to several hosts at once: any of them may answer.
Flow group_flow(const base::IpAddress& ours, std::uint16_t our_port) {
    return {ours, base::IpAddress(), our_port, 0, Transport::Udp};
}

// True for multicast, and for an address that is probably a broadcast of our network (RFC 919: the
// host part is all ones; the mask is not known).
bool is_sent_to_many(const base::IpAddress& from, const base::IpAddress& to) {
    const std::uint8_t* bytes = to.data();
    if (!to.is_v4()) {
        return bytes[0] == 0xff;
    }
    const bool is_everybody = std::all_of(bytes, bytes + 4, [](auto byte) { return byte == 0xff; });
    return (bytes[0] & 0xf0) == 0xe0 || is_everybody || (bytes[3] == 0xff && is_near(from, to));
}

// Key for all connections of ours to a peer.
Flow peer_flow(const base::IpAddress& ours, const base::IpAddress& theirs) {
    return {ours, theirs, 0, 0, Transport::Tcp};
}

// Key for all connections of a peer to a port of ours.
Flow served_flow(const base::IpAddress& ours, const base::IpAddress& theirs,
                 std::uint16_t our_port) {
    return {ours, theirs, our_port, 0, Transport::Tcp};
}

// Keys for three facts about a peer: we refused something by ICMP; we answered a packet with a
// wrong checksum; it sent us SYN+ACKs.
Flow rejected_flow(const base::IpAddress& ours, const base::IpAddress& theirs) {
    return {ours, theirs, 0, 0, Transport::Icmp};
}
Flow rewritten_flow(const base::IpAddress& ours, const base::IpAddress& theirs) {
    return {ours, theirs, 0, 0, Transport::Sctp};
}
Flow unasked_flow(const base::IpAddress& ours, const base::IpAddress& theirs) {
    return {ours, theirs, 0, 0, Transport::Other};
}

// True for a RST that may come from a packet filter. A filter that refuses an unsolicited SYN+ACK
// (`block return` of pf) acknowledges it, without a window and without options. Such a RST does not
// show that its host sent the SYN. Most hosts that end a connection of their own send a window or
// options; an abort by Windows or OpenBSD has neither.
bool is_by_a_filter(const Packet& reset) {
    return reset.tcp_window == 0 && reset.tcp_header_length <= kPlainHeader;
}

}  // namespace

TrackerSettings::TrackerSettings() {
    for (const DetectorRow& row : detectors()) {
        of(row.kind) = {true,     row.threshold, row.rate_window,
                        row.idle, row.repeat,    row.rate_threshold};
    }
}

ScanTracker::ScanTracker(const TrackerSettings& settings, ObservationSink& sink)
    : settings_(settings),
      sources_(settings_, handshakes_, sink),
      pending_(settings.max_pending_probes) {}

void ScanTracker::set_time(base::Timestamp now) {
    now_ = now;
    sources_.set_time(now);
}

Probe ScanTracker::probe_of(const Packet& packet, ProbeClass probe) {
    Probe made;
    made.arrival = now_;
    made.pair = sources_.pair_of(packet.source, packet.destination);
    sources_.prefetch_receive(made.pair);
    made.source = packet.source;
    made.destination = packet.destination;
    made.source_port = packet.source_port;
    made.destination_port = packet.destination_port;
    made.bytes = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(packet.payload_length, std::numeric_limits<std::uint16_t>::max()));
    made.probe = probe;
    made.interface = packet.interface_index;
    made.is_bare = packet.tcp_header_length <= kLongestBareHeader;
    return made;
}

bool ScanTracker::is_watched(ProbeClass probe) const {
    const auto kinds = kinds_of(probe);
    return std::any_of(kinds.begin(), kinds.end(),
                       [&](ScanKind kind) { return settings_.of(kind).is_enabled; });
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
                sources_.reports().report_packet(ObservationType::EchoReply, packet,
                                                 packet.payload_length, now_);
            } else {
                sources_.reports().report_packet(ObservationType::IcmpMessage, packet,
                                                 packet.payload_length, now_);
            }
            break;
        case Transport::Sctp:
            on_sctp(packet);
            break;
        case Transport::Other:
            on_other_protocol(packet);
            break;
    }
}

void ScanTracker::on_address_request(const base::IpAddress& sender, const base::IpAddress& target,
                                     base::Timestamp now) {
    advance(now);
    sources_.note_address_request(sender, target);
}

void ScanTracker::on_tcp(const Packet& packet) {
    const ProbeClass kind = classify_tcp(packet);
    if (settings_.bogus && has_contradictory_flags(packet) &&
        sources_.receive_bogus(probe_of(packet, ProbeClass::Bogus))) {
        sources_.reports().record_probe(packet);
        sources_.reports().report_packet(ObservationType::BogusFlags, packet, 0, now_);
    }
    if (kind != ProbeClass::Connect && kind != ProbeClass::RawSyn) {
        on_connection_segment(packet);
    }
    switch (counted_on(kind)) {
        case CountedOn::Arrival:
            return;
        case CountedOn::Refusal:
            if (kind == ProbeClass::SynAck) {
                on_syn_ack(packet);
            } else {
                on_stray(packet, kind);
            }
            return;
        case CountedOn::RefusalOrSilence:
            break;
    }
    if (packet.source_port < kFirstHighPort && is_asked_for(packet)) {
        sources_.reports().report_packet(ObservationType::ConnectionAttempt, packet, 0, now_);
        return;
    }
    Probe probe = probe_of(packet, kind);
    const auto reception = sources_.receive(probe);
    if (reception == SourceTracker::Reception::Taken) {
        return;
    }
    sources_.reports().record_probe(packet);
    await_answer(packet, probe);
    if (kind != ProbeClass::Connect && kind != ProbeClass::RawSyn) {
        return;
    }
    const bool is_without_line =
        reception == SourceTracker::Reception::WithoutLine ||
        (reception == SourceTracker::Reception::NewSource &&
         sources_.is_attacked(packet.destination, packet.destination_port));
    if (!is_without_line) {
        sources_.reports().report_packet(ObservationType::ConnectionAttempt, packet, 0, now_);
    }
}

void ScanTracker::on_connection_segment(const Packet& packet) {
    const std::uint8_t flags = packet.tcp_flags;
    const bool is_reset = (flags & sensor_packet::kRst) != 0;
    if ((flags & sensor_packet::kAck) != 0 && (flags & sensor_packet::kSyn) == 0 &&
        !(is_reset && is_by_a_filter(packet)) && handshakes_.has_offers()) {
        const Flow flow{packet.destination, packet.source, packet.destination_port,
                        packet.source_port, Transport::Tcp};
        if (handshakes_.complete(flow, packet.tcp_acknowledgement, second())) {
            sources_.note_proof(packet.source, packet.destination);
        }
    }
    if (is_reset || (flags & sensor_packet::kFin) != 0) {
        const auto ended = pending_.take_ended_connection(
            sources_.pair_of(packet.source, packet.destination), packet.source_port,
            packet.destination_port, packet.tcp_sequence, now_);
        const bool has_data = packet.payload_length > packet.tcp_header_length;
        if (ended && !has_data) {
            sources_.note_open_port(*ended);
        }
        return;
    }
    // If the capture has only one side, a segment with ACK shows that we sent something.
    if (counters_.outbound == 0 && (flags & sensor_packet::kAck) != 0 &&
        (flags & sensor_packet::kSyn) == 0) {
        const auto answered = pending_.take_answered(
            sources_.pair_of(packet.source, packet.destination), packet.source_port,
            packet.destination_port, Transport::Tcp, now_);
        if (answered && answered->was_counted) {
            sources_.take_back(*answered);
        }
    }
}

bool ScanTracker::is_asked_for(const Packet& packet) const {
    if (packet.destination_port < kFirstHighPort) {
        return false;
    }
    return std::any_of(std::begin(kFtpPorts), std::end(kFtpPorts), [&](const FtpPorts& ftp) {
        const Flow control{packet.destination, packet.source, 0, ftp.control, Transport::Tcp};
        return packet.source_port == ftp.data && peers_.knows(control, second(), kConnectionMemory);
    });
}

void ScanTracker::on_stray(const Packet& packet, ProbeClass probe) {
    if (!is_watched(probe) ||
        flows_.knows(peer_flow(packet.destination, packet.source), second(), kPeerMemory)) {
        return;
    }
    Probe stray = probe_of(packet, probe);
    if (flows_.knows(flow_of(stray, Transport::Tcp), second(), kConnectionMemory)) {
        return;
    }
    sources_.reports().record_probe(packet);
    await_answer(packet, stray);
}

void ScanTracker::on_syn_ack(const Packet& packet) {
    Probe answer = probe_of(packet, ProbeClass::SynAck);
    if (flows_.knows(peer_flow(packet.destination, packet.source), second(), kPeerMemory) ||
        flows_.knows(flow_of(answer, Transport::Tcp), second(), kConnectionMemory)) {
        return;
    }
    const Flow unasked = unasked_flow(packet.destination, packet.source);
    if (!peers_.knows(unasked, second(), kUnaskedMemory)) {
        sources_.note_unasked(ScanKind::SynAckReflection, answer);
    }
    peers_.remember(unasked, second());
    sources_.reports().record_probe(packet);
    await_answer(packet, answer);
}

bool ScanTracker::is_of_conversation(const Probe& probe) const {
    Flow flow{probe.destination, probe.source, 0, 0, Transport::Udp};
    if (!peers_.knows(flow, second(), kFlowMemory)) {
        return false;
    }
    if (probe.destination_port == 0) {
        return false;  // below, 0 means any port
    }
    flow.their_port = probe.destination_port;  // VXLAN: both send to the same port
    if (peers_.knows(flow, second(), kFlowMemory)) {
        return true;
    }
    flow.their_port = 0;
    // RTP and RTCP: each pair of ports is one conversation (RFC 3550 section 11).
    for (const int other : {0, 1}) {
        flow.our_port = static_cast<std::uint16_t>(probe.destination_port ^ other);
        if (flow.our_port != 0 && peers_.knows(flow, second(), kFlowMemory)) {
            return true;
        }
    }
    return false;
}

void ScanTracker::on_datagram(const Packet& packet) {
    ScanReports& reports = sources_.reports();
    Probe probe = probe_of(packet, classify_datagram(packet.source_port, packet.destination_port));
    if (flows_.knows(flow_of(probe, Transport::Udp), second(), kFlowMemory) ||
        is_of_conversation(probe) ||
        (is_near(packet.source, packet.destination) &&
         flows_.knows(group_flow(packet.destination, packet.destination_port), second(),
                      kGroupMemory))) {
        reports.report_packet(ObservationType::Datagram, packet, packet.udp_data_length, now_);
        return;
    }
    if (settings_.traceroute) {
        if (const auto is_line_due = sources_.follow_traceroute(probe, packet.ttl)) {
            if (*is_line_due) {
                reports.report_packet(ObservationType::Traceroute, packet, 0, now_);
            }
            return;
        }
    }
    if (sources_.receive(probe) == SourceTracker::Reception::Taken) {
        return;
    }
    await_answer(packet, probe);
    reports.report_packet(ObservationType::Datagram, packet, packet.udp_data_length, now_);
}

void ScanTracker::on_echo_request(const Packet& packet) {
    Probe probe = probe_of(packet, ProbeClass::EchoRequest);
    probe.is_bare = packet.payload_length <= sensor_packet::kIcmpHeader;
    if (sources_.seeks_hosts(probe.probe)) {
        sources_.note_host(probe);
        // Monitoring pings many hosts all day, but with data. nmap -sn sends none.
        if (probe.is_bare) {
            sources_.note_slow_host(probe);
        }
        await_answer(packet, probe);
    }
    if (!sources_.receive_echo(probe)) {
        sources_.reports().report_packet(ObservationType::EchoRequest, packet,
                                         packet.payload_length, now_);
    }
}

void ScanTracker::on_sctp(const Packet& packet) {
    if (packet.sctp_chunk != kSctpInit && packet.sctp_chunk != kSctpCookieEcho) {
        return;
    }
    Probe probe = probe_of(packet, ProbeClass::SctpInit);
    if (is_watched(probe.probe) && sources_.receive(probe) != SourceTracker::Reception::Taken) {
        await_answer(packet, probe);
    }
}

void ScanTracker::on_other_protocol(const Packet& packet) {
    Probe probe = probe_of(packet, ProbeClass::Protocol);
    probe.source_port = 0;
    probe.destination_port = packet.protocol;
    sources_.note_protocol(probe);
}

void ScanTracker::await_answer(const Packet& packet, Probe& probe) {
    probe.is_wrong = is_checksum_wrong(packet);
    probe.is_partial = probe.is_wrong && is_checksum_partial(packet);
    if (pending_.is_full()) {
        pending_.next_deadline();  // frees the probes that were answered meanwhile
        if (pending_.is_full()) {
            ++counters_.probes_left_early;
            pop_overdue();
        }
    }
    pending_.add(probe);
}

void ScanTracker::count_port(const Probe& probe, PortState state) {
    if (!peers_.is_empty() && transport_of(probe.probe) == Transport::Tcp &&
        peers_.knows(served_flow(probe.destination, probe.source, probe.destination_port), second(),
                     kServedMemory)) {
        return;
    }
    sources_.count_port(probe, state);
}

void ScanTracker::on_outbound(const Packet& packet, base::Timestamp now) {
    advance(now);
    ++counters_.outbound;
    const auto take_answered = [&](std::uint16_t their_port, std::uint16_t our_port) {
        return pending_.take_answered(sources_.pair_of(packet.destination, packet.source),
                                      their_port, our_port, packet.transport, now_);
    };
    switch (packet.transport) {
        case Transport::Tcp:
            on_tcp_answer(packet);
            break;
        case Transport::Udp: {
            flows_.remember(flow_of(packet), second());
            if (is_sent_to_many(packet.source, packet.destination)) {
                flows_.remember(group_flow(packet.source, packet.source_port), second());
            }
            Flow flow{packet.source, packet.destination, 0, 0, Transport::Udp};
            peers_.remember(flow, second());
            flow.our_port = packet.source_port;
            peers_.remember(flow, second());
            flow.our_port = 0;
            flow.their_port = packet.destination_port;
            peers_.remember(flow, second());
            const auto probe = take_answered(packet.destination_port, packet.source_port);
            if (probe && probe->was_counted) {
                sources_.take_back(*probe);
            }
            break;
        }
        case Transport::Icmp:
        case Transport::Icmpv6:
            if (is_echo_reply(packet)) {
                take_answered(0, 0);
            } else if (is_unreachable(packet) && packet.embedded) {
                on_unreachable(packet);
            }
            break;
        case Transport::Sctp: {
            const bool is_refusal = packet.sctp_chunk == kSctpAbort;
            if (is_refusal || packet.sctp_chunk == kSctpInitAck ||
                packet.sctp_chunk == kSctpCookieAck) {
                const auto probe = take_answered(packet.destination_port, packet.source_port);
                if (packet.sctp_chunk == kSctpCookieAck) {
                    handshakes_.note_proof(packet.destination, second());
                    sources_.note_proof(packet.destination, packet.source);
                }
                if (probe && is_refusal && !probe->was_counted) {
                    sources_.count_port(*probe, PortState::Closed);
                } else if (probe && !is_refusal && probe->was_counted) {
                    sources_.take_back(*probe);
                }
            }
            break;
        }
        case Transport::Other:
            break;
    }
}

void ScanTracker::on_unreachable(const Packet& packet) {
    const auto& refused = *packet.embedded;
    if (refused.transport == Transport::Other) {
        return;  // probes for protocols are counted when they arrive
    }
    auto probe = pending_.take_answered(sources_.pair_of(refused.source, refused.destination),
                                        refused.source_port, refused.destination_port,
                                        refused.transport, now_);
    if (!probe) {
        return;
    }
    if (counted_on(probe->probe) == CountedOn::Refusal) {
        peers_.remember(rejected_flow(probe->destination, probe->source), second());
    }
    if (!probe->was_counted) {
        count_refused(*probe);
    }
}

// A refusal shows that the kernel accepted the packet. If its checksum is partial, the packet came
// from a container or a virtual machine of this host, not over a wire. So the checksum does not
// make it doubtful.
void ScanTracker::count_refused(Probe& probe) {
    probe.is_partial = false;
    count_port(probe, PortState::Closed);
}

void ScanTracker::on_tcp_answer(const Packet& packet) {
    const bool is_reset = (packet.tcp_flags & sensor_packet::kRst) != 0;
    const bool is_handshake = !is_reset && (packet.tcp_flags & sensor_packet::kSyn) != 0;
    if (is_handshake) {
        on_handshake(packet);
    } else if (!is_reset && (packet.tcp_flags & sensor_packet::kFin) != 0 &&
               handshakes_.has_offers() && handshakes_.confirm(flow_of(packet), second())) {
        sources_.note_proof(packet.destination, packet.source);
    }
    const PairKey pair = sources_.pair_of(packet.destination, packet.source);
    auto probe = is_handshake ? pending_.accept(pair, packet.destination_port, packet.source_port,
                                                packet.tcp_acknowledgement, now_)
                              : pending_.take_answered(pair, packet.destination_port,
                                                       packet.source_port, Transport::Tcp, now_);
    if (probe) {
        if (probe->is_wrong) {
            peers_.remember(rewritten_flow(probe->destination, probe->source), second());
        }
        if (!is_reset) {
            if (probe->was_counted) {
                sources_.take_back(*probe);
            }
            if (is_handshake && probe->is_bare) {  // its sender does not complete connections
                sources_.note_open_port(*probe);
            }
        } else if (!probe->was_counted) {
            count_refused(*probe);
        }
        return;
    }
    const bool has_ack = (packet.tcp_flags & sensor_packet::kAck) != 0;
    if ((is_reset || is_handshake) &&
        !sources_.note_answer(pair, packet.destination, packet.source) && has_ack) {
        Probe hidden;  // a filter hides the probe; only this answer was captured
        hidden.arrival = now_;
        hidden.pair = pair;
        hidden.source = packet.destination;
        hidden.destination = packet.source;
        hidden.source_port = packet.destination_port;
        hidden.destination_port = packet.source_port;
        hidden.packets = 0;
        sources_.note_beside_open_ports(hidden);
    }
    // RFC 9293 section 3.10.7: a RST has no ACK if it answers a segment that had one. The kernel
    // filter drops ACK segments, so the RST (whose SEQ is the ACK number of the segment) is the
    // only trace of an ACK scan.
    if (!is_reset || has_ack ||
        flows_.knows(peer_flow(packet.source, packet.destination), second(), kPeerMemory) ||
        flows_.knows(flow_of(packet), second(), kConnectionMemory)) {
        return;
    }
    Probe unseen;
    unseen.probe = classify_refused(packet.destination_port, packet.source_port);
    if (unseen.probe == ProbeClass::None || !is_watched(unseen.probe)) {
        return;
    }
    unseen.arrival = now_;
    unseen.pair = pair;
    unseen.source = packet.destination;
    unseen.destination = packet.source;
    unseen.source_port = packet.destination_port;
    unseen.destination_port = packet.source_port;
    unseen.bytes = kUnseenBytes;
    count_port(unseen, PortState::Closed);
}

void ScanTracker::on_handshake(const Packet& packet) {
    const Flow flow = flow_of(packet);
    if ((packet.tcp_flags & sensor_packet::kAck) == 0) {
        flows_.remember(peer_flow(packet.source, packet.destination), second());
        for (const FtpPorts& ftp : kFtpPorts) {
            if (packet.destination_port == ftp.control) {
                peers_.remember({packet.source, packet.destination, 0, ftp.control, Transport::Tcp},
                                second());
            }
        }
    } else {
        handshakes_.note_offer(flow, packet.tcp_sequence, second());
        open_ports_.note(packet.source, packet.source_port, second());
        peers_.remember(served_flow(packet.source, packet.destination, packet.source_port),
                        second());
        const std::uint32_t last = flows_.last(flow);
        if (last != 0 && last < second() && last + kHandshakeMemory >= second() &&
            !peers_.knows(flow, second(), kHandshakeMemory)) {
            peers_.remember(flow, second());  // further repetitions are of the same connection
            Probe unfinished;
            unfinished.arrival = now_;
            unfinished.pair = sources_.pair_of(packet.destination, packet.source);
            unfinished.source = packet.destination;
            unfinished.destination = packet.source;
            unfinished.source_port = packet.destination_port;
            unfinished.destination_port = packet.source_port;
            unfinished.probe = ProbeClass::Connect;
            sources_.note_half_open(unfinished, false);
            sources_.note_open_port(unfinished);
        }
    }
    flows_.remember(flow, second());
}

void ScanTracker::pop_overdue() {
    if (const Probe* later = pending_.prefetch(kProbesAhead)) {
        sources_.prefetch_count_port(*later);
    }
    const Probe& probe = pending_.pop_oldest();
    // The host drops packets with a wrong checksum, so its silence says nothing about the port. But
    // if it answers such packets, the capture was rewritten later.
    if (probe.is_wrong &&
        (probe.is_partial || !peers_.knows(rewritten_flow(probe.destination, probe.source),
                                           second(), kRewrittenMemory))) {
        return;
    }
    if (counted_on(probe.probe) == CountedOn::Refusal) {
        // A file without packets of ours does not show refusals.
        if (counters_.outbound == 0 ||
            peers_.knows(rejected_flow(probe.destination, probe.source), second(), kRejectMemory)) {
            count_port(probe, PortState::Unanswered);
        }
        return;
    }
    if (!flows_.is_empty() && transport_of(probe.probe) == Transport::Tcp &&
        flows_.knows(flow_of(probe, Transport::Tcp), second(), kAnswerMemory)) {
        return;
    }
    // Unanswered because the source is held back, or because there are too many connections. An
    // open port never answers FIN and the like, so their silence counts as before.
    if ((probe.probe == ProbeClass::Connect || probe.probe == ProbeClass::RawSyn) &&
        open_ports_.is_open(probe.destination, probe.destination_port, second())) {
        sources_.note_unanswered_open_port(probe);
        return;
    }
    count_port(probe, PortState::Unanswered);
}

void ScanTracker::advance(base::Timestamp now) {
    now = std::min(now, kEndOfTime);
    if (now > now_ && now < quiet_until_) {
        set_time(now);
    } else {
        catch_up(now);
    }
}

void ScanTracker::catch_up(base::Timestamp now) {
    if (now <= now_) {
        if (now < now_ - kClockTolerance) {
            start_over_at(now);
        }
        return;
    }
    // In order of time, so that the lines are in order as well.
    for (;;) {
        const auto overdue = pending_.next_deadline();
        if (overdue && *overdue <= now && *overdue < next_second_) {
            set_time(std::max(now_, *overdue));
            pop_overdue();
        } else if (next_second_ <= now) {
            // If nothing is counted, nothing can end before `now`.
            const base::Timestamp first = std::min(overdue.value_or(now), next_second_);
            set_time(std::max(now_, !sources_.has_counters() && !overdue ? now : first));
            sources_.sweep(second());
            next_second_ =
                base::Timestamp(duration_cast<seconds>(now_.time_since_epoch())) + seconds(1);
        } else {
            // A probe that arrives from now on is not overdue before kPatience has passed.
            quiet_until_ = std::min(next_second_, overdue.value_or(now + kPatience));
            break;
        }
    }
    set_time(now);
}

// All stored times are in the future now. Until they are reached again, no probe would be overdue
// and no scan would end, so all state is dropped. Pending probes are counted as unanswered first,
// so that nobody can hide a scan by a change of the time.
void ScanTracker::start_over_at(base::Timestamp now) {
    while (pending_.next_deadline()) {
        pop_overdue();
    }
    set_time(now);
    sources_.end_all_and_reset();
    handshakes_.clear();
    open_ports_.clear();
    flows_ = FlowMemory();
    peers_ = FlowMemory();
    next_second_ = base::Timestamp(duration_cast<seconds>(now.time_since_epoch())) + seconds(1);
    quiet_until_ = now;
}

std::optional<base::Timestamp> ScanTracker::next_deadline() {
    std::optional<base::Timestamp> deadline = pending_.next_deadline();
    if (const auto sweep = sources_.next_sweep()) {
        const base::Timestamp at{seconds(*sweep)};
        if (!deadline || at < *deadline) {
            deadline = at;
        }
    }
    return deadline;
}

void ScanTracker::finish(base::Timestamp now) {
    advance(now);
    sources_.end_all();
}

TrackerCounters ScanTracker::counters() const {
    TrackerCounters counters = counters_;
    counters.source_evictions = sources_.evictions();
    counters.scan_evictions = sources_.scan_evictions();
    return counters;
}

}  // namespace portcullis::sensor_detect
