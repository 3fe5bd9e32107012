// Clock: the seam for wall-clock time. Stateful stages take `now` as a parameter instead of a
// Clock; only programs, and classes that wait, have one.
#pragma once

#include <chrono>

namespace portcullis::base {

// Wall-clock time in nanoseconds since 1970-01-01 UTC.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
  public:
    Timestamp now() const override { return std::chrono::system_clock::now(); }
};

}  // namespace portcullis::base
