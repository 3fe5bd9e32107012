#include "sensor/lookup/name_cache.hpp"

#include <utility>

namespace portcullis::sensor_lookup {

std::optional<std::string_view> NameCache::find(const base::IpAddress& address, Time now) {
    const auto found = by_address_.find(address);
    if (found == by_address_.end()) {
        return std::nullopt;
    }
    if (found->second->until <= now) {
        entries_.erase(found->second);
        by_address_.erase(found);
        return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->name;
}

void NameCache::put(const base::IpAddress& address, std::string name, Time until) {
    if (const auto found = by_address_.find(address); found != by_address_.end()) {
        found->second->name = std::move(name);
        found->second->until = until;
        return;
    }
    if (entries_.size() >= capacity_) {
        by_address_.erase(entries_.back().address);
        entries_.pop_back();
        ++evictions_;
    }
    entries_.push_front({address, std::move(name), until});
    by_address_.emplace(address, entries_.begin());
}

void NameCache::clear() {
    entries_.clear();
    by_address_.clear();
}

}  // namespace portcullis::sensor_lookup
