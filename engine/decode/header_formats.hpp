// The table of header shapes that pre-decoding recognises (spec: predecoding, section 3).
//
// The separators at fixed columns identify a shape; digits and names of months are not checked. The
// first row that fits counts. To add a shape, add a row to header_formats.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace portcullis::decode {

// The text after the date.
enum class HeaderRest : std::uint8_t {
    HostAndProgram,  // "host prog[12]: text", parsed by predecode.cpp
    Text,            // the log itself
    AslGroups,       // "[Sender prog] [Message text] [Host host]" of OS X
};

// The beginning of a line, with access to its columns: a column beyond the end is '\0'.
class HeaderText {
  public:
    explicit HeaderText(std::string_view line);

    std::size_t size() const { return line_.size() - (has_umlaut_ ? 1 : 0); }
    char operator[](std::size_t column) const;
    bool has(char c, std::initializer_list<std::size_t> columns) const;
    bool has_digit(std::size_t column) const;

  private:
    std::string_view line_;
    // German "Mär" in UTF-8 counts as "Mar": three columns, not four.
    bool has_umlaut_;
};

struct HeaderFormat {
    std::string_view name;
    std::string_view help;
    std::string_view sample;      // a line of this shape …
    std::string_view sample_log;  // … and its log after pre-decoding
    HeaderRest rest;
    // The column of the original line at which the text after the date starts; it may be beyond the
    // end of a short line. nullopt = the line has another shape.
    std::optional<std::size_t> (*text_start)(const HeaderText& text);
};

std::span<const HeaderFormat> header_formats();

}  // namespace portcullis::decode
