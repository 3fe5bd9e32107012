#include "active-response/changes.hpp"

#include "base/ban_target.hpp"

namespace portcullis::active_response {
namespace {

using std::chrono::seconds;

bool may_be_blocked(const base::Cidr& target) { return base::special_use_of(target).empty(); }

// Returns the change of a request, for a transaction with others; nullopt = the request is wrong,
// and carry_out() reports it.
std::optional<BanSets::Change> change_of(const Request& request) {
    const auto target = base::parse_ban_target(request.address);
    if (!request.error.empty() || !target ||
        (request.action != "add" && request.action != "delete")) {
        return std::nullopt;
    }
    if (request.action == "delete") {
        return BanSets::Change{{*target, request.block, seconds(0)}, true};
    }
    return may_be_blocked(*target)
               ? std::optional(BanSets::Change{{*target, request.block, request.timeout}})
               : std::nullopt;
}

}  // namespace

std::optional<std::string> carry_out(BanSets& sets, const Request& request) {
    if (!request.error.empty()) {
        return request.error;
    }
    const auto target = base::parse_ban_target(request.address);
    if (!target) {
        return "not an IP address, nor a network that can be blocked";
    }
    if (request.action == "delete") {
        auto removed = sets.remove(*target);
        return removed ? std::nullopt : std::optional(removed.error().message);
    }
    if (request.action != "add") {
        return "the action is neither add nor delete";
    }
    if (!may_be_blocked(*target)) {
        return "an address of this kind is never blocked";
    }
    if (request.timeout < seconds(0) || request.timeout > kMaxTimeout) {
        return "the timeout is out of range";
    }
    auto added = sets.add({*target, request.block, request.timeout});
    return added ? std::nullopt : std::optional(added.error().message);
}

std::string answer(BanSets& sets, const std::vector<Request>& requests) {
    std::vector<BanSets::Change> changes;
    for (const auto& request : requests) {
        if (const auto change = change_of(request)) {
            changes.push_back(*change);
        }
    }
    const bool is_done = changes.size() > 1 && sets.apply(changes);
    std::string replies;
    for (const auto& request : requests) {
        if (request.is_list || request.is_hold || request.is_release) {
            continue;  // Lists and Hold answer these after the changes
        }
        const bool is_in_changes = is_done && change_of(request).has_value();
        replies +=
            reply_line(request.id, is_in_changes ? "" : carry_out(sets, request).value_or(""));
    }
    return replies;
}

}  // namespace portcullis::active_response
