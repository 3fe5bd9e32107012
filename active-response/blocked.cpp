#include "active-response/blocked.hpp"

#include <iterator>
#include <vector>

#include "active-response/complain.hpp"
#include "engine/base/ban_target.hpp"

namespace portcullis::active_response {

using std::chrono::seconds;
using std::chrono::steady_clock;

void Blocked::add(const base::Cidr& target, seconds timeout) {
    until_[key_of(target)] = timeout == seconds(0) ? kForever : steady_clock::now() + timeout;
    if (until_.size() > 2 * last_size_ + 1024) {
        drop_expired();
    }
}

void Blocked::remove(const base::Cidr& target) { until_.erase(key_of(target)); }

void Blocked::put_back(BanSets& sets) {
    drop_expired();
    std::vector<BanSets::Change> changes;
    for (const auto& [key, until] : until_) {
        const auto left = std::chrono::floor<seconds>(until - steady_clock::now());
        if (until == kForever || left >= seconds(1)) {
            changes.push_back({target_of(key), until == kForever ? seconds(0) : left});
        }
    }
    if (sets.apply(changes)) {
        return;
    }
    for (const auto& [key, until] : until_) {
        const auto left = std::chrono::floor<seconds>(until - steady_clock::now());
        if (until != kForever && left < seconds(1)) {
            continue;
        }
        const base::Cidr target = target_of(key);
        if (auto added = sets.add(target, until == kForever ? seconds(0) : left); !added) {
            complain(base::ban_target_text(target) +
                     " is not blocked any more: " + added.error().message);
        }
    }
}

void Blocked::drop_expired() {
    const auto now = steady_clock::now();
    for (auto it = until_.begin(); it != until_.end();) {
        it = it->second <= now ? until_.erase(it) : std::next(it);
    }
    last_size_ = until_.size();
}

}  // namespace portcullis::active_response
