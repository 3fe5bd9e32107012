// The rules of iplog.conf about thresholds and about the number of sources that are stored.
//
//   rule = "threshold" KIND COUNT { "in" SECONDS | "idle" SECONDS | "repeat" SECONDS | "rate" COUNT
//   }
//        | "max_sources" COUNT | "ipv6_prefix" BITS
//
// KIND is the keyword of a row of detectors.cpp. All take the rest of their line. Plain functions,
// thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sensor/detect/scan_tracker.hpp"

namespace portcullis::sensor_config {

// Apply the words behind the keyword to `settings`. Return their fault; then nothing is applied.
// Empty = no fault.
std::string apply_threshold(std::span<const std::string_view> words,
                            sensor_detect::TrackerSettings& settings);
std::string apply_max_sources(std::span<const std::string_view> words,
                              sensor_detect::TrackerSettings& settings);
std::string apply_ipv6_prefix(std::span<const std::string_view> words,
                              sensor_detect::TrackerSettings& settings);

// Switches all kinds of a keyword on or off. Returns false if there is no such kind.
bool switch_kind(std::string_view keyword, bool is_on, sensor_detect::TrackerSettings& settings);

}  // namespace portcullis::sensor_config
