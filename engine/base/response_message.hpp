// The messages on execd's socket: one JSON object per SOCK_SEQPACKET packet, at most
// kMaxMessageSize bytes (docs/execd-protocol.md). Written by the engine and by
// portcullis-control, read by execd, which trusts none of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

namespace portcullis::base {

inline constexpr std::size_t kMaxMessageSize = 4096;

// The engine asks for a response that execd's own configuration binds: command + timeout.
struct RespondRequest {
    std::string command;              // <name> of a <command>
    std::chrono::seconds timeout{0};  // of the <active-response>; 0 = never undone
    std::string user = "-";           // "-" = the command does not expect one
    std::string srcip = "-";
    std::string filename = "-";
    std::string alert_id;  // "<unix time>.<id>"
    int rule_id = 0;
    std::string location;
};

}  // namespace portcullis::base
