#include "engine/alert/json_writer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace portcullis::alert {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Sequence {
    std::size_t length;  // bytes taken
    bool is_valid;
};

// The UTF-8 sequence at the beginning of `bytes` (not empty, not ASCII), or the maximal part of one
// that is to be replaced as a whole.
Sequence sequence_at(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::uint8_t lead = byte(0);
    std::size_t length = 0;
    // The second byte's range excludes overlong forms, surrogates and what is beyond U+10FFFF.
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        low = lead == 0xE0 ? 0xA0 : low;
        high = lead == 0xED ? 0x9F : high;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;
    } else {
        return {1, false};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= bytes.size() || byte(i) < low || byte(i) > high) {
            return {i, false};
        }
        low = 0x80;
        high = 0xBF;
    }
    return {length, true};
}

void append_escaped(std::string& out, std::uint8_t control) {
    constexpr std::string_view kHex = "0123456789abcdef";
    switch (control) {
        case '\b':
            out += "\\b";
            break;
        case '\t':
            out += "\\t";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\f':
            out += "\\f";
            break;
        case '\r':
            out += "\\r";
            break;
        default:
            out += "\\u00";
            out += kHex[control >> 4U];
            out += kHex[control & 15U];
            break;
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view bytes) {
    out += '"';
    std::size_t plain = 0;  // length of the run that can be copied as it is
    const auto flush = [&] {
        out += bytes.substr(0, plain);
        bytes.remove_prefix(plain);
        plain = 0;
    };
    while (plain < bytes.size()) {
        const auto byte = static_cast<std::uint8_t>(bytes[plain]);
        if (byte >= 0x80) {
            const Sequence sequence = sequence_at(bytes.substr(plain));
            if (sequence.is_valid) {
                plain += sequence.length;
                continue;
            }
            flush();
            out += kReplacement;
            bytes.remove_prefix(sequence.length);
        } else if (byte < 0x20 || byte == '"' || byte == '\\') {
            flush();
            bytes.remove_prefix(1);
            if (byte < 0x20) {
                append_escaped(out, byte);
            } else {
                out += '\\';
                out += static_cast<char>(byte);
            }
        } else {
            ++plain;
        }
    }
    flush();
    out += '"';
}

}  // namespace portcullis::alert
