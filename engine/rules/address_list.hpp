// AddressList: the entries of <srcip> / <dstip> of a rule (spec: rules, section 3.1). Immutable.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"

namespace portcullis::rules {

// An address in a numeric form that the system's resolver accepts: those of IpAddress::parse(), and
// the short forms of IPv4 ("1.2.3" is 1.2.0.3). nullopt = not an address. Makes no DNS query.
std::optional<base::IpAddress> parse_numeric_address(std::string_view text);

class AddressList {
  public:
    // Adds "10.0.0.0/8", "::1" or "any", each with an optional leading '!'. False = it is none of
    // these, and nothing was added.
    bool add(std::string_view entry);

    // The first entry that covers `text` decides: true, or false if it has a '!'. If none covers
    // it, the result is whether the last entry has a '!'. False for a text that is not an address.
    bool matches(std::string_view text) const;

  private:
    struct Entry {
        bool is_negated = false;
        std::optional<base::Cidr> network;  // nullopt = any
    };
    std::vector<Entry> entries_;
};

}  // namespace portcullis::rules
