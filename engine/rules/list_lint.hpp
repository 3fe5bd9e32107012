// lint_list: keys of a list's text that no look-up of a rule can find, such as networks and IPv6
// addresses (spec: rules, section 3.3).
//
// For portcullis-control list check and portcullis-logtest --lint. It reports only warnings, which
// docs/diagnostics.md explains.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

namespace portcullis::rules {

// Number of keys of a list that are shown; one more warning gives the number of the others.
inline constexpr std::size_t kMaxUnfindableKeys = 10;

// `file`: the name to show. `text`: as KeyValueList::parse() takes it.
void lint_list(const std::string& file, std::string_view text, base::Diagnostics& diagnostics);

}  // namespace portcullis::rules
