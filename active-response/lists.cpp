#include "active-response/lists.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/ban_target.hpp"

namespace portcullis::active_response {
namespace {

using nlohmann::json;

// Most bytes of a line of an answer, below the longest line of execd, and below a page.
constexpr std::size_t kHeldPerLine = 40;

enum class HeldBy { Ban, Hold };

std::string held_lines(const json& id, const std::vector<Held>& held, HeldBy by = HeldBy::Ban) {
    std::string lines;
    for (std::size_t begin = 0; begin < held.size(); begin += kHeldPerLine) {
        json list = json::array();
        for (auto i = begin; i < std::min(begin + kHeldPerLine, held.size()); ++i) {
            json one = {{"address", base::ban_target_text(held[i].target)},
                        {"block", base::word_of(held[i].block)}};
            if (held[i].left) {
                one["left"] = held[i].left->count();
            }
            if (by == HeldBy::Hold) {
                one["hold"] = true;
            }
            list.push_back(std::move(one));
        }
        lines += json{{"id", id}, {"held", std::move(list)}}.dump() + "\n";
    }
    return lines;
}

}  // namespace

std::string Lists::begin(BanSets& sets) {
    std::string lines;
    while (!walk_ && !waiting_.empty()) {
        const Request& request = waiting_.front();
        if (request.address != "-") {
            lines += answer_one(sets, request);
            waiting_.pop_front();
            continue;
        }
        auto walk = HeldWalk::start();
        if (walk) {
            walk_ = std::move(*walk);
        } else {
            lines += reply_line(request.id, walk.error().message);
            waiting_.pop_front();
        }
    }
    return lines;
}

std::string Lists::go_on(BanSets& sets) {
    std::vector<Held> held;
    const auto is_unfinished = walk_->read_slice(held);
    const json id = waiting_.front().id;
    std::string lines = held_lines(id, held);
    if (!is_unfinished || !*is_unfinished) {
        lines += held_lines(id, hold_.held(), HeldBy::Hold);
        lines += reply_line(id, is_unfinished ? "" : is_unfinished.error().message);
        waiting_.pop_front();
        walk_.reset();
        lines += begin(sets);
    }
    return lines;
}

std::string Lists::answer_one(BanSets& sets, const Request& request) {
    const auto target = base::parse_ban_target(request.address);
    if (!target) {
        return reply_line(request.id, "not an IP address, nor a network that can be blocked");
    }
    const auto found = sets.find(*target);
    if (!found) {
        return reply_line(request.id, found.error().message);
    }
    std::vector<Held> holds;
    for (const auto& each : hold_.held()) {
        if (each.target.address.is_v4() == target->address.is_v4() &&
            each.target.overlaps(*target)) {
            holds.push_back(each);
        }
    }
    return held_lines(request.id, *found) + held_lines(request.id, holds, HeldBy::Hold) +
           reply_line(request.id, "");
}

}  // namespace portcullis::active_response
