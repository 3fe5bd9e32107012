// PairKey, SourceIndex, Second: the integers that identify sources and times in the tables.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "base/clock.hpp"

namespace portcullis::sensor_track {

// The keyed hash of whatever is counted together: a pair (source, target), or a source over all its
// targets. A sender cannot choose it.
using PairKey = std::uint64_t;

// Index of an entry of a SourceTable.
using SourceIndex = std::uint32_t;
// Also the end of a chain, and "no entry" in other tables.
inline constexpr SourceIndex kNoIndex = std::numeric_limits<SourceIndex>::max();

// Whole seconds since 1970, as iplog counts time.
using Second = std::uint32_t;

inline Second second_of(base::Timestamp time) {
    return static_cast<Second>(
        std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace portcullis::sensor_track
