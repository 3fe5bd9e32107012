// ExecdConfig: the commands and limits of execd, as plain values. execd does not know XML: programs
// read ossec.conf and fill this in, so that no message of the engine can widen it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/evidence.hpp"
#include "base/hold_config.hpp"
#include "base/ip_address.hpp"

namespace portcullis::execd {

// The command of manual bans (`portcullis-control ban`).
inline constexpr std::string_view kManualBanCommand = "firewall-drop";
inline constexpr std::chrono::seconds kManualBanTime{600};

// One <command>.
struct Command {
    std::string name;
    std::string executable;  // file name in the folder of responders
    bool expects_srcip = false;
    bool expects_user = false;
    bool expects_filename = false;
    bool is_persistent = false;
};

// A command as an <active-response> binds it. A request that matches no binding is refused.
struct Binding {
    std::string command;
    std::chrono::seconds timeout{0};
    base::BlockChoice block = base::BlockChoice::Hard;
    std::chrono::seconds forgeable_timeout{0};  // 0 = `timeout`

    bool operator==(const Binding&) const = default;
};

struct ExecdConfig {
    std::vector<Command> commands;
    std::vector<Binding> bindings;
    base::CidrSet white_list;
    std::vector<std::string> white_list_hosts;
    std::vector<std::string> white_list_files;  // absolute paths
    bool spare_outbound_peers = true;
    int spare_login_days = 0;  // 0 = addresses of successful logins are not spared
    // Length of the prefix by which IPv6 sources are banned: 128, 64, 56 or 48.
    int ipv6_prefix = 128;
    base::HoldConfig hold;
    std::vector<std::chrono::minutes> repeated_offenders;  // steps after the first offence
    int max_bans_per_minute = 60;
    int max_bans = 100'000;
    bool dry_run = false;
};

}  // namespace portcullis::execd
