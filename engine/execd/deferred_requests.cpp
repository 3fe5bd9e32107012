#include "engine/execd/deferred_requests.hpp"

#include <algorithm>
#include <utility>

#include "base/response_message.hpp"

namespace portcullis::execd {

DeferredRequests::Rank DeferredRequests::rank_of(const BanWish& wish) {
    return {wish.ban.evidence == base::Evidence::Proven,
            wish.ports,
            wish.reports,
            wish.is_offender,
            wish.evidence_time,
            wish.ban.key};
}

std::optional<BanWish> DeferredRequests::put(BanWish wish) {
    if (auto earlier = take(wish.ban.key)) {
        const bool was_better = earlier->ban.evidence < wish.ban.evidence;
        wish.reports = std::max(wish.reports, earlier->reports + 1);
        wish.ports = std::min(wish.ports + earlier->ports, base::kMaxPorts);
        wish.deferred_at = earlier->deferred_at;
        if (was_better && expiry_of(*earlier) > wish.evidence_time) {
            earlier->reports = wish.reports;
            earlier->ports = wish.ports;
            wish = std::move(*earlier);
        }
    }
    std::optional<BanWish> given_up;
    if (wishes_.size() >= kMost) {
        if (rank_of(wish) < *ranks_.begin()) {
            return wish;
        }
        given_up = take(std::get<BanKey>(*ranks_.begin()));
    }
    ranks_.insert(rank_of(wish));
    wishes_.emplace(wish.ban.key, std::move(wish));
    return given_up;
}

const BanWish* DeferredRequests::loudest() const {
    return ranks_.empty() ? nullptr : find(std::get<BanKey>(*ranks_.rbegin()));
}

const BanWish* DeferredRequests::find(const BanKey& key) const {
    const auto it = wishes_.find(key);
    return it == wishes_.end() ? nullptr : &it->second;
}

std::optional<BanWish> DeferredRequests::take(const BanKey& key) {
    const auto it = wishes_.find(key);
    if (it == wishes_.end()) {
        return std::nullopt;
    }
    ranks_.erase(rank_of(it->second));
    BanWish wish = std::move(it->second);
    wishes_.erase(it);
    return wish;
}

std::vector<BanWish> DeferredRequests::take_if(
    const std::function<bool(const BanWish&)>& is_wanted) {
    std::vector<BanKey> keys;
    for (const auto& [key, wish] : wishes_) {
        if (is_wanted(wish)) {
            keys.push_back(key);
        }
    }
    std::vector<BanWish> taken;
    taken.reserve(keys.size());
    for (const auto& key : keys) {
        taken.push_back(*take(key));
    }
    return taken;
}

void DeferredRequests::clock_jumped(std::chrono::nanoseconds by) {
    ranks_.clear();
    for (auto& [key, wish] : wishes_) {
        wish.evidence_time += by;
        if (wish.deferred_at) {
            *wish.deferred_at += by;
        }
        ranks_.insert(rank_of(wish));
    }
}

}  // namespace portcullis::execd
