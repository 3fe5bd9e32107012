// Trace: the rules that were tried for one event, in order, and the first condition of each that
// did not hold (portcullis-logtest -v, --explain, --why-not).
//
// RuleSet::evaluate() fills it if one is given; without one it costs nothing. The rules live as
// long as the RuleSet that was evaluated. The rest are values, which stay valid when the state
// changes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/rules/rule.hpp"

namespace portcullis::rules {

// The earlier events that a composite rule examined (spec: rules, section 7.2).
struct SearchReport {
    enum class End : std::uint8_t {
        Fired,
        Exhausted,  // all earlier events were examined
        TooOld,     // the next one is older than the timeframe
        UsedUp,     // a rule of this level or more has used the next one up
    };
    End end = End::Exhausted;
    int seen = 0;     // earlier events that were examined
    int counted = 0;  // … that count; frequency + 1 are needed
    // … that do not, since one of these differs or is missing (by Shared)
    std::array<int, kSharedCount> differing{};
    int same_url = 0;    // … since their URL is another one, under <different_url>
    int other_text = 0;  // … since their type is another one or if_matched_regex does not match
};

// The first demand of a rule that an event does not meet.
struct Mismatch {
    enum class What : std::uint8_t {
        Nothing,
        DecodedAs,
        Size,
        Condition,          // Rule::conditions[condition]
        StatefulCondition,  // Rule::stateful_conditions[condition]
        EarlierEvents,
    };
    What what = What::Nothing;
    std::size_t condition = 0;
    SearchReport search;  // of EarlierEvents, and of a composite rule that fired
};

struct Trace {
    enum class What : std::uint8_t {
        Tried,           // the rule's conditions were evaluated
        Matched,         // … and all held
        TryingChildren,  // its children are next
    };
    struct Step {
        What what;
        const Rule* rule;
        std::uint32_t node;  // in RuleSet::nodes()
        Mismatch mismatch;   // of Tried
    };
    std::vector<Step> steps;
};

}  // namespace portcullis::rules
