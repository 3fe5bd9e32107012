// ScanKind: the kinds of scans and floods, as the tables store them. detect/detectors.cpp describes
// each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace portcullis::sensor_track {

// In the order in which iplog keeps and reports the kinds of one source (spec section 5.1).
enum class ScanKind : std::uint8_t {
    PortScan,
    NullScan,
    FinScan,
    SynScan,
    XmasScan,
    UdpScan,
    Smurf,
    PingFlood,
    // Kinds that iplog does not detect.
    AckScan,
    MaimonScan,
    SynAckProbes,
    SlowScan,
    HostSweep,
    DatagramSweep,
    EchoSweep,
    // Reported without a source to block, because the real source is not known.
    Decoys,
    DatagramDecoys,
    DistributedScan,
    SynFlood,
    Backscatter,
    // Added later, in order of addition, so that the numbers of the others stay.
    SynFinScan,
    SctpScan,
    ProtocolScan,
    SlowSweep,
    SlowEchoSweep,
    OpenPortProbing,
    RefusedConnections,
    DatagramFlood,
    DatagramReflection,
    SynAckReflection,
    DatagramBackscatter,
};
inline constexpr std::size_t kScanKindCount = 31;

// The kinds that count the TCP ports which a source probes in a burst.
inline constexpr std::array kTcpPortScans{
    ScanKind::PortScan, ScanKind::NullScan, ScanKind::FinScan,    ScanKind::SynScan,
    ScanKind::XmasScan, ScanKind::AckScan,  ScanKind::MaimonScan, ScanKind::SynFinScan};
inline constexpr std::uint64_t kTcpPortScanBits = [] {
    std::uint64_t bits = 0;
    for (const ScanKind kind : kTcpPortScans) {
        bits |= std::uint64_t{1} << static_cast<unsigned>(kind);
    }
    return bits;
}();
static_assert(kScanKindCount <= 64);
constexpr bool is_tcp_port_scan(ScanKind kind) {
    return (kTcpPortScanBits >> static_cast<unsigned>(kind) & 1) != 0;
}

// Greatest threshold of a kind that counts distinct ports or hosts, because all of them are stored.
inline constexpr std::uint16_t kMaxPortThreshold = 32;

}  // namespace portcullis::sensor_track
