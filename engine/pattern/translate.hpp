// translate: the PCRE2 text of a pattern in any of the three languages. Load time; internal to this
// folder.
#pragma once

#include <string_view>

#include "engine/pattern/os_regex.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

// A PCRE2 pattern stays as it is. Fails like translate_os_regex() and translate_os_match(), and for
// an empty PCRE2 pattern.
base::Result<Translation> translate(Language language, std::string_view text);

}  // namespace portcullis::pattern
