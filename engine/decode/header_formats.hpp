// The table of header shapes that pre-decoding recognises (spec: predecoding, section 3).
//
// A shape is told by the separators at fixed columns; digits and names of months are not looked
// at. The first row that fits wins. To add a shape, add a row to header_formats.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace portcullis::decode {

// What stands behind the date.
enum class HeaderRest : std::uint8_t {
    HostAndProgram,  // "host prog[12]: text", parsed by predecode.cpp
    Text,            // the log itself
    AslGroups,       // "[Sender prog] [Message text] [Host host]" of OS X
};

// A line's beginning, for looking at fixed columns: a column beyond the end is '\0'.
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
    std::string_view sample_log;  // … and what pre-decoding leaves of it
    HeaderRest rest;
    // Where the text behind the date starts (a column of the original line; it may lie beyond the
    // end of a short one); nullopt = another shape.
    std::optional<std::size_t> (*text_start)(const HeaderText& text);
};

std::span<const HeaderFormat> header_formats();

}  // namespace portcullis::decode
