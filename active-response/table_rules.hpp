// The chains of the table `inet portcullis` and their rules, as expressions of the kernel in the
// order in which nft(8) writes them, so that `nft list` reads them. Plain functions.
#pragma once

#include <netinet/in.h>

// It must follow the header of the C library, since both declare the same names.
#include <linux/netfilter.h>

#include <array>
#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "active-response/nf_netlink.hpp"
#include "active-response/table_form.hpp"

namespace portcullis::active_response {

struct Expression {
    const char* name;
    Attributes data;
};
using Rule = std::vector<Expression>;

struct ChainForm {
    const char* name;
    int hook;  // -1 = it is only a target of jumps
};
// The targets of jumps come first, since a jump must find its chain.
inline constexpr std::array kChains = {
    ChainForm{"soft", -1},
    ChainForm{"mute", -1},
    ChainForm{"gate", NF_INET_PRE_ROUTING},
    ChainForm{"input", NF_INET_LOCAL_IN},
    ChainForm{"forward", NF_INET_FORWARD},
    ChainForm{"output", NF_INET_LOCAL_OUT},
};

// Returns the rules of `chain`, one of kChains, in their order, for a table with `sets`. Ports
// below `first_local_port` are ports of services.
std::vector<Rule> rules_of(std::string_view chain, const std::set<SetId>& sets,
                           std::uint16_t first_local_port);

}  // namespace portcullis::active_response
