// WrittenRules: the elements that make up each rule, where they stand in the files.
//
// A compiled Rule no longer knows how it was written; authors' warnings (rule_lint) point at
// elements and compare them. Points into the documents. Load errors are not looked for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/rules/rule_reader.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::rules {

struct WrittenRule {
    int id = 0;
    xml::Node node;  // of the last one that overwrites
    // Those in force: an overwriting rule keeps some of the original's (spec: rules, section 6).
    std::vector<RuleDraft::Element> elements;
    // Of an overwriting rule: elements of its own that the original's replace, so that they count
    // for nothing although they differ.
    std::vector<xml::Node> lost;

    // The first element of that name (in any case); nullptr = none.
    const xml::Node* find(std::string_view name) const;
};

// By id. Rules without a usable id are left out. `replaces_whole_rules`: see RuleOptions.
std::map<int, WrittenRule> read_written_rules(const std::vector<xml::Document>& documents,
                                              bool replaces_whole_rules);

}  // namespace portcullis::rules
