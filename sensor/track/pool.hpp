// Pool: numbered objects that never move, at most `capacity` of them. The one that was given back
// last is reused first. It is a single mapping that takes memory only where it is used
// (ZeroedArray), so that finding an object needs no table of blocks: each packet finds several.
// Single-threaded. References stay valid; an object is reset to T{} when it is taken.
#pragma once

#include <cstdint>
#include <optional>

#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

template <class T>
class Pool {
  public:
    // Throws std::bad_alloc. REQUIRES: 0 < capacity <= 2^32 - 1.
    explicit Pool(std::size_t capacity) : objects_(capacity), free_(capacity) {}

    // nullopt = all `capacity` objects are taken.
    std::optional<std::uint32_t> take() {
        if (is_full()) {
            return std::nullopt;
        }
        const std::uint32_t index =
            free_count_ > 0 ? free_[--free_count_] : static_cast<std::uint32_t>(made_++);
        objects_[index] = T{};
        return index;
    }
    // REQUIRES: taken before.
    void give_back(std::uint32_t index) { free_[free_count_++] = index; }

    std::size_t taken() const { return made_ - free_count_; }
    bool is_full() const { return free_count_ == 0 && made_ == objects_.size(); }

    // REQUIRES: taken before.
    T& operator[](std::uint32_t index) { return objects_[index]; }
    const T& operator[](std::uint32_t index) const { return objects_[index]; }

  private:
    ZeroedArray<T> objects_;
    ZeroedArray<std::uint32_t> free_;  // a stack
    std::size_t free_count_ = 0;
    std::size_t made_ = 0;
};

}  // namespace portcullis::sensor_track
