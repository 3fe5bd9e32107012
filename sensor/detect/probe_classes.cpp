#include "sensor/detect/probe_classes.hpp"

#include <array>

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::kAck;
using sensor_packet::kFin;
using sensor_packet::kPsh;
using sensor_packet::kRst;
using sensor_packet::kSyn;
using sensor_packet::kUrg;
using sensor_packet::Packet;

constexpr std::uint8_t kFlagsLookedAt = kFin | kSyn | kRst | kPsh | kAck | kUrg;

// A TCP header with MSS alone or no option at all.
constexpr std::uint8_t kLongestBareHeader = 24;

// Clients take their ports from here on (RFC 6056 section 2.1; Linux from 32768); services below.
constexpr std::uint16_t kFirstHighPort = 1024;
constexpr std::uint16_t kFirstEphemeralPort = 32768;

constexpr ProbeClass class_of_flags(std::uint8_t flags) {
    const int contradictory = ((flags & kSyn) != 0 ? 1 : 0) + ((flags & kFin) != 0 ? 1 : 0) +
                              ((flags & kRst) != 0 ? 1 : 0);
    if (contradictory > 1) {
        return ProbeClass::Bogus;
    }
    switch (flags) {
        case 0:
            return ProbeClass::Null;
        case kFin:
            return ProbeClass::Fin;
        case kFin | kUrg | kPsh:
        case kUrg | kPsh:
        case kFin | kUrg:
        case kFin | kPsh:
        case kUrg:
        case kPsh:
            return ProbeClass::Xmas;
        case kAck:
        case kAck | kPsh:
            return ProbeClass::Ack;
        case kFin | kAck:
            return ProbeClass::FinAck;
        case kSyn | kAck:
            return ProbeClass::SynAck;
        default:
            break;
    }
    return (flags & kSyn) != 0 && (flags & kAck) == 0 ? ProbeClass::Connect : ProbeClass::None;
}

constexpr auto kClassByFlags = [] {
    std::array<ProbeClass, 64> table{};
    for (std::size_t flags = 0; flags < table.size(); ++flags) {
        table[flags] = class_of_flags(static_cast<std::uint8_t>(flags));
    }
    return table;
}();

struct ProbeRow {
    ProbeClass probe;
    Evidence evidence;
    std::array<ScanKind, 2> kinds;
    std::size_t count;
};

// Row i is that of ProbeClass(i).
constexpr std::array<ProbeRow, 17> kProbes{{
    {ProbeClass::None, Evidence::None, {}, 0},
    {ProbeClass::Connect, Evidence::Silence, {ScanKind::PortScan}, 1},
    {ProbeClass::RawSyn, Evidence::Silence, {ScanKind::SynScan, ScanKind::PortScan}, 2},
    {ProbeClass::Null, Evidence::Silence, {ScanKind::NullScan}, 1},
    {ProbeClass::Fin, Evidence::Silence, {ScanKind::FinScan}, 1},
    {ProbeClass::Xmas, Evidence::Silence, {ScanKind::XmasScan}, 1},
    {ProbeClass::Bogus, Evidence::None, {}, 0},
    {ProbeClass::Ack, Evidence::Refusal, {ScanKind::AckScan}, 1},
    {ProbeClass::FinAck, Evidence::Refusal, {ScanKind::MaimonScan}, 1},
    {ProbeClass::SynAck, Evidence::Refusal, {ScanKind::SynAckScan}, 1},
    {ProbeClass::SynAckReply, Evidence::Refusal, {ScanKind::Backscatter}, 1},
    {ProbeClass::Datagram, Evidence::Silence, {ScanKind::UdpScan}, 1},
    {ProbeClass::Hop, Evidence::None, {}, 0},
    {ProbeClass::EchoRequest, Evidence::None, {ScanKind::PingFlood}, 1},
    {ProbeClass::NextHost, Evidence::None, {ScanKind::HostSweep}, 1},
    {ProbeClass::NextDatagramHost, Evidence::None, {ScanKind::DatagramSweep}, 1},
    {ProbeClass::NextEchoHost, Evidence::None, {ScanKind::EchoSweep}, 1},
}};

// iplog tells a hand-made SYN by DF being clear. IPv6 has no DF; there it is the lack of the
// options (SACK, timestamps, window scale) that every connect() of a current system sends.
bool is_hand_made(const Packet& packet) {
    return packet.source.is_v4() ? !packet.dont_fragment
                                 : packet.tcp_header_length <= kLongestBareHeader;
}

// What a service sends to a client, and a scanner only if he wants to pass for one.
bool is_reply(std::uint16_t source_port, std::uint16_t destination_port) {
    return destination_port >= kFirstHighPort && source_port < kFirstEphemeralPort &&
           source_port < destination_port;
}

}  // namespace

ProbeClass classify_tcp(const Packet& packet) {
    const ProbeClass probe = kClassByFlags[packet.tcp_flags & kFlagsLookedAt];
    switch (probe) {
        case ProbeClass::Connect:
            return is_hand_made(packet) ? ProbeClass::RawSyn : probe;
        case ProbeClass::Ack:
        case ProbeClass::FinAck:
            return is_reply(packet.source_port, packet.destination_port) ? ProbeClass::None : probe;
        case ProbeClass::SynAck:
            return is_reply(packet.source_port, packet.destination_port) ? ProbeClass::SynAckReply
                                                                         : probe;
        default:
            return probe;
    }
}

ProbeClass classify_refused(std::uint16_t source_port, std::uint16_t destination_port) {
    return is_reply(source_port, destination_port) ? ProbeClass::None : ProbeClass::Ack;
}

Evidence evidence_of(ProbeClass probe) { return kProbes[static_cast<std::size_t>(probe)].evidence; }

sensor_packet::Transport transport_of(ProbeClass probe) {
    switch (probe) {
        case ProbeClass::Datagram:
        case ProbeClass::Hop:
        case ProbeClass::NextDatagramHost:
            return sensor_packet::Transport::Udp;
        case ProbeClass::EchoRequest:
        case ProbeClass::NextEchoHost:
            return sensor_packet::Transport::Icmp;
        default:
            return sensor_packet::Transport::Tcp;
    }
}

ProbeClass next_host_of(ProbeClass probe) {
    switch (probe) {
        case ProbeClass::Connect:
        case ProbeClass::RawSyn:
            return ProbeClass::NextHost;
        case ProbeClass::Datagram:
            return ProbeClass::NextDatagramHost;
        case ProbeClass::EchoRequest:
            return ProbeClass::NextEchoHost;
        default:
            return ProbeClass::None;
    }
}

bool is_next_host(ProbeClass probe) {
    return probe == ProbeClass::NextHost || probe == ProbeClass::NextDatagramHost ||
           probe == ProbeClass::NextEchoHost;
}

std::span<const ScanKind> kinds_of(ProbeClass probe) {
    const ProbeRow& row = kProbes[static_cast<std::size_t>(probe)];
    return std::span(row.kinds).first(row.count);
}

}  // namespace portcullis::sensor_detect
