// FakeClock: a Clock that a test moves by hand.
#pragma once

#include "base/clock.hpp"

namespace portcullis::test {

class FakeClock final : public base::Clock {
  public:
    base::Timestamp now() const override { return now_; }
    void advance(std::chrono::nanoseconds by) { now_ += by; }
    void set(base::Timestamp to) { now_ = to; }

  private:
    base::Timestamp now_{std::chrono::seconds(1'700'000'000)};
};

}  // namespace portcullis::test
