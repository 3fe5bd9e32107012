// ExecdConfig: what execd may do, as plain values. execd knows nothing of XML: app reads
// ossec.conf and fills this in, so that nothing that the engine says can widen it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/base/ip_address.hpp"

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

// A command with a timeout that some <active-response> gives it. Nothing else may be asked for.
struct Binding {
    std::string command;
    std::chrono::seconds timeout{0};
};

struct ExecdConfig {
    std::vector<Command> commands;
    std::vector<Binding> bindings;
    base::CidrSet white_list;
    std::vector<std::string> white_list_hosts;
    std::vector<std::chrono::minutes> repeated_offenders;  // steps after the first offence
    int max_bans_per_minute = 60;
    int max_bans = 100'000;
    bool dry_run = false;
};

}  // namespace portcullis::execd
