// load_rules: rule files → RuleSet (spec: rules, sections 1-3, 5, 6, 12).
//
// Reading has three steps, a file each: rule_reader (attributes and elements by the tables of
// rule_attributes.cpp, rule_settings.cpp and conditions.cpp), rule_tree (where a rule hangs) and
// rule_loader (overwrite, histories, built-in root rules).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/rules/key_value_list.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::rules {

struct RuleOptions {
    // Id (not 0) of the decoder of that name; nullopt = there is none.
    std::function<std::optional<int>(std::string_view name)> find_decoder_id;
    // For hints at a misspelt decoded_as.
    std::vector<std::string> decoder_names;
    // The list that a <list> element names by its path; nullptr = it is not configured, and the
    // element never matches (spec: rules, section 3.3). The function may be empty: there are no
    // lists.
    std::function<std::shared_ptr<const KeyValueList>(std::string_view path)> find_list;

    int log_alert_level = 1;
    int email_alert_level = 7;
    std::chrono::seconds default_timeframe{360};
    // Whether overwrite="yes" replaces the rule as a whole; else only the parts that OSSEC replaces
    // (section 6).
    bool replaces_whole_rules = false;
    std::size_t sid_history = 128;  // events that an if_matched_sid remembers
};

// Loads `documents`, in the order of ossec.conf. All errors and warnings go to `diagnostics`. If
// there is an error among them, the returned set must not be used.
RuleSet load_rules(const std::vector<xml::Document>& documents, const RuleOptions& options,
                   base::Diagnostics& diagnostics);

}  // namespace portcullis::rules
