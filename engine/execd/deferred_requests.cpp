#include "engine/execd/deferred_requests.hpp"

#include <algorithm>
#include <utility>

#include "base/response_message.hpp"

namespace portcullis::execd {

DeferredRequests::Rank DeferredRequests::rank_of(const CheckedRequest& request) {
    return {request.ban.evidence == base::Evidence::Proven,
            request.ports,
            request.reports,
            request.is_offender,
            request.evidence_time,
            request.ban.key};
}

std::optional<CheckedRequest> DeferredRequests::put(CheckedRequest request) {
    if (auto earlier = take(request.ban.key)) {
        const bool was_better = earlier->ban.evidence < request.ban.evidence;
        request.reports = std::max(request.reports, earlier->reports + 1);
        request.ports = std::min(request.ports + earlier->ports, base::kMaxPorts);
        request.deferred_at = earlier->deferred_at;
        if (was_better && expiry_of(*earlier) > request.evidence_time) {
            earlier->reports = request.reports;
            earlier->ports = request.ports;
            request = std::move(*earlier);
        }
    }
    std::optional<CheckedRequest> given_up;
    if (requests_.size() >= kMost) {
        if (rank_of(request) < *ranks_.begin()) {
            return request;
        }
        given_up = take(std::get<BanKey>(*ranks_.begin()));
    }
    ranks_.insert(rank_of(request));
    requests_.emplace(request.ban.key, std::move(request));
    return given_up;
}

const CheckedRequest* DeferredRequests::loudest() const {
    return ranks_.empty() ? nullptr : find(std::get<BanKey>(*ranks_.rbegin()));
}

const CheckedRequest* DeferredRequests::find(const BanKey& key) const {
    const auto it = requests_.find(key);
    return it == requests_.end() ? nullptr : &it->second;
}

std::optional<CheckedRequest> DeferredRequests::take(const BanKey& key) {
    const auto it = requests_.find(key);
    if (it == requests_.end()) {
        return std::nullopt;
    }
    ranks_.erase(rank_of(it->second));
    CheckedRequest request = std::move(it->second);
    requests_.erase(it);
    return request;
}

std::vector<CheckedRequest> DeferredRequests::take_if(
    const std::function<bool(const CheckedRequest&)>& is_wanted) {
    std::vector<BanKey> keys;
    for (const auto& [key, request] : requests_) {
        if (is_wanted(request)) {
            keys.push_back(key);
        }
    }
    std::vector<CheckedRequest> taken;
    taken.reserve(keys.size());
    for (const auto& key : keys) {
        taken.push_back(*take(key));
    }
    return taken;
}

void DeferredRequests::clock_jumped(std::chrono::nanoseconds by) {
    ranks_.clear();
    for (auto& [key, request] : requests_) {
        request.evidence_time += by;
        if (request.deferred_at) {
            *request.deferred_at += by;
        }
        ranks_.insert(rank_of(request));
    }
}

}  // namespace portcullis::execd
