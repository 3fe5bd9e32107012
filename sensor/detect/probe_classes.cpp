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

constexpr ProbeClass class_of_flags(std::uint8_t flags) {
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
        default:
            break;
    }
    if ((flags & kSyn) != 0 && (flags & kAck) == 0) {
        return (flags & (kFin | kRst)) != 0 ? ProbeClass::Bogus : ProbeClass::Connect;
    }
    return ProbeClass::None;
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
    std::array<ScanKind, 2> kinds;
    std::size_t count;
};

// Row i is that of ProbeClass(i).
constexpr std::array<ProbeRow, 8> kProbes{{
    {ProbeClass::None, {}, 0},
    {ProbeClass::Connect, {ScanKind::PortScan}, 1},
    {ProbeClass::RawSyn, {ScanKind::SynScan, ScanKind::PortScan}, 2},
    {ProbeClass::Null, {ScanKind::NullScan}, 1},
    {ProbeClass::Fin, {ScanKind::FinScan}, 1},
    {ProbeClass::Xmas, {ScanKind::XmasScan}, 1},
    {ProbeClass::Bogus, {}, 0},
    {ProbeClass::Datagram, {ScanKind::UdpScan}, 1},
}};

// iplog tells a hand-made SYN by DF being clear. IPv6 has no DF; there it is the lack of the
// options (SACK, timestamps, window scale) that every connect() of a current system sends.
bool is_hand_made(const Packet& packet) {
    return packet.source.is_v4() ? !packet.dont_fragment
                                 : packet.tcp_header_length <= kLongestBareHeader;
}

}  // namespace

ProbeClass classify_tcp(const Packet& packet) {
    const ProbeClass probe = kClassByFlags[packet.tcp_flags & kFlagsLookedAt];
    if (probe == ProbeClass::Connect && is_hand_made(packet)) {
        return ProbeClass::RawSyn;
    }
    return probe;
}

std::span<const ScanKind> kinds_of(ProbeClass probe) {
    const ProbeRow& row = kProbes[static_cast<std::size_t>(probe)];
    return std::span(row.kinds).first(row.count);
}

}  // namespace portcullis::sensor_detect
