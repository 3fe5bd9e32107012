// Seeds of tests with generated input.
//
// They are fixed, so that a run can be repeated and a change is judged by its own faults alone.
// PORTCULLIS_SEED=N takes another one, PORTCULLIS_ROUNDS=N more rounds: to look for what the fixed
// ones do not show.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace portcullis::test {

// A number from the environment; `fallback` if the variable is not set.
inline std::uint32_t number_from_environment(const char* name, std::uint32_t fallback) {
    const char* text = std::getenv(name);
    return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
}

inline std::uint32_t first_seed() { return number_from_environment("PORTCULLIS_SEED", 1); }

inline std::uint32_t rounds(std::uint32_t usual) {
    return number_from_environment("PORTCULLIS_ROUNDS", usual);
}

}  // namespace portcullis::test
