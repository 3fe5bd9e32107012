// PTR records: what an answer to the question for an address's name says.
//
// What a name server answers was chosen by whoever owns the address, so by the scanner himself: an
// answer is read with every offset checked, and a name with anything but letters, digits, '-', '_'
// and '.' in it, or one that could pass for an address, counts as none. Stateless, thread-safe.
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

// Reads a DNS message (RFC 1035 section 4) that answers a PTR question, CNAME in between or not
// (RFC 2317). Without a name the lifetime is that of RFC 2308 section 5. Error "bad-answer": the
// message is damaged, or tells neither a name nor that there is none.
base::Result<PtrAnswer> parse_ptr_answer(std::span<const std::uint8_t> message);

// A host name as RFC 1123 section 2.1 has it, underscores allowed, whose last label is no number.
bool is_host_name(std::string_view name);

}  // namespace portcullis::sensor_lookup
