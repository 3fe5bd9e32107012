// Keyed hashing of addresses and flows: a sender of packets must not be able to choose the bucket.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>

#include "base/ip_address.hpp"

namespace portcullis::base {

class KeyedHash {
  public:
    KeyedHash() {
        std::random_device random;
        for (std::uint64_t* key : {&key_a_, &key_b_}) {
            *key = (std::uint64_t{random()} << 32) | random();
        }
    }

    std::uint64_t of(std::uint64_t value) const { return mix(value ^ key_a_); }

    std::uint64_t of(const IpAddress& address) const {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        if (address.is_v4()) {
            std::memcpy(&low, address.data(), 4);
            return mix(low ^ key_a_);
        }
        std::memcpy(&low, address.data(), 8);
        std::memcpy(&high, address.data() + 8, 8);
        return mix(mix(low ^ key_a_) ^ high ^ key_b_);
    }

    std::uint64_t of(const IpAddress& a, const IpAddress& b, std::uint64_t rest) const {
        return mix(of(a) + 3 * of(b) + (rest ^ key_b_) * 0x9e3779b97f4a7c15ULL);
    }

  private:
    // The finaliser of splitmix64.
    static std::uint64_t mix(std::uint64_t x) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        return x ^ (x >> 31);
    }

    std::uint64_t key_a_ = 0;
    std::uint64_t key_b_ = 0;
};

}  // namespace portcullis::base
