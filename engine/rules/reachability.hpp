// find_unreachable_rules: rules of the tree that are never evaluated as true for any event. Only
// --lint calls it.
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

// In order of loading. A rule with several parents is unreachable if it is so below each of them.
// Rules that are unreachable only because a parent is are not reported.
std::vector<Unreachable> find_unreachable_rules(const RuleSet& rules,
                                                const RuleLintOptions& options);

}  // namespace portcullis::rules
