// DistinctInWindow: distinct values of the last `window` seconds. The count is exact up to `kMost`;
// beyond that the latest values are kept. A value of fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace portcullis::sensor_track {

template <std::size_t kMost>
class DistinctInWindow {
  public:
    // Adds a value and returns the number of distinct values in the window. `owner`: for forget().
    int add(std::uint64_t value, std::uint32_t second, std::uint32_t window,
            std::uint64_t owner = 0) {
        const auto end = values_.begin() + size_;
        const auto known = std::find(values_.begin(), end, value);
        auto place = static_cast<std::size_t>(known - values_.begin());
        if (place == kMost) {
            place = static_cast<std::size_t>(std::min_element(seconds_.begin(), seconds_.end()) -
                                             seconds_.begin());
        }
        size_ = std::max(size_, place + 1);
        values_[place] = value;
        seconds_[place] = second;
        owners_[place] = static_cast<std::uint32_t>(owner);
        latest_ = second;
        return static_cast<int>(
            std::count_if(seconds_.begin(), seconds_.begin() + size_,
                          [&](std::uint32_t at) { return std::uint64_t{at} + window > second; }));
    }
    // Removes the values whose last add() named this owner.
    void forget(std::uint64_t owner) {
        for (std::size_t i = size_; i > 0; --i) {
            if (owners_[i - 1] == static_cast<std::uint32_t>(owner)) {
                --size_;
                values_[i - 1] = values_[size_];
                seconds_[i - 1] = seconds_[size_];
                owners_[i - 1] = owners_[size_];
            }
        }
    }
    // True if nothing was added within the window before `second`.
    bool is_empty_at(std::uint32_t second, std::uint32_t window) const {
        return std::uint64_t{latest_} + window <= second;
    }

  private:
    std::size_t size_ = 0;
    std::uint32_t latest_ = 0;
    std::array<std::uint64_t, kMost> values_{};
    std::array<std::uint32_t, kMost> seconds_{};
    std::array<std::uint32_t, kMost> owners_{};
};

}  // namespace portcullis::sensor_track
