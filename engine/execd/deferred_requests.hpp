// DeferredRequests: requests for bans that a limit held up, one of each ban, the loudest first:
// proven evidence, then the number of ports, then that of reports, then repeated offenders, then
// the newest. Bounded: when it is full the quietest is given up. Single-threaded.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "engine/execd/ban_wish.hpp"

namespace portcullis::execd {

class DeferredRequests {
  public:
    static constexpr std::size_t kMost = 4096;

    // Remembers `wish` in place of an earlier one for the same ban, whose better evidence it
    // keeps. Returns what had to be given up for it, which may be `wish` itself.
    std::optional<BanWish> put(BanWish wish);
    // nullptr = there is none. Valid until the next change.
    const BanWish* loudest() const;
    const BanWish* find(const BanKey& key) const;
    std::optional<BanWish> take(const BanKey& key);
    std::vector<BanWish> take_if(const std::function<bool(const BanWish&)>& is_wanted);

    std::size_t size() const { return wishes_.size(); }
    bool empty() const { return wishes_.empty(); }
    void clock_jumped(std::chrono::nanoseconds by);

  private:
    // Greater = louder.
    using Rank = std::tuple<bool, int, int, bool, base::Timestamp, BanKey>;
    static Rank rank_of(const BanWish& wish);

    std::map<BanKey, BanWish> wishes_;
    std::set<Rank> ranks_;
};

}  // namespace portcullis::execd
