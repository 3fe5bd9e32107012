// WhyNot (--why-not RULE): why a rule is not the result for an event. Follows the path from the
// root to the rule to the first step that fails: another category, a parent that does not match, a
// sibling that matched before, or the rule itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::logtest {

struct WhyNot {
    enum class Reason : std::uint8_t {
        IsResult,        // it is the result
        ChildIsResult,   // it matches, and so does `other` below it
        NoAlert,         // it matches, and noalert keeps it from being the result
        Mismatch,        // it does not match
        ParentMismatch,  // its ancestor `other` does not match
        Shadowed,        // `other`, a sibling of it or of an ancestor, matched before
        Category,        // its root is for another type of events
    };
    Reason reason = Reason::Category;
    // Of the place in the tree where the event got farthest: the nodes from its root to the rule.
    std::vector<std::uint32_t> path;
    std::size_t stopped_at = 0;  // index in path
    std::size_t places = 0;      // of the rule in the tree
    const rules::Rule* other = nullptr;
    rules::Mismatch mismatch;  // of Mismatch and ParentMismatch
    rules::Mismatch
        own_mismatch;  // what the rule would lack if it were tried (RuleSet::find_mismatch)
};

// REQUIRES: `outcome` and `trace` are of the same event, `rule` is one of `rules`; `own_mismatch`
// as Analyzer::find_mismatch gives it.
WhyNot find_why_not(const rules::Rule& rule, const rules::RuleSet& rules, const rules::Trace& trace,
                    const pipeline::Outcome& outcome, const rules::Mismatch& own_mismatch);

// The section "**Why not rule 5716:", begun by an empty line.
std::string why_not_text(const WhyNot& why_not, const rules::Rule& rule,
                         const rules::RuleSet& rules, const pipeline::Outcome& outcome,
                         pattern::MatchScratch& scratch);
// {"rule", "reason", "path", "other", "miss", "own_miss", "ignored"}
nlohmann::ordered_json why_not_json(const WhyNot& why_not, const rules::Rule& rule,
                                    const rules::RuleSet& rules, const pipeline::Outcome& outcome,
                                    pattern::MatchScratch& scratch);

}  // namespace portcullis::logtest
