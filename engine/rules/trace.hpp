// Trace: which rules were tried for one event, in order (portcullis-logtest -v).
//
// Filled by the evaluation of the rule tree when it is handed one; costs nothing otherwise. The
// rules live as long as the RuleSet that was evaluated.
#pragma once

#include <cstdint>
#include <vector>

namespace portcullis::rules {

struct Rule;

struct Trace {
    enum class What : std::uint8_t {
        Tried,           // the rule's conditions were looked at
        Matched,         // … and all held
        TryingChildren,  // its children are next
    };
    struct Step {
        What what;
        const Rule* rule;
    };
    std::vector<Step> steps;
};

}  // namespace portcullis::rules
