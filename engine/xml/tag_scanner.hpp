// Tags of the dialect: from a '<' to the '>' that ends it.
//
//   start tag = "<" name { blank attribute } [ blank ] [ "/" ] ">"
//   attribute = name "=" { blank } ( '"' value '"' | "'" value "'" )     value without ">"
//   end tag   = "</" name [ blank ] ">"
//
// After a defect, scanning continues where the tag most likely ends, so that one mistake gives one
// error. Views point into the source text.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/xml/source_text.hpp"

namespace portcullis::xml {

struct ScannedAttribute {
    std::string_view name;
    std::size_t name_begin = 0;
    std::string_view value;
    std::size_t value_begin = 0;  // after the quote
};

struct StartTag {
    std::string_view name;
    std::size_t begin = 0;  // of the '<'
    std::vector<ScannedAttribute> attributes;
    bool is_self_closed = false;
};

struct ScannedStartTag {
    // nullopt = not an element: too damaged, or not a tag (is_text).
    std::optional<StartTag> tag;
    bool is_text = false;  // the '<' was reported; it is part of the content
    std::size_t end = 0;   // where scanning continues
};

struct EndTag {
    std::string_view name;
    std::size_t begin = 0;  // of the '<'
    std::size_t end = 0;    // where scanning continues
    bool is_valid = false;  // false: it has no name, and most likely ends the innermost element
};

// REQUIRES: the source has '<' at `begin` (and "</" for the end tag).
ScannedStartTag scan_start_tag(const SourceText& source, std::size_t begin,
                               std::vector<base::Diagnostic>& errors);
EndTag scan_end_tag(const SourceText& source, std::size_t begin,
                    std::vector<base::Diagnostic>& errors);

}  // namespace portcullis::xml
