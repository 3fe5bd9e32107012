// Blocked: the blocks that this process made, so that it can restore those that others remove.
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

    // Returns the element of `target` with the time that it has left. nullopt = this process does
    // not block it, or it has less than a second left.
    std::optional<Element> find(const base::Cidr& target) const;
    // Returns the elements of all blocks.
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
