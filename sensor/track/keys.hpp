// PairKey, SourceIndex, Second: the integers that identify sources and times in the tables.
#pragma once

#include <cstdint>
#include <limits>

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

}  // namespace portcullis::sensor_track
