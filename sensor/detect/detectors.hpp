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
    PingFlood,
};
inline constexpr std::size_t kScanKindCount = 7;

enum class Counting : std::uint8_t {
    // Distinct ports that were closed or did not answer.
    DistinctPorts,
    // The same, or that many closed or unanswered packets within `rate_window`.
    DistinctPortsOrRate,
    // Packets within `rate_window`.
    Rate,
};

// The greatest threshold of a kind that counts distinct ports: they are all remembered.
inline constexpr std::uint16_t kMaxPortThreshold = 32;

struct DetectorRow {
    ScanKind kind;
    std::string_view name;     // as it stands in the log: "TCP: SYN scan"
    std::string_view keyword;  // the switch of iplog.conf
    Counting counting;
    std::uint16_t threshold;
    std::chrono::milliseconds rate_window;  // 0 = no rate is looked at
    std::chrono::seconds idle;              // without a packet for so long, it is over
    bool lists_ports;                       // of the `detected` line
    std::string_view help;
};

// All rows; row i is that of ScanKind(i).
const std::array<DetectorRow, kScanKindCount>& detectors();
const DetectorRow& detector_of(ScanKind kind);
// By `name`; nullopt = no such kind.
std::optional<ScanKind> find_scan_kind(std::string_view name);

}  // namespace portcullis::sensor_detect
