// PTR answers: the name that an answer to the question for an address's name gives.
//
// Whoever owns the address chose the name, so a scanner may have: every offset is checked, and a
// name counts as none if it has anything but letters, digits, '-', '_' and '.', or could pass for
// an address. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portcullis::base {

struct PtrAnswer {
    std::string name;               // empty: the address has none, or none that may be written
    std::chrono::seconds lifetime;  // the smallest TTL on the way to the name
};

// Reads a DNS message (RFC 1035 section 4) that answers a PTR question, CNAME in between or not
// (RFC 2317). Of several names the first counts. Without a name the lifetime is that of RFC 2308
// section 5. Error "bad-answer": the message is damaged, or says neither a name nor that there is
// none.
Result<PtrAnswer> parse_ptr_answer(std::span<const std::uint8_t> message);

// A host name (RFC 1123 section 2.1), underscores allowed, whose last label is not a number.
bool is_host_name(std::string_view name);

}  // namespace portcullis::base
