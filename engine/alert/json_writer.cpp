#include "engine/alert/json_writer.hpp"

#include <cstddef>
#include <cstdint>

#include "base/utf8.hpp"

namespace portcullis::alert {
namespace {

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
            const base::Utf8Sequence sequence = base::utf8_sequence_at(bytes.substr(plain));
            if (sequence.is_valid) {
                plain += sequence.length;
                continue;
            }
            flush();
            out += base::kReplacementCharacter;
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
