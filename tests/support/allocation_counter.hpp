// Counts calls of operator new in a program that links allocation_counter.cpp. (PCRE2 calls malloc
// and is not seen.)
#pragma once

#include <cstdint>

namespace portcullis::test {

std::uint64_t allocation_count();

}  // namespace portcullis::test
