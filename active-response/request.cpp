#include "active-response/request.hpp"

#include <algorithm>
#include <cstdint>

namespace portcullis::active_response {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Returns `timeout` minus the time since `asked_at` (milliseconds of the monotonic clock), so that
// a request that waited does not block for longer.
seconds what_is_left(seconds timeout, std::uint64_t asked_at) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        steady_clock::now().time_since_epoch());
    const auto waited =
        now - std::chrono::milliseconds(static_cast<std::int64_t>(
                  std::min<std::uint64_t>(asked_at, static_cast<std::uint64_t>(now.count()))));
    if (timeout == seconds(0) || waited < seconds(1)) {
        return timeout;
    }
    return std::max(timeout - std::chrono::ceil<seconds>(waited), seconds(1));
}

}  // namespace

Request read_request(std::string_view line) {
    Request request;
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("id") || !object["id"].is_number_unsigned()) {
        request.error = "no request";
        return request;
    }
    request.id = object["id"];
    const auto text = [&](const char* name) {
        const auto it = object.find(name);
        return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    request.action = text("action");
    request.address = text("address");
    if (request.action == "list") {
        request.is_list = true;
        return request;
    }
    if (request.action == "hold") {
        request.is_hold = true;
        request.settings = object;
        return request;
    }
    if (request.action == "release") {
        request.is_release = true;
        return request;
    }
    const auto timeout = object.find("timeout");
    const bool has_timeout =
        timeout != object.end() && timeout->is_number_unsigned() &&
        timeout->get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTimeout.count());
    if (has_timeout) {
        request.timeout = seconds(timeout->get<std::int64_t>());
        const auto asked_at = object.find("asked_at");
        if (asked_at != object.end() && asked_at->is_number_unsigned()) {
            request.timeout = what_is_left(request.timeout, asked_at->get<std::uint64_t>());
        }
    } else {
        request.error = "the timeout is out of range";
    }
    if (object.contains("block")) {
        const auto block = base::block_kind_of(text("block"));
        request.block = block.value_or(base::BlockKind::Hard);
        if (!block && request.action == "add") {
            request.error = "the block is neither hard nor soft";
        }
    }
    return request;
}

std::string event_line(std::string_view event, const std::string& text) {
    return json{{"event", event}, {"text", text}}.dump(-1, ' ', false,
                                                       json::error_handler_t::replace) +
           "\n";
}

std::string reply_line(const json& id, const std::string& error) {
    json reply = {{"id", id}, {"ok", error.empty()}};
    if (!error.empty()) {
        reply["error"] = error;
    }
    return reply.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace portcullis::active_response
