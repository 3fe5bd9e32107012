// normalize: from the OSSEC XML dialect (docs/ossec-xml-dialect.md) to XML 1.0 with the same
// elements, and a map back to the file.
//
// Handles the differences of the dialect from XML: comments, `\<`, text that does not count,
// entities (escaped, so that an XML parser returns what was typed) and variables. One pass over the
// text without recursion; time and memory grow with its length only.
#pragma once

#include <optional>
#include <string>

#include "base/diagnostic.hpp"
#include "engine/xml/document.hpp"
#include "engine/xml/source_map.hpp"
#include "engine/xml/source_text.hpp"

namespace portcullis::xml {

// Bytes of an element's name, of a content, of an attribute's name and value.
inline constexpr std::size_t kMaxPiece = 8191;
inline constexpr std::size_t kMaxDepth = 1024;
inline constexpr std::size_t kMaxAttributes = 256;
// Of a whole file, and of the text that variables add to it.
inline constexpr std::size_t kMaxDocument = std::size_t{16} << 20;
// Of a content or a value after its variables are substituted.
inline constexpr std::size_t kMaxSubstituted = 65536;
// Errors of one document; after that the rest of the text is not checked.
inline constexpr std::size_t kMaxErrors = 100;

struct NormalizedText {
    std::string xml;
    SourceMap map;
};

// nullopt = there are errors, which are added in the order of their places.
std::optional<NormalizedText> normalize(const SourceText& source, Variables variables,
                                        base::Diagnostics& diagnostics);

}  // namespace portcullis::xml
