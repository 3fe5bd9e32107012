// <command> and <active-response> of ossec.conf as plain values (spec: conf, sections 6 and 7).
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/evidence.hpp"

namespace portcullis::respond {

struct CommandConfig {
    std::string name;
    std::string executable;  // file name in <home>/active-response/bin
    bool expects_srcip = false;
    bool expects_user = false;
    bool expects_filename = false;
    bool timeout_allowed = false;
    bool persistent = false;  // kept running, fed with JSON lines (docs/responders.md)
    base::SourcePlace place;
};

enum class ResponseLocation { Local, Server, DefinedAgent, All };

// One enabled <active-response> block.
struct ActiveResponseConfig {
    std::string command;  // names a CommandConfig
    ResponseLocation location = ResponseLocation::Local;
    std::optional<int> level;         // fires for rules of this level or higher
    std::vector<int> rules_id;        // … or for these
    std::string rules_group;          // … or for groups that this OS_Regex matches; empty = none
    std::chrono::seconds timeout{0};  // 0 = permanent
    base::BlockChoice block = base::BlockChoice::Hard;
    // The timeout if the evidence is forgeable; nullopt = `timeout`.
    std::optional<std::chrono::seconds> forgeable_timeout;
    // Fires only for events read from one of these files; empty = from anywhere.
    std::vector<std::string> from_files;
    base::SourcePlace place;
};

}  // namespace portcullis::respond
