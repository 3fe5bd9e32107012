// RateLimit: at most so many events within any 60 s. Takes `now` as a parameter; bounded by its
// own limit.
#pragma once

#include <chrono>
#include <deque>

#include "engine/base/clock.hpp"

namespace portcullis::execd {

class RateLimit {
  public:
    // Counts one event; false = the limit is reached and it was not counted.
    bool take(int most_per_minute, base::Timestamp now) {
        while (!taken_.empty() &&
               (taken_.front() + std::chrono::minutes(1) <= now || taken_.front() > now)) {
            taken_.pop_front();  // the second case: the clock was set back
        }
        if (taken_.size() >= static_cast<std::size_t>(most_per_minute > 0 ? most_per_minute : 0)) {
            return false;
        }
        taken_.push_back(now);
        return true;
    }

  private:
    std::deque<base::Timestamp> taken_;
};

}  // namespace portcullis::execd
