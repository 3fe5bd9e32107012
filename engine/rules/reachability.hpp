// find_unreachable_rules: rules of the tree that no event can ever have as its result or on the way
// to it. Load time of --lint only.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/rules/rule_lint.hpp"
#include "engine/rules/rule_set.hpp"

namespace portcullis::rules {

struct Unreachable {
    enum class Why {
        Shadowed,        // `other` is tried before it and matches whenever this one would
        OtherDecoder,    // a rule above (`other`) demands another decoder
        WrongCategory,   // events of its decoder never come to this category
        UnknownDecoder,  // no event reports that name
    };
    const Rule* rule = nullptr;
    Why why = Why::Shadowed;
    const Rule* other = nullptr;
    event::EventType category = event::EventType::Syslog;  // of the root above
};

// In order of loading. A rule that hangs in several places is unreachable if it is so in each of
// them; what is merely below an unreachable rule is not told.
std::vector<Unreachable> find_unreachable_rules(const RuleSet& rules,
                                                const RuleLintOptions& options);

}  // namespace portcullis::rules
