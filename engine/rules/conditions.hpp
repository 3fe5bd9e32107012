// Condition: one demand of a rule on one event, as data (spec: rules, sections 3 and 4).
//
// A Condition examines the event and stores nothing. Two things beside the event can change its
// answer: the time zone of the process (time and weekday), and the MatchScratch, whose limit is
// lower for the rest of an event after a pattern hit it. A StatefulCondition also needs state that
// is kept between events, and may change it. Evaluation, explanations and lint read the same data;
// conditions.cpp makes it from the XML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/rules/address_list.hpp"
#include "engine/rules/key_value_list.hpp"
#include "engine/rules/time_window.hpp"

namespace portcullis::rules {

class Correlator;
struct Rule;

// What the evaluation of a condition reads: the event, and working memory for patterns.
struct EventView {
    const event::Event& event;
    pattern::MatchScratch& scratch;
};

// The value of an event that a condition examines.
struct Subject {
    enum class Kind : std::uint8_t {
        None,          // the event as a whole
        Log,           // the log without its header
        Hostname,      // of the log header, else of this host
        ProgramName,   // of the log header
        Field,         // the decoded field `field`
        DynamicField,  // the decoded field that Condition::dynamic_field names
        TargetUser,    // dstuser, else srcuser
        SourceUser,    // srcuser, else dstuser
        TimeOfDay,     // local time of reception
        Weekday,       // local weekday of reception
    };
    Kind kind = Kind::None;
    event::FieldId field = {};  // of Kind::Field
};

// The tests. `value` is the text of the subject; it is empty if the subject is not a text.
struct HasValue {
    static bool holds(std::string_view /*value*/, const EventView& /*view*/) { return true; }
};
struct Never {
    static bool holds(std::string_view /*value*/, const EventView& /*view*/) { return false; }
};
struct MatchesPattern {
    pattern::Pattern pattern;
    bool holds(std::string_view value, const EventView& view) const {
        return pattern.matches(value, view.scratch);
    }
};
struct EqualsText {
    std::string text;
    bool holds(std::string_view value, const EventView& /*view*/) const { return value == text; }
};
struct MatchesAddress {
    AddressList addresses;
    bool holds(std::string_view value, const EventView& /*view*/) const {
        return addresses.matches(value);
    }
};
struct IsInList {
    std::shared_ptr<const KeyValueList> list;  // never null
    bool by_address = false;                   // KeyValueList::find_address() instead of find()
    std::optional<pattern::Pattern> value_pattern;  // that the value in the list must match
    bool holds(std::string_view value, const EventView& view) const {
        const auto found = by_address ? list->find_address(value) : list->find(value);
        return found && (!value_pattern || value_pattern->matches(found->value, view.scratch));
    }
};
struct IsInTimeWindow {
    TimeWindow window;
    bool holds(std::string_view value, const EventView& view) const;
};
struct IsOnWeekday {
    Weekdays days;
    bool holds(std::string_view value, const EventView& view) const;
};
struct SatisfiesFunction {
    bool (*function)(const event::Event&);
    bool holds(std::string_view /*value*/, const EventView& view) const {
        return function(view.event);
    }
};
using Test = std::variant<HasValue, Never, MatchesPattern, EqualsText, MatchesAddress, IsInList,
                          IsInTimeWindow, IsOnWeekday, SatisfiesFunction>;

// How a condition is written, for people and for lint.
struct ConditionText {
    std::string_view name;  // of its row in conditions.cpp, static: "match"
    std::string element;    // as in the XML, with its attributes: match, field name="x"
    std::string demand;     // its text
};

struct Condition : ConditionText {
    Subject subject;
    Test test;
    bool is_negated = false;    // the test must not hold; the subject must have a value even so
    std::string dynamic_field;  // of Subject::Kind::DynamicField, in any case
};

struct StatefulCondition : ConditionText {
    enum class Test : std::uint8_t {
        FirstTimeSeen,    // <if_fts>: the key of the event is new; it is stored
        DiffersFromLast,  // <check_diff>: the log differs from the last one, which it replaces
        FromCrawler,      // is_valid_crawler: CrawlerNames may queue a question to DNS
    };
    Test test = Test::FirstTimeSeen;
    // Number of Rule::conditions that are evaluated before this one.
    std::size_t position = 0;

    // Whether the evaluation stores something of the event, so that a second one for the same event
    // gives another answer. FromCrawler does not: a question to DNS says nothing about the event,
    // and its answer comes after the analysis of the line.
    bool stores_event() const { return test != Test::FromCrawler; }
};

// As evaluate(), for any subject and test.
bool evaluate_any(const Condition& condition, const EventView& view);
// Whether `condition` holds for the event. It never does if the event has no value for the subject.
inline bool evaluate(const Condition& condition, const EventView& view) {
    // Most conditions are patterns on the log, so that case is inlined.
    const auto* pattern = std::get_if<MatchesPattern>(&condition.test);
    return pattern != nullptr && condition.subject.kind == Subject::Kind::Log
               ? pattern->holds(view.event.log, view) != condition.is_negated
               : evaluate_any(condition, view);
}
// Whether `condition` of `rule` holds for `event`; stores what the test stores.
bool evaluate(const StatefulCondition& condition, const Rule& rule, const event::Event& event,
              Correlator& correlator);

// The value that `condition` examines, as a text for people. nullopt = the event has no such value,
// or the condition examines the event as a whole.
std::optional<std::string> value_text(const Condition& condition, const event::Event& event);
// The pattern that the value must match; nullptr = the test is another one.
const pattern::Pattern* pattern_of(const Condition& condition);

}  // namespace portcullis::rules
