#include "engine/pipeline/live_filters.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace portcullis::pipeline {
namespace {

using event::Event;
using event::FieldId;

std::string_view normal_action(std::string_view action) {
    struct Row {
        std::string_view first_letters;
        std::string_view word;
        std::string_view action;
    };
    static constexpr std::array kRows{Row{"drb", "drop", "DROP"}, Row{"ct", "", "CLOSED"},
                                      Row{"apo", "accept", "ALLOW"}};
    for (const Row& row : kRows) {
        if (!action.empty() &&
            row.first_letters.find(base::lower(action[0])) != std::string_view::npos) {
            return row.action;
        }
    }
    for (const Row& row : kRows) {
        if (!row.word.empty() && base::contains_ignoring_case(action, row.word)) {
            return row.action;
        }
    }
    return "UNKNOWN";
}

}  // namespace

bool RepeatFilter::admit_and_remember(const Event& event) {
    if (event.type != event::EventType::Syslog || event.full_log.empty()) {
        return true;
    }
    if (std::find(last_.begin(), last_.end(), event.full_log) != last_.end()) {
        return false;
    }
    last_[next_] = event.full_log;
    next_ = (next_ + 1) % last_.size();
    return true;
}

void RepeatFilter::clear() {
    for (std::string& message : last_) {
        message.clear();
    }
}

bool normalize_firewall_event(Event& event) {
    if (event.type != event::EventType::Firewall) {
        return true;
    }
    const auto& action = event.field(FieldId::Action);
    if (!action || !event.field(FieldId::SrcIp) || !event.field(FieldId::DstIp) ||
        !event.field(FieldId::Protocol)) {
        return false;
    }
    event.set_field(FieldId::Action, normal_action(*action));
    return true;
}

}  // namespace portcullis::pipeline
