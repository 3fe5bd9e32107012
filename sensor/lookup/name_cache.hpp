// NameCache: the names of addresses, with their times of expiry.
//
// Bounded: at `capacity` the address that was queried the longest time ago is evicted. Time is
// monotonic and comes with each call. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ip_address.hpp"
#include "base/keyed_hash.hpp"

namespace portcullis::sensor_lookup {

class NameCache {
  public:
    using Time = std::chrono::steady_clock::time_point;

    explicit NameCache(std::size_t capacity) : capacity_(capacity) {}

    // The name of an address; empty = it has no name; nullopt = not known. Valid until the next
    // put().
    std::optional<std::string_view> find(const base::IpAddress& address, Time now);
    void put(const base::IpAddress& address, std::string name, Time until);
    void clear();

    std::size_t size() const { return by_address_.size(); }
    // Number of names that were evicted before they expired.
    std::uint64_t evictions() const { return evictions_; }

  private:
    struct Entry {
        base::IpAddress address;
        std::string name;
        Time until;
    };

    // A keyed hash: a scanner chooses the addresses, but not the bucket.
    struct AddressHash {
        base::KeyedHash keyed;
        std::size_t operator()(const base::IpAddress& address) const { return keyed.of(address); }
    };

    std::size_t capacity_;
    std::list<Entry> entries_;  // asked for last at the front
    std::unordered_map<base::IpAddress, std::list<Entry>::iterator, AddressHash> by_address_;
    std::uint64_t evictions_ = 0;
};

}  // namespace portcullis::sensor_lookup
