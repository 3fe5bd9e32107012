#include "sensor/detect/probe_classes.hpp"

#include <algorithm>
#include <array>

#include "sensor/detect/ports.hpp"

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

constexpr ProbeClass class_of_flags(std::uint8_t flags) {
    if ((flags & kRst) != 0) {
        return ProbeClass::None;  // no host answers it
    }
    const bool has_fin = (flags & kFin) != 0;
    if ((flags & kAck) != 0) {
        if (has_fin) {
            return ProbeClass::FinAck;
        }
        return (flags & kSyn) != 0 ? ProbeClass::SynAck : ProbeClass::Ack;
    }
    if ((flags & kSyn) != 0) {
        // No stack sends PSH or URG with a SYN.
        return has_fin                        ? ProbeClass::SynFin
               : (flags & (kPsh | kUrg)) != 0 ? ProbeClass::RawSyn
                                              : ProbeClass::Connect;
    }
    if (flags == 0) {
        return ProbeClass::Null;
    }
    return flags == kFin ? ProbeClass::Fin : ProbeClass::Xmas;
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
    CountedOn counted_on;
    std::array<ScanKind, 2> kinds;
    std::size_t count;
};

// Row i is that of ProbeClass(i).
constexpr std::array<ProbeRow, 21> kProbes{{
    {ProbeClass::None, CountedOn::Arrival, {}, 0},
    {ProbeClass::Connect, CountedOn::RefusalOrSilence, {ScanKind::PortScan}, 1},
    {ProbeClass::RawSyn, CountedOn::RefusalOrSilence, {ScanKind::SynScan, ScanKind::PortScan}, 2},
    {ProbeClass::Null, CountedOn::RefusalOrSilence, {ScanKind::NullScan}, 1},
    {ProbeClass::Fin, CountedOn::RefusalOrSilence, {ScanKind::FinScan}, 1},
    {ProbeClass::Xmas, CountedOn::RefusalOrSilence, {ScanKind::XmasScan}, 1},
    {ProbeClass::SynFin, CountedOn::RefusalOrSilence, {ScanKind::SynFinScan}, 1},
    {ProbeClass::Bogus, CountedOn::Arrival, {}, 0},
    {ProbeClass::Ack, CountedOn::Refusal, {ScanKind::AckScan}, 1},
    {ProbeClass::FinAck, CountedOn::Refusal, {ScanKind::MaimonScan}, 1},
    {ProbeClass::SynAck, CountedOn::Refusal, {ScanKind::SynAckProbes, ScanKind::Backscatter}, 2},
    {ProbeClass::Datagram, CountedOn::RefusalOrSilence, {ScanKind::UdpScan}, 1},
    {ProbeClass::DatagramReply, CountedOn::RefusalOrSilence, {ScanKind::DatagramBackscatter}, 1},
    {ProbeClass::Hop, CountedOn::Arrival, {}, 0},
    {ProbeClass::EchoRequest, CountedOn::Arrival, {ScanKind::PingFlood}, 1},
    {ProbeClass::SctpInit, CountedOn::RefusalOrSilence, {ScanKind::SctpScan}, 1},
    {ProbeClass::NextHost, CountedOn::Arrival, {ScanKind::HostSweep}, 1},
    {ProbeClass::NextDatagramHost, CountedOn::Arrival, {ScanKind::DatagramSweep}, 1},
    {ProbeClass::NextEchoHost, CountedOn::Arrival, {ScanKind::EchoSweep}, 1},
    {ProbeClass::OpenPort, CountedOn::Arrival, {ScanKind::OpenPortProbing}, 1},
    {ProbeClass::Protocol, CountedOn::Arrival, {ScanKind::ProtocolScan}, 1},
}};

// iplog takes a SYN without DF as hand-made. IPv6 has no DF; there a hand-made SYN lacks the
// options (SACK, timestamps, window scale) that every connect() of a current system sends.
bool is_hand_made(const Packet& packet) {
    return packet.source.is_v4() ? !packet.dont_fragment
                                 : packet.tcp_header_length <= kLongestBareHeader;
}

// True for a segment of a service to a client. A scanner for services does not probe ephemeral
// ports, whatever port it sends from.
bool is_reply(std::uint16_t source_port, std::uint16_t destination_port) {
    return (destination_port >= kFirstHighPort && source_port < kFirstEphemeralPort &&
            source_port < destination_port) ||
           (destination_port >= kFirstEphemeralPort && source_port >= kFirstHighPort);
}

// UDP services that answer any source, so that attackers use them for reflection in our name
// (IANA's numbers).
constexpr std::array<std::uint16_t, 31> kDatagramServices{
    7,   13,  17,   19,   53,   69,   88,   111,  123,  137,  161,  177,  389,  427,   443,  500,
    520, 623, 1194, 1434, 1701, 1900, 3283, 3478, 3702, 4500, 5060, 5353, 5683, 11211, 27015};

bool has_timestamps(const Packet& packet) { return (packet.tcp_options & (1U << 8)) != 0; }

bool has_data(const Packet& packet) { return packet.payload_length > packet.tcp_header_length; }

}  // namespace

ProbeClass classify_tcp(const Packet& packet) {
    const ProbeClass probe = kClassByFlags[packet.tcp_flags & kFlagsLookedAt];
    switch (probe) {
        case ProbeClass::Connect:
            return is_hand_made(packet) ? ProbeClass::RawSyn : probe;
        case ProbeClass::Ack:
        case ProbeClass::FinAck:
            return is_reply(packet.source_port, packet.destination_port) || has_data(packet) ||
                           has_timestamps(packet)
                       ? ProbeClass::None
                       : probe;
        default:
            return probe;
    }
}

bool has_contradictory_flags(const Packet& packet) {
    const std::uint8_t flags = packet.tcp_flags & (kSyn | kFin | kRst);
    return (flags & (flags - 1)) != 0;
}

ProbeClass classify_refused(std::uint16_t source_port, std::uint16_t destination_port) {
    return is_reply(source_port, destination_port) ? ProbeClass::None : ProbeClass::Ack;
}

ProbeClass classify_datagram(std::uint16_t source_port, std::uint16_t destination_port) {
    const bool is_service =
        std::binary_search(kDatagramServices.begin(), kDatagramServices.end(), source_port);
    return is_service && destination_port >= kFirstHighPort ? ProbeClass::DatagramReply
                                                            : ProbeClass::Datagram;
}

CountedOn counted_on(ProbeClass probe) {
    return kProbes[static_cast<std::size_t>(probe)].counted_on;
}

ProbeClass next_host_of(ProbeClass probe) {
    switch (probe) {
        case ProbeClass::Connect:
        case ProbeClass::RawSyn:
        case ProbeClass::Null:
        case ProbeClass::Fin:
        case ProbeClass::Xmas:
        case ProbeClass::SynFin:
        case ProbeClass::Ack:
        case ProbeClass::FinAck:
            return ProbeClass::NextHost;
        case ProbeClass::Datagram:
            return ProbeClass::NextDatagramHost;
        case ProbeClass::EchoRequest:
            return ProbeClass::NextEchoHost;
        default:
            return ProbeClass::None;
    }
}

std::span<const ScanKind> kinds_of(ProbeClass probe) {
    const ProbeRow& row = kProbes[static_cast<std::size_t>(probe)];
    return std::span(row.kinds).first(row.count);
}

}  // namespace portcullis::sensor_detect
