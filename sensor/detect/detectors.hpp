// Detectors: the table of what the sensor calls a scan or a flood.
//
// One row per kind says how it is named in the log, which switch of iplog.conf turns it off, what
// is counted, and from which count and within which time it is reported. State lives in
// ScanTracker; adding a kind means adding an enumerator, a row here and, if new packets are to
// count for it, a row in probe_classes.cpp. Constant data, thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace portcullis::sensor_detect {

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
    // What iplog is blind to.
    AckScan,
    MaimonScan,
    SynAckProbes,
    SlowScan,
    HostSweep,
    DatagramSweep,
    EchoSweep,
    // Reported, but nobody is to be blocked for it: who did it is not known.
    Decoys,
    DatagramDecoys,
    DistributedScan,
    SynFlood,
    Backscatter,
    // Seen since: each of them at the end, so that the numbers of the others stay.
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

enum class Counting : std::uint8_t {
    // Distinct ports that were closed or did not answer.
    DistinctPorts,
    // The same, or `rate_threshold` closed or unanswered packets within `rate_window`.
    DistinctPortsOrRate,
    // Packets within `rate_window`.
    Rate,
    // Distinct ports within `rate_window`.
    DistinctPortsInWindow,
    // Distinct hosts.
    DistinctHosts,
    // Distinct hosts within `rate_window`.
    DistinctHostsInWindow,
    // Distinct IP protocols.
    DistinctProtocols,
    // Sources that touch the same ports in the same order, each at most `rate_window` ago.
    Sources,
};

// The greatest threshold of a kind that counts distinct ports or hosts: they are all remembered.
inline constexpr std::uint16_t kMaxPortThreshold = 32;

struct DetectorRow {
    ScanKind kind;
    std::string_view name;     // as it stands in the log: "TCP: SYN scan"
    std::string_view keyword;  // of iplog.conf: its switch and its `threshold`
    Counting counting;
    std::uint16_t threshold;
    std::chrono::milliseconds rate_window;  // 0 = there is none
    std::chrono::seconds idle;              // time without a packet after which it is over
    // Shortest time between two lines about the same source and kind; 0 = there is one line.
    std::chrono::seconds repeat;
    std::string_view help;
    std::uint32_t rate_threshold = 0;  // DistinctPortsOrRate: packets within `rate_window`
};

// All rows; row i is that of ScanKind(i).
const std::array<DetectorRow, kScanKindCount>& detectors();
const DetectorRow& detector_of(ScanKind kind);
// The kinds that count the TCP ports which one source touches in one burst.
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
// By `name`; nullopt = no such kind.
std::optional<ScanKind> find_scan_kind(std::string_view name);

}  // namespace portcullis::sensor_detect
