// Measures how much a line can make a pattern backtrack, for portcullis-logtest --lint.
//
// The candidates for the worst line are made from the pattern: a beginning that leads to a repeated
// part, that part many times, and an end that makes the match fail. PCRE2 matches them and its
// steps are counted (step_counter), so the result does not depend on a clock or a machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

struct Backtracking {
    std::string line;         // makes the pattern take more than `steps`
    std::size_t line_length;  // its bytes
    std::uint32_t steps;
    // The part of the pattern that repeats, in its own text.
    std::size_t offset;
    std::size_t length;
};

// A line of at most kMaxAttackBytes on which the pattern takes more than kMaxSteps; nullopt = none
// was found. A pattern that is only slow (its steps grow with the square of the length) stays below
// that.
inline constexpr std::size_t kMaxAttackBytes = 512;
inline constexpr std::uint32_t kMaxSteps = 1'000'000;
std::optional<Backtracking> find_backtracking(const Pattern& pattern);

}  // namespace portcullis::pattern
