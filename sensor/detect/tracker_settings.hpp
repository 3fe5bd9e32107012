// TrackerSettings: threshold, window and idle time of each kind, and the sizes of the tables. Plain
// values; the defaults are those of detectors.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "sensor/detect/detectors.hpp"

namespace portcullis::sensor_detect {

struct DetectorSettings {
    bool is_enabled = true;
    std::uint16_t threshold = 0;  // at most kMaxPortThreshold where ports, hosts, sources count
    std::chrono::milliseconds rate_window{0};
    std::chrono::seconds idle{0};
    std::chrono::seconds repeat{0};    // DetectorRow::repeat
    std::uint32_t rate_threshold = 0;  // DetectorRow::rate_threshold
};

// Threshold of a slow scan whose probes connect() made. It is higher, because a browser connects to
// ten ports for a page with pictures on ten ports.
constexpr std::uint16_t slow_connect_threshold(const DetectorSettings& settings) {
    return std::min<std::uint16_t>(
        static_cast<std::uint16_t>(settings.threshold + settings.threshold / 2), kMaxPortThreshold);
}

struct TrackerSettings {
    TrackerSettings();  // the defaults of detectors()
    DetectorSettings& of(ScanKind kind) { return kinds[static_cast<std::size_t>(kind)]; }
    const DetectorSettings& of(ScanKind kind) const {
        return kinds[static_cast<std::size_t>(kind)];
    }

    std::array<DetectorSettings, kScanKindCount> kinds;
    bool traceroute = true;
    bool bogus = true;
    bool scans_only = false;        // no lines about single packets
    bool names_tool = true;         // a second line: which tool a TCP scan looks like
    bool watches_networks = false;  // promiscuous: host sweeps are detected
    std::uint8_t ipv6_prefix = 64;  // IPv6 sources with a common prefix of this length are one
    std::size_t max_pending_probes = 32768;  // a power of two
    std::size_t max_sources = 262144;        // with all other state less than 64 MB
};

}  // namespace portcullis::sensor_detect
