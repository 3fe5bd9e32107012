// Blocked: what is in the sets by our doing, to put it back if somebody removes it.
// Single-threaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <utility>

#include "active-response/ban_sets.hpp"

namespace portcullis::active_response {

class Blocked {
  public:
    // `timeout` 0 = until it is removed.
    void add(const base::Cidr& target, std::chrono::seconds timeout);
    void remove(const base::Cidr& target);
    // Adds all of it to `sets`, each with the time that it has left.
    void put_back(BanSets& sets);

  private:
    static constexpr auto kForever = std::chrono::steady_clock::time_point::max();
    using Key = std::pair<base::IpAddress, int>;
    static Key key_of(const base::Cidr& target) { return {target.address, target.prefix_length}; }
    static base::Cidr target_of(const Key& key) { return {key.first, key.second}; }
    void drop_expired();

    std::map<Key, std::chrono::steady_clock::time_point> until_;
    std::size_t last_size_ = 0;
};

}  // namespace portcullis::active_response
