// AddressList: the entries of <srcip> / <dstip> of a rule (spec: rules, section 3.1). Immutable.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"

namespace portcullis::rules {

// An address as the system's resolver reads it without asking anyone: as IpAddress::parse(), and
// also the short forms of IPv4 ("1.2.3" is 1.2.0.3). nullopt = not an address.
std::optional<base::IpAddress> parse_numeric_address(std::string_view text);

class AddressList {
  public:
    // "10.0.0.0/8", "::1", "any", each with an optional leading '!'. False = none of these;
    // nothing was added.
    bool add(std::string_view entry);

    // The first entry that covers `text` decides (a '!' makes it a no); none does: yes only if
    // the last entry was negated. A text that is no address is never matched, '!' or not.
    bool matches(std::string_view text) const;

  private:
    struct Entry {
        bool is_negated = false;
        std::optional<base::Cidr> network;  // nullopt = any
    };
    std::vector<Entry> entries_;
};

}  // namespace portcullis::rules
