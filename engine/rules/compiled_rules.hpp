// The functions that <compiled_rule> names (spec: rules, section 3.4).
#pragma once

#include <span>
#include <string_view>

#include "engine/event/event.hpp"

namespace portcullis::rules {

struct CompiledRule {
    std::string_view name;
    bool (*holds)(const event::Event& event);
    std::string_view help;
};

std::span<const CompiledRule> compiled_rules();
// nullptr = there is none of that name.
const CompiledRule* find_compiled_rule(std::string_view name);

}  // namespace portcullis::rules
