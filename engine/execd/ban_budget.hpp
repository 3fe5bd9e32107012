// BanBudget: limits the bans that begin within any 60 s, so that forged packets can neither block
// all addresses nor take the room of real scanners (docs/responding-safely.md).
//
// A ban costs four units, and the budget is four units for each of max_bans_per_minute. Forgeable
// evidence may use half of the units, or three quarters for an address that was reported before.
// Once it has used a quarter, its bans are short and cost one unit each. Time is a parameter.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "base/clock.hpp"

namespace portcullis::execd {

// The reason of a ban. Each may use all the room that the later ones may use.
enum class BanClaim { Proven, Repeated, FirstReport };

class BanBudget {
  public:
    struct Price {
        bool is_short = false;  // the ban gets only a part of its time
        int units = 0;
    };

    // Returns the price of a ban now; nullopt = there is no room for it. `can_be_short`: the ban
    // has an end.
    std::optional<Price> price_of(BanClaim claim, bool can_be_short, int most_per_minute,
                                  base::Timestamp now);
    void take(BanClaim claim, const Price& price, base::Timestamp now);

    // Units used within the last 60 s, as a number of bans of the full price.
    double used() const { return static_cast<double>(used_) / kFullPrice; }
    // When the oldest ban no longer counts; nullopt = no ban counts.
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
