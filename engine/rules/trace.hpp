// Trace: which rules were tried for one event, in order, and what those that did not match lacked
// (portcullis-logtest -v, --explain, --why-not).
//
// Filled by the evaluation of the rule tree when it is handed one; costs nothing otherwise. The
// rules live as long as the RuleSet that was evaluated. Plain values: a Trace can be looked at
// after the state that it speaks of has moved on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/rules/rule.hpp"

namespace portcullis::rules {

// What the search of a composite rule saw (spec: rules, section 7.2).
struct SearchReport {
    enum class End : std::uint8_t {
        Fired,
        Exhausted,  // there are no more earlier events
        TooOld,     // the next one is older than the timeframe
        UsedUp,     // the next one was counted already when a rule of this level or more fired
    };
    End end = End::Exhausted;
    int seen = 0;     // earlier events that were looked at
    int counted = 0;  // … that count; frequency + 1 are needed
    // … that do not, since one of these differs or is missing (by Shared)
    std::array<int, kSharedCount> differing{};
    int same_url = 0;    // … since their URL is another one, under <different_url>
    int other_text = 0;  // … since their type is another one or if_matched_regex does not match
};

// The first demand of a rule that an event did not meet.
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
        Tried,           // the rule's conditions were looked at
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
