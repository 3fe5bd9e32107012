// lint_rules: what is allowed in rule files and most likely not meant.
//
// Runs when an author asks for it (portcullis-logtest -t, --lint), on rules that loaded without an
// error; daemons never pay for it. All it finds are warnings; docs/diagnostics.md explains each.
// rule_lint looks at one rule after the other, reachability at the tree as a whole.
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
    // Of each decoder id that an event can have, the types (event::EventType) of its events. Ids
    // that are missing are in no event, unless they are among `internal_decoders`.
    std::map<int, std::bitset<8>> decoder_types;
    // Ids of names that no log line has but events of the system itself may.
    std::vector<int> internal_decoders;
    std::map<int, std::string> decoder_names;
    // As RuleOptions has them.
    bool replaces_whole_rules = false;
    std::size_t sid_history = 128;
    // What list_name() makes of those that are configured; nullopt = not known.
    std::optional<std::set<std::string, std::less<>>> lists;
};

// `documents` are the rule files in the order of loading and `rules` what load_rules() made of
// them. REQUIRES: it found no error.
void lint_rules(const std::vector<xml::Document>& documents, const RuleSet& rules,
                const RuleLintOptions& options, base::Diagnostics& diagnostics);

// The names of <field name="…"> in these files, in lower case.
std::vector<std::string> dynamic_fields_in(const std::vector<xml::Document>& documents);

}  // namespace portcullis::rules
