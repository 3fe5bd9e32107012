// WrittenRule: the XML elements of a rule, with their places in the files.
//
// A compiled Rule does not keep its XML; the warnings of rule_lint point at elements and compare
// them. Nodes point into the documents. Load errors are not reported.
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
    // The elements that count: an overwriting rule keeps some of the original's (spec: rules,
    // section 6).
    std::vector<RuleDraft::Element> elements;
    // Of an overwriting rule: its own elements that do not count, since those of the original are
    // kept, and that differ from these.
    std::vector<xml::Node> lost;

    // The first element of that name (in any case); nullptr = none.
    const xml::Node* find(std::string_view name) const;
};

// By id. Rules without a usable id are left out. `replaces_whole_rules`: see RuleOptions.
std::map<int, WrittenRule> read_written_rules(const std::vector<xml::Document>& documents,
                                              bool replaces_whole_rules);

}  // namespace portcullis::rules
