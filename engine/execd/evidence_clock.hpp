// EvidenceClock: the age of evidence whose time was read from the same wall clock, which may have
// been set between then and now. Remembers the last steps. Time is a parameter.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>

#include "engine/base/clock.hpp"

namespace portcullis::execd {

class EvidenceClock {
  public:
    // The clock was set by `by` shortly before `now`.
    void clock_jumped(std::chrono::nanoseconds by, base::Timestamp now) {
        steps_.push_back({now, by});
        if (steps_.size() > kMaxSteps) {
            steps_.pop_front();
        }
    }

    // The moment, never after `now`, that evidence of the unix time `seconds` counts from. It has
    // happened before the end of that second. 0 or a time that lies ahead: now.
    base::Timestamp moment_of(std::int64_t seconds, base::Timestamp now) const {
        constexpr std::int64_t kMost = 9'000'000'000;  // nanoseconds of it fit into 64 bits
        if (seconds <= 0 || seconds > kMost) {
            return now;
        }
        base::Timestamp time{std::chrono::seconds(seconds)};
        for (const auto& step : steps_) {
            // Read before the step: only the clock of then can have shown this time.
            const bool is_old = step.by.count() > 0 ? time <= step.at - step.by : time > now;
            if (is_old) {
                time += step.by;
            }
        }
        return std::min(time + std::chrono::seconds(1), now);
    }

  private:
    static constexpr std::size_t kMaxSteps = 4;
    struct Step {
        base::Timestamp at;  // on the clock that was set
        std::chrono::nanoseconds by;
    };
    std::deque<Step> steps_;
};

}  // namespace portcullis::execd
