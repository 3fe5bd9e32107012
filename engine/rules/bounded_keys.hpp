// BoundedKeys: a set of texts in the order of insertion; when it is full, the oldest are evicted.
//
// Each key has a number, in that order, so that a writer of the keys knows which of them are
// new. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>

namespace portcullis::rules {

class BoundedKeys {
  public:
    struct Limits {
        std::size_t keys = 100'000;
        std::size_t bytes = std::size_t{8} << 20;  // of the texts together
    };

    explicit BoundedKeys(Limits limits) : limits_(limits) {}

    bool contains(std::string_view key) const { return index_.contains(key); }
    // False = it was known already, and keeps its place.
    bool insert(std::string_view key);
    void clear();

    std::size_t size() const { return keys_.size(); }
    // Keys that made room, since the start.
    std::uint64_t evicted() const { return evicted_; }

    // The keys have the numbers from first_number() to end_number() - 1, the newest the highest; a
    // number is never used again.
    std::uint64_t first_number() const { return first_number_; }
    std::uint64_t end_number() const { return first_number_ + keys_.size(); }
    // REQUIRES: first_number() <= number < end_number().
    const std::string& at(std::uint64_t number) const {
        return keys_[static_cast<std::size_t>(number - first_number_)];
    }

  private:
    void drop_oldest();

    Limits limits_;
    std::deque<std::string> keys_;      // a deque: texts stay where they are
    std::set<std::string_view> index_;  // views into keys_
    std::size_t bytes_ = 0;
    std::uint64_t first_number_ = 0;
    std::uint64_t evicted_ = 0;
};

}  // namespace portcullis::rules
