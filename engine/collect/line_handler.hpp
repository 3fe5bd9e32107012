// LineHandler: what the collector calls for each line.
#pragma once

#include <functional>
#include <string_view>

namespace portcullis::collect {

// Takes one record without its newline (any bytes, perhaps none) and the place that it came from.
// Both views die with the call.
using LineHandler = std::function<void(std::string_view line, std::string_view location)>;

// The place of the collector's own events ("file rotated") (spec: logcollector, section 3).
inline constexpr std::string_view kCollectorLocation = "ossec-logcollector";

// How a call that reads at most a given number of bytes ended.
enum class ReadOutcome {
    Drained,  // nothing is left until the file changes
    More,     // the budget was used up: call again
};

}  // namespace portcullis::collect
