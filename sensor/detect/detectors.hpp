// Detectors: the table of the kinds of scans and floods.
//
// A row contains the name of the kind in the log, its switch in iplog.conf, what it counts, its
// threshold, its times and its sample capture. README.md lists the steps to add a kind. Constant
// data, thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sensor/detect/track.hpp"

namespace portcullis::sensor_detect {

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
    // Sources that probe the same ports in the same order, each at most `rate_window` ago.
    Sources,
};

struct DetectorRow {
    ScanKind kind;
    std::string_view name;     // its line begins with it: "TCP: SYN scan detected …"
    std::string_view keyword;  // in iplog.conf: for its switch and its `threshold`
    Counting counting;
    std::uint16_t threshold;
    std::chrono::milliseconds rate_window;  // 0 = no window
    std::chrono::seconds idle;              // time without a packet after which a scan ends
    // Shortest time between two lines about the same source and kind; 0 = one line per scan.
    std::chrono::seconds repeat;
    std::string_view help;
    // The capture of tests/captures/samples.py that leads to its line, and to no other.
    std::string_view sample;
    std::uint32_t rate_threshold = 0;  // DistinctPortsOrRate: packets within `rate_window`
};

// All rows; row i is that of ScanKind(i).
const std::array<DetectorRow, kScanKindCount>& detectors();
const DetectorRow& detector_of(ScanKind kind);
// By `name`; nullopt = no such kind.
std::optional<ScanKind> find_scan_kind(std::string_view name);

}  // namespace portcullis::sensor_detect
