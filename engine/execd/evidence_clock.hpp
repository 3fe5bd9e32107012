// EvidenceClock: the age of evidence whose time was read from the same wall clock, which may have
// been set between then and now. Remembers the last steps. Time is a parameter.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>

#include "base/clock.hpp"

namespace portcullis::execd {

class EvidenceClock {
  public:
    // The clock was set by `by` shortly before `now`.
    void clock_jumped(std::chrono::nanoseconds by, base::Timestamp now) {
        for (auto& step : steps_) {
            step.at += by;
        }
        steps_.push_front({now, by});
        if (steps_.size() > kMaxSteps) {
            steps_.pop_back();
        }
    }

    // The moment, never after `now`, that evidence of the unix time `seconds` counts from. It has
    // happened before the end of that second. 0 or a time that lies ahead: now.
    base::Timestamp moment_of(std::int64_t seconds, base::Timestamp now) const {
        constexpr std::int64_t kMost = 7'258'118'400;  // 2200-01-01: far from overflow
        if (seconds <= 0 || seconds > kMost) {
            return now;
        }
        const base::Timestamp read{std::chrono::seconds(seconds)};
        // Which clock showed it: the one since the last step, the one before that, … A clock can
        // only have shown times that it passed through.
        base::Timestamp end = now;
        base::Timestamp time = read;
        for (const auto& step : steps_) {
            if (time <= end && time >= step.at - kSlack) {
                return end_of_second(time, now);
            }
            time += step.by;
            end = step.at;
        }
        return end_of_second(time <= end ? time : read, now);
    }

  private:
    static constexpr std::size_t kMaxSteps = 4;
    // Times are whole seconds, and a step is noticed a little later.
    static constexpr std::chrono::seconds kSlack{2};
    struct Step {
        base::Timestamp at;  // by the clock of now
        std::chrono::nanoseconds by;
    };

    static base::Timestamp end_of_second(base::Timestamp time, base::Timestamp now) {
        return std::min(time + std::chrono::seconds(1), now);
    }

    std::deque<Step> steps_;  // the last one first
};

}  // namespace portcullis::execd
