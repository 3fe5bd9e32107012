// DeferredRequests: requests for bans that wait for room, one for each ban. The loudest comes
// first, by these criteria in this order: proven evidence, number of ports, number of reports,
// repeated offender, newest. Bounded: if it is full, the quietest request is given up.
// Single-threaded.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "engine/execd/checked_request.hpp"

namespace portcullis::execd {

class DeferredRequests {
  public:
    static constexpr std::size_t kMost = 4096;

    // Adds `request` in place of an earlier one for the same ban, whose better evidence it keeps.
    // Returns the request that was given up for it, which may be `request` itself.
    std::optional<CheckedRequest> put(CheckedRequest request);
    // nullptr = no request waits. Valid until the next change.
    const CheckedRequest* loudest() const;
    const CheckedRequest* find(const BanKey& key) const;
    std::optional<CheckedRequest> take(const BanKey& key);
    std::vector<CheckedRequest> take_if(
        const std::function<bool(const CheckedRequest&)>& is_wanted);

    std::size_t size() const { return requests_.size(); }
    bool empty() const { return requests_.empty(); }
    void clock_jumped(std::chrono::nanoseconds by);

  private:
    // Greater = louder.
    using Rank = std::tuple<bool, int, int, bool, base::Timestamp, BanKey>;
    static Rank rank_of(const CheckedRequest& request);

    std::map<BanKey, CheckedRequest> requests_;
    std::set<Rank> ranks_;
};

}  // namespace portcullis::execd
