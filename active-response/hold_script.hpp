// The ruleset of the hold, as text for nft(8): the table `inet portcullis_hold` (docs/hold.md).
//
// If a source probes N distinct closed ports within kHoldWindow, it is put into the set of held
// sources for some seconds. Its new connections are dropped, and our refusals to it are muted.
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
// Most sources that are held at a time, for each family. No source is evicted: while a set is full,
// no new hold begins.
inline constexpr int kMaxHeldSources = 4096;

struct HoldSettings {
    base::HoldConfig config;
    bool is_dry = false;               // the kernel counts and logs, and drops nothing
    std::vector<base::Cidr> spared;    // addresses and networks that are never held
    std::vector<base::Cidr> on_link6;  // own IPv6 networks: their hosts are held one by one
    int log_group = 77;                // of NFLOG
    // First port of ip_local_port_range: services do not answer from this port or above.
    int first_local_port = 32768;

    // Whether all but `spared` and `on_link6` are equal, so that the table needs no new rules.
    bool has_rules_of(const HoldSettings& other) const;
    bool operator==(const HoldSettings& other) const;
};

// Abilities that a kernel may lack.
struct HoldForm {
    bool sees_sockets = true;  // false = as HoldMode::Refused: counts only our refusals (RST)
    bool logs = true;          // reports held sources by NFLOG

    bool operator==(const HoldForm&) const = default;
};

// The forms for `mode`, the best one first.
std::vector<HoldForm> hold_forms(base::HoldMode mode);

// Number of distinct closed ports, probed by crafted packets, that lead to a hold in `form`.
int ports_until_hold(const HoldSettings& settings, const HoldForm& form);

// Returns the script that replaces the table, in one transaction, so that no packet meets a drop
// without the list of spared addresses.
std::string hold_script(const HoldSettings& settings, const HoldForm& form);
// Returns the script that replaces the lists of a table that hold_script() made.
std::string hold_lists_script(const HoldSettings& settings);
// Returns the script that removes the table. It succeeds also if there is no table.
std::string hold_removal_script();

// The target by which a source is held: an IPv4 address, an IPv6 network, or an on-link IPv6
// address.
base::Cidr hold_target_of(const base::IpAddress& source, const HoldSettings& settings);

// The order of the networks of a list: by address, shorter prefixes first.
bool is_before(const base::Cidr& a, const base::Cidr& b);

}  // namespace portcullis::active_response
