// StepCounter: how many items of a pattern PCRE2 tries on a subject, all starts of the match
// together.
//
// PCRE2's own match limit begins anew at each start, so a long line can cost thousands of times
// that limit. This counts with callouts in front of each item of the pattern. For measuring only:
// no result of a match comes from here. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

class StepCounter {
  public:
    // nullopt = the pattern is compared without a regex.
    static std::optional<StepCounter> make(const Pattern& pattern);
    ~StepCounter();
    StepCounter(StepCounter&&) noexcept;
    StepCounter& operator=(StepCounter&&) noexcept;
    StepCounter(const StepCounter&) = delete;
    StepCounter& operator=(const StepCounter&) = delete;

    // The steps of matching `subject`; the match ends when they exceed `limit`.
    std::uint32_t steps_of(std::string_view subject, std::uint32_t limit);
    // The steps, and the bytes that the match passes over between them. One step of a possessive
    // repetition can pass over the whole subject, so steps alone do not bound the time.
    std::uint64_t work_of(std::string_view subject, std::uint32_t limit);

  private:
    struct Impl;
    explicit StepCounter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::pattern
