// Checks of untrusted text: valid UTF-8, and a copy that is. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::pipeline {

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view text);
// NUL, other bytes below 0x20, or 0x7f.
bool has_control_characters(std::string_view text);
// `text` with each byte that is part of no valid sequence replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

}  // namespace portcullis::pipeline
