// lint_rules: warnings about rules that load but most likely do not do what the author meant.
//
// Only portcullis-logtest -t and --lint call it, for rules that loaded without an error.
// docs/diagnostics.md explains each warning. rule_lint checks one rule after the other,
// reachability the tree as a whole.
#pragma once

#include <bitset>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::rules {

struct RuleLintOptions {
    // For each decoder id that an event can have: the types (event::EventType) of its events. An id
    // that is missing here is in no event, unless it is in `internal_decoders`.
    std::map<int, std::bitset<8>> decoder_types;
    // Ids of decoders that only events of the system itself have.
    std::vector<int> internal_decoders;
    std::map<int, std::string> decoder_names;
    // As in RuleOptions.
    bool replaces_whole_rules = false;
    std::size_t sid_history = 128;
    // list_name() of the configured lists; nullopt = not known.
    std::optional<std::set<std::string, std::less<>>> lists;
};

// `documents` are the rule files in the order of loading, `rules` the result of load_rules() for
// them. REQUIRES: load_rules() reported no error.
void lint_rules(const std::vector<xml::Document>& documents, const RuleSet& rules,
                const RuleLintOptions& options, base::Diagnostics& diagnostics);

// The names of <field name="…"> in these files, in lower case.
std::vector<std::string> dynamic_fields_in(const std::vector<xml::Document>& documents);

}  // namespace portcullis::rules
