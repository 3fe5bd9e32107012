// Local times as OSSEC writes them, independent of the locale.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "base/clock.hpp"

namespace portcullis::alert {

// "2026 Nov 24 09:05:36", local zone.
std::string local_time_text(base::Timestamp time);

std::int64_t unix_seconds(base::Timestamp time);

// A day in the local time zone, for the names of dated files.
struct LocalDay {
    int year = 0;
    int month = 0;  // 0..11
    int day = 0;    // 1..31
    bool operator==(const LocalDay&) const = default;
    std::string folder() const;  // "2026/Nov"
    std::string number() const;  // "24", "04"
};
LocalDay local_day_of(base::Timestamp time);

}  // namespace portcullis::alert
