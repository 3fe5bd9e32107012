// The rules of iplog.conf about how much is a scan, and how many sources are remembered.
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

// Apply the words behind the keyword to `settings`; returns what is wrong with them, and then
// nothing is applied. Empty = nothing is wrong.
std::string apply_threshold(std::span<const std::string_view> words,
                            sensor_detect::TrackerSettings& settings);
std::string apply_max_sources(std::span<const std::string_view> words,
                              sensor_detect::TrackerSettings& settings);
std::string apply_ipv6_prefix(std::span<const std::string_view> words,
                              sensor_detect::TrackerSettings& settings);

// Switches all kinds of a keyword on or off; false = there is no such kind.
bool switch_kind(std::string_view keyword, bool is_on, sensor_detect::TrackerSettings& settings);

}  // namespace portcullis::sensor_config
