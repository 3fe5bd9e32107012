#include "active-response/blocked.hpp"

#include <iterator>

namespace portcullis::active_response {

using std::chrono::seconds;
using std::chrono::steady_clock;

void Blocked::add(const Element& element) {
    entries_.insert_or_assign(
        key_of(element.target),
        Entry{element.block,
              element.timeout == seconds(0) ? kForever : steady_clock::now() + element.timeout});
    if (entries_.size() > 2 * last_size_ + 1024) {
        drop_expired();
    }
}

std::optional<Element> Blocked::left_of(const Key& key, const Entry& entry) {
    const base::Cidr target{key.first, key.second};
    if (entry.until == kForever) {
        return Element{target, entry.block, seconds(0)};
    }
    const auto left = std::chrono::floor<seconds>(entry.until - steady_clock::now());
    return left < seconds(1) ? std::nullopt : std::optional(Element{target, entry.block, left});
}

std::optional<Element> Blocked::find(const base::Cidr& target) const {
    const auto it = entries_.find(key_of(target));
    return it == entries_.end() ? std::nullopt : left_of(it->first, it->second);
}

std::vector<Element> Blocked::all() const {
    std::vector<Element> elements;
    for (const auto& [key, entry] : entries_) {
        if (const auto element = left_of(key, entry)) {
            elements.push_back(*element);
        }
    }
    return elements;
}

void Blocked::drop_expired() {
    const auto now = steady_clock::now();
    for (auto it = entries_.begin(); it != entries_.end();) {
        it = it->second.until <= now ? entries_.erase(it) : std::next(it);
    }
    last_size_ = entries_.size();
}

}  // namespace portcullis::active_response
