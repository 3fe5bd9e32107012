// The ruleset of the hold, as text for nft(8): the table `inet portcullis_hold` (docs/hold.md).
//
// A source whose N-th distinct closed port is probed within kHoldWindow is put into the set of held
// sources for some seconds: its new connections are dropped and our refusals to it are muted.
// Plain functions from values to text.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/hold_config.hpp"
#include "base/ip_address.hpp"

namespace portcullis::active_response {

inline constexpr const char* kHoldTable = "portcullis_hold";
// Time after its last probe during which a pair of source and port counts once.
inline constexpr std::chrono::seconds kHoldWindow{3};
// Sources that can be held at a time, of each family. None is evicted: a full set means no new
// holds.
inline constexpr int kMaxHeldSources = 4096;

struct HoldSettings {
    base::HoldConfig config;
    bool is_dry = false;               // counts and logs, and drops nothing
    std::vector<base::Cidr> spared;    // addresses and networks that are never held
    std::vector<base::Cidr> on_link6;  // own IPv6 networks: their hosts are held one by one
    int log_group = 77;                // of NFLOG
    // First port of ip_local_port_range: services do not answer from this port or above.
    int first_local_port = 32768;

    // All but `spared` and `on_link6` are equal: the table needs no new rules.
    bool has_rules_of(const HoldSettings& other) const;
    bool operator==(const HoldSettings& other) const;
};

// What a kernel may not be able to do.
struct HoldForm {
    bool sees_sockets = true;  // false = as HoldMode::Refused: counts our refusals (RST) alone
    bool logs = true;          // says by NFLOG which source is held

    bool operator==(const HoldForm&) const = default;
};

// The forms for `mode`, the best one first.
std::vector<HoldForm> hold_forms(base::HoldMode mode);

// How many distinct closed ports, probed by crafted packets, lead to a hold in `form`.
int ports_until_hold(const HoldSettings& settings, const HoldForm& form);

// Makes the table in place of the one that is there, in one transaction: no packet meets a drop
// without the list of spared addresses.
std::string hold_script(const HoldSettings& settings, const HoldForm& form);
// Replaces the lists of a table that hold_script() made; everything else stays as it is.
std::string hold_lists_script(const HoldSettings& settings);
// Removes the table, also if there is none.
std::string hold_removal_script();

// Held sources are known by this: an IPv4 address, an IPv6 network, or an on-link IPv6 address.
base::Cidr hold_target_of(const base::IpAddress& source, const HoldSettings& settings);

// The order of the networks of a list: by address, shorter prefixes first.
bool is_before(const base::Cidr& a, const base::Cidr& b);

}  // namespace portcullis::active_response
