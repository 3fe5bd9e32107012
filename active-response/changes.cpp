#include "active-response/changes.hpp"

#include "engine/base/ban_target.hpp"

namespace portcullis::active_response {
namespace {

using std::chrono::seconds;

bool may_be_blocked(const base::Cidr& target) {
    return base::special_use_of(target.address).empty();
}

// What of it can be done together with others; nullopt = it is wrong, and told so by carry_out().
std::optional<BanSets::Change> change_of(const Request& request) {
    const auto target = base::parse_ban_target(request.address);
    if (!request.error.empty() || !target ||
        (request.action != "add" && request.action != "delete")) {
        return std::nullopt;
    }
    if (request.action == "delete") {
        return BanSets::Change{*target, std::nullopt};
    }
    return may_be_blocked(*target) ? std::optional(BanSets::Change{*target, request.timeout})
                                   : std::nullopt;
}

}  // namespace

std::optional<std::string> carry_out(BanSets& sets, Blocked& blocked, std::string_view action,
                                     std::string_view address_text, seconds timeout) {
    const auto target = base::parse_ban_target(address_text);
    if (!target) {
        return "not an IP address";
    }
    if (action == "delete") {
        blocked.remove(*target);
        auto removed = sets.remove(*target);
        return removed ? std::nullopt : std::optional(removed.error().message);
    }
    if (action != "add") {
        return "the action is neither add nor delete";
    }
    if (!may_be_blocked(*target)) {
        return "an address of this kind is never blocked";
    }
    if (timeout < seconds(0) || timeout > kMaxTimeout) {
        return "the timeout is out of range";
    }
    auto added = sets.add(*target, timeout);
    if (!added) {
        return added.error().message;
    }
    blocked.add(*target, timeout);
    if (sets.take_table_was_lost()) {
        blocked.put_back(sets);
    }
    return std::nullopt;
}

std::string answer(BanSets& sets, Blocked& blocked, const std::vector<Request>& requests) {
    std::vector<BanSets::Change> changes;
    for (const auto& request : requests) {
        if (const auto change = change_of(request)) {
            changes.push_back(*change);
        }
    }
    const bool is_done = changes.size() > 1 && sets.apply(changes);
    std::string replies;
    for (const auto& request : requests) {
        if (request.is_list || request.is_hold) {
            continue;  // Lists and Hold answer them, after the changes that came with them
        }
        std::string error = request.error;
        const auto change = is_done ? change_of(request) : std::nullopt;
        if (change && change->timeout) {
            blocked.add(change->target, *change->timeout);
        } else if (change) {
            blocked.remove(change->target);
        } else if (error.empty()) {
            error = carry_out(sets, blocked, request.action, request.address, request.timeout)
                        .value_or("");
        }
        replies += reply_line(request.id, error);
    }
    return replies;
}

}  // namespace portcullis::active_response
