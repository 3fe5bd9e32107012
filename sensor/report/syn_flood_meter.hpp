// SynFloodMeter: during a flood of connection attempts no names are looked up for TCP lines.
//
// iplog's `syn_flood` (spec section 5.10): a level that rises with each attempt that is logged, up
// to 20, and falls by one a second. Single-threaded.
#pragma once

#include <algorithm>
#include <cstdint>

namespace portcullis::sensor_report {

class SynFloodMeter {
  public:
    void count_attempt() { level_ = std::min(level_ + 1, kFull); }
    // `second`: since any fixed epoch; a step back is ignored.
    void set_time(std::int64_t second) {
        if (second > second_) {
            level_ -= static_cast<int>(std::min<std::int64_t>(second - second_, level_));
            second_ = second;
        }
    }
    bool is_full() const { return level_ == kFull; }

  private:
    static constexpr int kFull = 20;
    int level_ = 0;
    std::int64_t second_ = 0;
};

}  // namespace portcullis::sensor_report
