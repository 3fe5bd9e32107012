// Text for a person at a terminal: text of others made harmless, durations and times.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace portcullis::programs {

inline constexpr std::size_t kMaxPrintable = 4096;

// Returns `text` as valid UTF-8 that cannot steer a terminal: control characters (C0 but '\n', DEL,
// C1) and marks that change the direction of writing become "?". A text of more than `most` bytes
// is cut and ends in "...".
std::string printable(std::string_view text, std::size_t most = kMaxPrintable);

// "12 s", "9 min 52 s", "2 h 5 min", "3 d 4 h".
std::string duration_text(std::chrono::seconds duration);
// Local time, "2026-11-14 18:09:12"; 0 = "never".
std::string time_text(std::int64_t time);
// From now until `time`, not below 0.
std::chrono::seconds seconds_left(std::int64_t time);

}  // namespace portcullis::programs
