// Whether bytes are ASCII, or well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates,
// nothing beyond U+10FFFF), and how to make them so. For text that anybody may have written. Pure
// functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace portcullis::base {

// What to write in the place of bytes that are no UTF-8.
inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

// Some editors write it at the beginning of a text file. It is not a part of the first line.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // U+FEFF
inline std::string_view without_byte_order_mark(std::string_view text) {
    return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

struct Utf8Sequence {
    std::size_t length;  // bytes
    bool is_valid;       // false: the longest part of a sequence, to be replaced as a whole
};

// What `bytes` begin with. REQUIRES: they are not empty.
Utf8Sequence utf8_sequence_at(std::string_view bytes);

bool is_ascii(std::string_view bytes);
bool is_utf8(std::string_view bytes);

// `bytes` with U+FFFD for what is no UTF-8.
std::string to_utf8(std::string_view bytes);

}  // namespace portcullis::base
