// BanBudget: how many new bans may begin within any 60 s, so that forged packets can neither block
// everybody nor use up the room of what is real (docs/responding-safely.md).
//
// A ban costs four units, and there are four for each of max_bans_per_minute. Forgeable evidence
// gets half of the units, or three quarters where an address was reported before. Beyond a quarter
// its bans are short and cost one unit each. Time is a parameter; bounded by its own limit.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "base/clock.hpp"

namespace portcullis::execd {

// What a ban is made for. Those before may use all that those behind may.
enum class BanClaim { Proven, Repeated, FirstReport };

class BanBudget {
  public:
    struct Price {
        bool is_short = false;  // the ban gets a part of its time
        int units = 0;
    };

    // What a ban would cost now; nullopt = there is no room for it. `can_be_short` = it has an end.
    std::optional<Price> price_of(BanClaim claim, bool can_be_short, int most_per_minute,
                                  base::Timestamp now);
    void take(BanClaim claim, const Price& price, base::Timestamp now);

    // In bans of the full price, within the last 60 s.
    double used() const { return static_cast<double>(used_) / kFullPrice; }
    // When the oldest ban does not count any more; nullopt = none counts.
    std::optional<base::Timestamp> next_free() const;
    void clock_jumped(std::chrono::nanoseconds by);

  private:
    static constexpr int kFullPrice = 4;
    struct Taken {
        base::Timestamp time;
        int units;
        bool is_forgeable;
    };
    void forget_old(base::Timestamp now);

    std::deque<Taken> taken_;
    int used_ = 0;
    int used_by_forgeable_ = 0;
};

}  // namespace portcullis::execd
