// EvidenceClock: computes the age of evidence. The time of the evidence was read from the same wall
// clock, which may have been set since. Remembers the last steps of the clock. Time is a parameter.
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

    // Returns the moment that evidence of the unix time `seconds` counts from: the end of that
    // second, but not after `now`. For 0 and for a time in the future: `now`.
    base::Timestamp moment_of(std::int64_t seconds, base::Timestamp now) const {
        constexpr std::int64_t kMost = 7'258'118'400;  // 2200-01-01: far from overflow
        if (seconds <= 0 || seconds > kMost) {
            return now;
        }
        const base::Timestamp read{std::chrono::seconds(seconds)};
        // Find the period between two steps in which the clock showed this time, the last one
        // first. In each period the clock showed only times that it passed through.
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
    // Times are whole seconds, and execd notices a step a little later.
    static constexpr std::chrono::seconds kSlack{2};
    struct Step {
        base::Timestamp at;  // by the present clock
        std::chrono::nanoseconds by;
    };

    static base::Timestamp end_of_second(base::Timestamp time, base::Timestamp now) {
        return std::min(time + std::chrono::seconds(1), now);
    }

    std::deque<Step> steps_;  // the last one first
};

}  // namespace portcullis::execd
