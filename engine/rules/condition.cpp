#include "engine/rules/condition.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include <fmt/format.h>

#include "engine/rules/compiled_rules.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule_reader.hpp"

namespace portcullis::rules {
namespace {

using event::Event;
using event::FieldId;
using Value = std::optional<std::string_view>;

Value find_dynamic(const Event& event, std::string_view name) {
    const auto& fields = event.dynamic_fields();
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const event::DynamicField& candidate) {
            return equals_ignoring_case(candidate.name, name);
        });
    return found == fields.end() ? std::nullopt : Value(found->value);
}

Value first_of(const Event& event, FieldId first, FieldId second) {
    const Value& value = event.field(first);
    return value ? value : event.field(second);
}

// The text of the subject; nullopt = the event has none. An empty text for a subject of another
// kind.
Value find_value(const Condition& condition, const Event& event) {
    switch (condition.subject.kind) {
        case Subject::Kind::Log:
            return event.log;
        case Subject::Kind::Hostname:
            return event.hostname;
        case Subject::Kind::ProgramName:
            return event.program_name;
        case Subject::Kind::Field:
            return event.field(condition.subject.field);
        case Subject::Kind::DynamicField:
            return find_dynamic(event, condition.dynamic_field);
        case Subject::Kind::TargetUser:
            return first_of(event, FieldId::DstUser, FieldId::SrcUser);
        case Subject::Kind::SourceUser:
            return first_of(event, FieldId::SrcUser, FieldId::DstUser);
        case Subject::Kind::None:
        case Subject::Kind::TimeOfDay:
        case Subject::Kind::Weekday:
            break;
    }
    return std::string_view();
}

std::tm local_time_of(const Event& event) {
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(event.received).time_since_epoch().count();
    std::tm local{};
    localtime_r(&seconds, &local);
    return local;
}

}  // namespace

bool IsInTimeWindow::holds(std::string_view /*value*/, const EventView& view) const {
    const std::tm local = local_time_of(view.event);
    return window.contains(local.tm_hour * 60 + local.tm_min);
}

bool IsOnWeekday::holds(std::string_view /*value*/, const EventView& view) const {
    return days.contains(local_time_of(view.event).tm_wday);
}

bool evaluate(const Condition& condition, const EventView& view) {
    const Value value = find_value(condition, view.event);
    return value && std::visit([&](const auto& test) { return test.holds(*value, view); },
                               condition.test) != condition.is_negated;
}

bool evaluate(const StatefulCondition& condition, const Rule& rule, const Event& event,
              Correlator& correlator) {
    switch (condition.test) {
        case StatefulCondition::Test::FirstTimeSeen:
            return correlator.take_first_time(event);
        case StatefulCondition::Test::DiffersFromLast:
            return correlator.replace_last_log(rule, event);
        case StatefulCondition::Test::FromCrawler:
            return comes_from_crawler(event, correlator.crawler_names());
    }
    return false;
}

std::optional<std::string> value_text(const Condition& condition, const Event& event) {
    static constexpr std::array<const char*, 7> kDays{"sunday",   "monday", "tuesday", "wednesday",
                                                      "thursday", "friday", "saturday"};
    switch (condition.subject.kind) {
        case Subject::Kind::None:
            return std::nullopt;
        case Subject::Kind::TimeOfDay: {
            const std::tm local = local_time_of(event);
            return fmt::format("{:02}:{:02}", local.tm_hour, local.tm_min);
        }
        case Subject::Kind::Weekday:
            return std::string(kDays[static_cast<std::size_t>(local_time_of(event).tm_wday)]);
        default:
            break;
    }
    const Value value = find_value(condition, event);
    return value ? std::optional<std::string>(*value) : std::nullopt;
}

const pattern::Pattern* pattern_of(const Condition& condition) {
    const auto* test = std::get_if<MatchesPattern>(&condition.test);
    return test == nullptr ? nullptr : &test->pattern;
}

}  // namespace portcullis::rules
