// Blocked: what this process put into the sets, to put it back if somebody removes it.
// Single-threaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "active-response/table_form.hpp"

namespace portcullis::active_response {

class Blocked {
  public:
    void add(const Element& element);
    void remove(const base::Cidr& target) { entries_.erase(key_of(target)); }
    bool is_empty() const { return entries_.empty(); }

    // The element of `target` with the time that it has left. nullopt = this process does not block
    // it, or for less than a second more.
    std::optional<Element> find(const base::Cidr& target) const;
    // The same of all.
    std::vector<Element> all() const;

  private:
    static constexpr auto kForever = std::chrono::steady_clock::time_point::max();
    struct Entry {
        base::BlockKind block;
        std::chrono::steady_clock::time_point until;
    };
    using Key = std::pair<base::IpAddress, int>;
    static Key key_of(const base::Cidr& target) { return {target.address, target.prefix_length}; }
    static std::optional<Element> left_of(const Key& key, const Entry& entry);
    void drop_expired();

    std::map<Key, Entry> entries_;
    std::size_t last_size_ = 0;
};

}  // namespace portcullis::active_response
