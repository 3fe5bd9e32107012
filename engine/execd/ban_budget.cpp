#include "engine/execd/ban_budget.hpp"

#include <algorithm>

namespace portcullis::execd {
namespace {

constexpr auto kBudgetPeriod = std::chrono::minutes(1);

}  // namespace

void BanBudget::forget_old(base::Timestamp now) {
    // A time in the future means that the clock was set back without clock_jumped().
    while (!taken_.empty() &&
           (taken_.front().time + kBudgetPeriod <= now || taken_.front().time > now)) {
        used_ -= taken_.front().units;
        used_by_forgeable_ -= taken_.front().is_forgeable ? taken_.front().units : 0;
        taken_.pop_front();
    }
}

std::optional<BanBudget::Price> BanBudget::price_of(BanClaim claim, bool can_be_short,
                                                    int most_per_minute, base::Timestamp now) {
    forget_old(now);
    // The bound is far below overflow, and above any real limit.
    const int budget = kFullPrice * std::clamp(most_per_minute, 0, 100'000'000);
    const auto has_room = [&](int units, int most_of_forgeable) {
        return used_ + units <= budget &&
               (claim == BanClaim::Proven || used_by_forgeable_ + units <= most_of_forgeable);
    };
    if (claim == BanClaim::Proven) {
        return has_room(kFullPrice, budget) ? std::optional(Price{false, kFullPrice})
                                            : std::nullopt;
    }
    if (has_room(kFullPrice, budget / 4)) {
        return Price{false, kFullPrice};
    }
    const int share = claim == BanClaim::Repeated ? budget / 4 * 3 : budget / 2;
    const int units = can_be_short ? 1 : kFullPrice;
    return has_room(units, share) ? std::optional(Price{can_be_short, units}) : std::nullopt;
}

void BanBudget::take(BanClaim claim, const Price& price, base::Timestamp now) {
    const bool is_forgeable = claim != BanClaim::Proven;
    taken_.push_back({now, price.units, is_forgeable});
    used_ += price.units;
    used_by_forgeable_ += is_forgeable ? price.units : 0;
}

std::optional<base::Timestamp> BanBudget::next_free() const {
    return taken_.empty() ? std::nullopt : std::optional(taken_.front().time + kBudgetPeriod);
}

void BanBudget::clock_jumped(std::chrono::nanoseconds by) {
    for (auto& taken : taken_) {
        taken.time += by;
    }
}

}  // namespace portcullis::execd
