// Request: one line that execd writes to the persistent responder, and the line that answers it.
// docs/responders.md describes both. Plain values.
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
    bool is_release = false;  // of a hold, from no ban
    nlohmann::json settings;  // of the hold: the whole request
    std::string action;
    std::string address;
    std::chrono::seconds timeout{0};
    base::BlockKind block = base::BlockKind::Hard;
    std::string error;  // of its form; empty = it can be carried out
};

// A line that is not a request has an error.
Request read_request(std::string_view line);

// Something worth a line of execd's log that nobody asked for.
std::string event_line(std::string_view event, const std::string& text);

// `error` empty = it was done.
std::string reply_line(const nlohmann::json& id, const std::string& error);

}  // namespace portcullis::active_response
