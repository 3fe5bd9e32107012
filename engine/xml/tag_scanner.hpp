// Tags of the dialect: what stands between a '<' and the '>' that ends it.
//
//   start tag = "<" name { blank attribute } [ blank ] [ "/" ] ">"
//   attribute = name "=" { blank } ( '"' value '"' | "'" value "'" )     value without ">"
//   end tag   = "</" name [ blank ] ">"
//
// A defect is reported and scanning goes on where the tag most likely ends, so that one slip gives
// one error. Views point into the source text.
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
    std::size_t value_begin = 0;  // behind the quote
};

struct StartTag {
    std::string_view name;
    std::size_t begin = 0;  // of the '<'
    std::vector<ScannedAttribute> attributes;
    bool is_self_closed = false;
};

struct ScannedStartTag {
    // nullopt: too broken to be an element, or no tag at all (is_text).
    std::optional<StartTag> tag;
    bool is_text = false;  // the '<' was reported; it is part of the content
    std::size_t end = 0;   // where scanning goes on
};

struct EndTag {
    std::string_view name;
    std::size_t begin = 0;  // of the '<'
    std::size_t end = 0;    // where scanning goes on
    bool is_valid = false;  // false: it has no name, and most likely ends the innermost element
};

// REQUIRES: the source has '<' at `begin` (and "</" for the end tag).
ScannedStartTag scan_start_tag(const SourceText& source, std::size_t begin,
                               std::vector<base::Diagnostic>& errors);
EndTag scan_end_tag(const SourceText& source, std::size_t begin,
                    std::vector<base::Diagnostic>& errors);

}  // namespace portcullis::xml
