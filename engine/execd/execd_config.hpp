// ExecdConfig: the commands and limits of execd, as plain values. execd does not know XML: programs
// read ossec.conf and fill this in, so that no message of the engine can widen it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/ban_settings.hpp"
#include "base/evidence.hpp"

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

// The paths of `white_list_files` are absolute.
struct ExecdConfig : base::BanSettings {
    std::vector<Command> commands;
    std::vector<Binding> bindings;
};

}  // namespace portcullis::execd
