// lint_responses: finds <active-response> blocks, or parts of them, that can never fire.
//
// Runs when an author asks for it (portcullis-logtest -t, --lint), on a configuration that loaded
// without an error. All its findings are warnings; docs/diagnostics.md explains each.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/respond/binding.hpp"

namespace portcullis::config {

// `text`: the file with the name `shown_as` in diagnostics. `rules`: all loaded rules.
// `rules_without_srcip`: the ids of rules that no event with a srcip reaches.
void lint_responses(const std::string& shown_as, std::string_view text,
                    const std::vector<respond::BindableRule>& rules,
                    const std::set<int>& rules_without_srcip, base::Diagnostics& diagnostics);

}  // namespace portcullis::config
