// The functions that <compiled_rule> names (spec: rules, section 3.4).
#pragma once

#include <span>
#include <string_view>

#include "engine/rules/rule.hpp"

namespace portcullis::rules {

struct CompiledRule {
    std::string_view name;
    bool (*holds)(const CheckContext& context);
    std::string_view help;
};

std::span<const CompiledRule> compiled_rules();
// nullptr = there is none of that name.
const CompiledRule* find_compiled_rule(std::string_view name);

}  // namespace portcullis::rules
