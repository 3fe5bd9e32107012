// RateWindow: the number of events within the last `window`, in constant space.
//
// The window is cut into eight slices. Events within 7/8 of a window are always counted together,
// and events further apart than a window never are. So a rate below the threshold is never
// reported, and a burst is never missed.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace portcullis::sensor_track {

class RateWindow {
  public:
    // Counts `events` at `time` (since any fixed epoch) and returns the count of the window that
    // ends with the latest event. REQUIRES: window >= 8 ms, the same at each call.
    std::uint32_t add(std::chrono::milliseconds time, std::chrono::milliseconds window,
                      std::uint32_t events) {
        constexpr std::uint32_t kMaxCount = 0xffff;
        const auto slice = static_cast<std::uint32_t>(time / (window / kSlices));
        if (slice > newest_) {
            const std::uint32_t passed = slice - newest_;
            if (passed >= kSlices) {
                counts_ = {};  // at once: a flood to random ports begins a window with each packet
            } else {
                for (std::uint32_t i = 1; i <= passed; ++i) {
                    counts_[(newest_ + i) % kSlices] = 0;
                }
            }
            newest_ = slice;
        }
        if (newest_ - slice < kSlices) {  // else: too long ago to matter
            std::uint16_t& count = counts_[slice % kSlices];
            count = static_cast<std::uint16_t>(std::min(count + events, kMaxCount));
        }
        std::uint32_t sum = 0;
        for (const std::uint16_t count : counts_) {
            sum += count;
        }
        return sum;
    }

  private:
    static constexpr std::uint32_t kSlices = 8;
    std::uint32_t newest_ = 0;
    std::array<std::uint16_t, kSlices> counts_{};
};

}  // namespace portcullis::sensor_track
