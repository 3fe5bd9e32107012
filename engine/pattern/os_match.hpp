// OS_Match ("sregex"): caseless substring search with three special characters, translated to
// PCRE2 text (spec: regex, section 2).
//
//   pattern = alternative *( "|" alternative )
//   "^" start and "$" end of the subject, assertions at any position; every other byte is a
//   literal, the backslash too: there are no escapes, and "!" does not negate.
#pragma once

#include <string_view>

#include "engine/pattern/os_regex.hpp"

namespace portcullis::pattern {

// True for a pattern that matches any subject: empty, or with an empty alternative ("a|").
bool os_match_is_always_true(std::string_view pattern);

// Fails only if the pattern is too long.
base::Result<Translation> translate_os_match(std::string_view pattern);

}  // namespace portcullis::pattern
