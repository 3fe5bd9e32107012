// RecentKeys: a bounded set of keyed hashes, each with the second at which it was noted last.
//
// A bucket is a cache line of four keys; the oldest key of a full bucket is replaced. Unused
// buckets take no memory. The keys must be hashes that a sender cannot choose. Single-threaded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sensor/track/keys.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

class RecentKeys {
  public:
    // `buckets`: a power of two.
    explicit RecentKeys(std::size_t buckets) : buckets_(buckets) {}

    // True = nothing was noted since the last clear().
    bool is_empty() const { return is_empty_; }
    // Stores the key with `value`. REQUIRES: second is not 0.
    void note(std::uint64_t key, Second second, std::uint32_t value = 0) {
        Entry* place = &bucket_of(key).front();
        for (Entry& entry : bucket_of(key)) {
            if (entry.key == key) {
                place = &entry;
                break;
            }
            if (entry.second < place->second) {
                place = &entry;
            }
        }
        *place = Entry{key, second, value};
        is_empty_ = false;
    }
    struct Entry {
        std::uint64_t key = 0;
        Second second = 0;  // 0 = free
        std::uint32_t value = 0;
    };
    // nullptr = not known. Valid until the next note().
    const Entry* find(std::uint64_t key) const {
        for (const Entry& entry : buckets_[key & (buckets_.size() - 1)]) {
            if (entry.second != 0 && entry.key == key) {
                return &entry;
            }
        }
        return nullptr;
    }
    // True if the key was noted within the `max_age` seconds before `second`.
    bool knows(std::uint64_t key, Second second, std::uint32_t max_age) const {
        const Entry* entry = is_empty_ ? nullptr : find(key);
        return entry != nullptr && entry->second + std::uint64_t{max_age} >= second;
    }
    void clear() {
        buckets_.clear();
        is_empty_ = true;
    }

  private:
    struct alignas(64) Bucket : std::array<Entry, 4> {};
    Bucket& bucket_of(std::uint64_t key) { return buckets_[key & (buckets_.size() - 1)]; }

    ZeroedArray<Bucket> buckets_;
    bool is_empty_ = true;
};

}  // namespace portcullis::sensor_track
