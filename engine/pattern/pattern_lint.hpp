// Finds patterns that compile, but most likely do not mean what their author wanted: for
// portcullis-logtest --lint.
//
// Reads only the text of a pattern; neither loading nor matching uses it. Pure functions,
// deterministic.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

// A suspicious part of a pattern. `offset` and `length` are bytes of the pattern's text; a length
// of 0 means the whole text.
struct PatternFinding {
    std::string code;
    std::string message;
    std::size_t offset = 0;
    std::size_t length = 0;
    std::string hint;
};

// Finds text that has a meaning in another pattern language but not in this one (`.*` in OS_Regex,
// `\d` in OS_Match), XML entities, alternatives that match everything, and backtracking that a line
// can make excessive (see backtracking.hpp). REQUIRES: Pattern::compile() accepts the text.
std::vector<PatternFinding> lint_pattern(Language language, std::string_view text);

// The first XML entity in `text`, a text of an XML file. Entities are not decoded. `less_than`:
// what to write for "&lt;".
std::optional<PatternFinding> find_entity(std::string_view text, std::string_view less_than);

// The most and the fewest groups that can take part in one match (spec: regex, section 1.5).
struct CaptureRange {
    std::size_t least = 0;
    std::size_t most = 0;
};

// A group whose text the writer of a line can choose, as in "from (\\S+)". It matches any word
// after a plain word and a blank, and nothing fixes its position in the line: there is no "$", and
// no "^" without a wildcard such as ".*" after it.
struct LooseCapture {
    std::size_t position = 0;  // 0 = the first value; groups of other alternatives do not count
    std::size_t offset = 0;    // of its parenthesis in the pattern's text
    std::size_t length = 0;
    bool is_behind_wildcard = false;  // anchored except for that
};

// A group that does not have to take part in a match, such as "(\\w+)?", before another one. Values
// are numbered by the groups that took part, so the other one can move up.
struct ShiftingCapture {
    std::size_t group = 0;   // its number, from 1
    std::size_t offset = 0;  // of its parenthesis in the pattern's text
    std::size_t length = 0;
    CaptureRange moved;  // values before the first group that moves: its place in an <order>
};

// nullopt = the pattern uses syntax that is not supported here.
std::optional<CaptureRange> captures_of(Language language, std::string_view text);
std::vector<LooseCapture> find_loose_captures(Language language, std::string_view text);
// The first one; nullopt = there is none, or the pattern uses unsupported syntax.
std::optional<ShiftingCapture> find_shifting_capture(Language language, std::string_view text);

}  // namespace portcullis::pattern
