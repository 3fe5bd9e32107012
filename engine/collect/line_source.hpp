// LineSource: the seam between whatever produces log lines and the analysis.
//
// Sources are driven from one thread: whoever knows that something may have changed calls
// read_available(), which hands out what is there and never waits.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace portcullis::collect {

// Takes one record without its newline (any bytes, also none) and where it came from. Both views
// die with the call.
using LineHandler = std::function<void(std::string_view line, std::string_view location)>;

// Where the collector's own events ("file rotated") come from (spec: logcollector, section 3).
inline constexpr std::string_view kCollectorLocation = "ossec-logcollector";

enum class ReadOutcome {
    Drained,  // nothing is left until the source changes
    More,     // `budget` was used up: call again
};

class LineSource {
  public:
    virtual ~LineSource() = default;
    // Hands out the records that are complete, after reading about `budget` bytes at most.
    virtual ReadOutcome read_available(const LineHandler& handler, std::size_t budget) = 0;
};

}  // namespace portcullis::collect
