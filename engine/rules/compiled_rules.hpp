// The functions that <compiled_rule> names (spec: rules, section 3.4).
#pragma once

#include <span>
#include <string_view>
#include <variant>

#include "engine/event/event.hpp"
#include "engine/rules/conditions.hpp"
#include "engine/rules/crawler_names.hpp"

namespace portcullis::rules {

struct CompiledRule {
    std::string_view name;
    std::variant<SatisfiesFunction, StatefulCondition::Test> test;
    std::string_view help;
};

std::span<const CompiledRule> compiled_rules();
// nullptr = there is none of that name.
const CompiledRule* find_compiled_rule(std::string_view name);

// is_valid_crawler. `names`: nullptr = only the networks of known crawlers count.
bool comes_from_crawler(const event::Event& event, CrawlerNames* names);

}  // namespace portcullis::rules
