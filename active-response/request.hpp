// Request: one line that execd writes to the persistent responder, and the line that answers it, as
// docs/responders.md describes. Plain values.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/evidence.hpp"

namespace portcullis::active_response {

inline constexpr std::chrono::seconds kMaxTimeout{10LL * 366 * 24 * 3600};

struct Request {
    nlohmann::json id = 0;
    bool is_list = false;
    bool is_hold = false;
    bool is_release = false;  // ends a hold and leaves bans
    nlohmann::json settings;  // of a hold: the whole request
    std::string action;
    std::string address;
    std::chrono::seconds timeout{0};
    base::BlockKind block = base::BlockKind::Hard;
    std::string error;  // of the form of the line; empty = the request can be carried out
};

// Reads `line`. If it is not a request, `error` is set.
Request read_request(std::string_view line);

// Returns a line for execd's log that answers no request.
std::string event_line(std::string_view event, const std::string& text);

// Returns the reply to a request. `error` empty = it was carried out.
std::string reply_line(const nlohmann::json& id, const std::string& error);

}  // namespace portcullis::active_response
