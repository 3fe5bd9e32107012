// PTR records: the answer to a query for the name of an address.
//
// The owner of the address chooses the answer, and may be the scanner. So every offset is checked.
// A name with other characters than letters, digits, '-', '_' and '.', or one that looks like an
// address, counts as no name. Stateless, thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace portcullis::sensor_lookup {

struct PtrAnswer {
    std::string name;               // empty: the address has none, or none that may be written
    std::chrono::seconds lifetime;  // the least TTL of what the answer is made of
};

// Reads a DNS message (RFC 1035 section 4) that answers a PTR query, with or without a CNAME (RFC
// 2317). Without a name the lifetime is that of RFC 2308 section 5. Error "bad-answer": the message
// is damaged, or contains neither a name nor a negative answer.
base::Result<PtrAnswer> parse_ptr_answer(std::span<const std::uint8_t> message);

// True for a host name of RFC 1123 section 2.1 (underscores are allowed) whose last label is not a
// number.
bool is_host_name(std::string_view name);

}  // namespace portcullis::sensor_lookup
