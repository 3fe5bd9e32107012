// Whether bytes are ASCII, or well-formed UTF-8. Decides per match in which mode PCRE2 may run:
// handing it ill-formed UTF-8 unchecked is undefined behaviour.
#pragma once

#include <string_view>

namespace portcullis::pattern {

bool is_ascii(std::string_view text);

// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace portcullis::pattern
