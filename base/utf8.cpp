#include "base/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace portcullis::base {
namespace {

// Length of the ASCII text at the beginning, rounded down to whole words.
std::size_t ascii_prefix(std::string_view bytes) {
    constexpr std::uint64_t kHighBits = 0x8080808080808080U;
    std::size_t at = 0;
    for (; at + sizeof(std::uint64_t) <= bytes.size(); at += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        if ((word & kHighBits) != 0) {
            break;
        }
    }
    return at;
}

}  // namespace

Utf8Sequence utf8_sequence_at(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) {
        return {1, true};
    }
    // Table 3-7 of the Unicode standard; only the range of the second byte depends on the first.
    std::size_t length = 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        low = lead == 0xf0 ? 0x90 : low;
        high = lead == 0xf4 ? 0x8f : high;
    } else {
        return {1, false};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= bytes.size() || byte(i) < low || byte(i) > high) {
            return {i, false};
        }
        low = 0x80;
        high = 0xbf;
    }
    return {length, true};
}

bool is_ascii(std::string_view bytes) {
    bytes.remove_prefix(ascii_prefix(bytes));
    // The rest is shorter than a word, or begins with a word that is not ASCII.
    return std::all_of(bytes.begin(), bytes.end(),
                       [](char c) { return static_cast<std::uint8_t>(c) < 0x80; });
}

bool is_utf8(std::string_view bytes) {
    bytes.remove_prefix(ascii_prefix(bytes));
    while (!bytes.empty()) {
        const Utf8Sequence sequence = utf8_sequence_at(bytes);
        if (!sequence.is_valid) {
            return false;
        }
        bytes.remove_prefix(sequence.length);
    }
    return true;
}

std::string to_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const Utf8Sequence sequence = utf8_sequence_at(bytes);
        text += sequence.is_valid ? bytes.substr(0, sequence.length) : kReplacementCharacter;
        bytes.remove_prefix(sequence.length);
    }
    return text;
}

}  // namespace portcullis::base
