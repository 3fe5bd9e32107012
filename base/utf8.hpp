// Whether bytes are ASCII, or well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates,
// nothing beyond U+10FFFF), and how to convert them. For text from untrusted writers. Pure
// functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace portcullis::base {

// Written in place of bytes that are not UTF-8.
inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

// Some editors write it at the beginning of a text file. It is not part of the first line.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // U+FEFF
inline std::string_view without_byte_order_mark(std::string_view text) {
    return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

struct Utf8Sequence {
    std::size_t length;  // bytes
    bool is_valid;       // false: the longest part of a sequence, to be replaced as a whole
};

// The sequence at the beginning of `bytes`. REQUIRES: they are not empty.
Utf8Sequence utf8_sequence_at(std::string_view bytes);

bool is_ascii(std::string_view bytes);
bool is_utf8(std::string_view bytes);

// `bytes` with U+FFFD in place of sequences that are not UTF-8.
std::string to_utf8(std::string_view bytes);

}  // namespace portcullis::base
