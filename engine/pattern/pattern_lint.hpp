// What a pattern most likely does not mean, although it compiles: for portcullis-logtest --lint.
//
// Looks at the text of a pattern alone; neither loading nor matching needs it. Pure functions,
// deterministic.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

// A suspicious stretch of a pattern. `offset` and `length` are bytes of the pattern's text; a
// length of 0 means all of it.
struct PatternFinding {
    std::string code;
    std::string message;
    std::size_t offset = 0;
    std::size_t length = 0;
    std::string hint;
};

// Text that means something in another pattern language but nothing here (`.*` in OS_Regex, `\d` in
// OS_Match), XML entities, alternatives that match everything, and backtracking that a line can
// drive up (see backtracking.hpp). REQUIRES: Pattern::compile() takes the text.
std::vector<PatternFinding> lint_pattern(Language language, std::string_view text);

// XML entities in `text`, which nothing decodes: the first one, for any text of an XML file.
// `less_than`: what to write for "&lt;".
std::optional<PatternFinding> find_entity(std::string_view text, std::string_view less_than);

// How many groups can take part in one match, and at least do (spec: regex, section 1.5).
struct CaptureRange {
    std::size_t least = 0;
    std::size_t most = 0;
};

// A group whose text whoever writes the line can choose, as in "from (\\S+)": it takes any word,
// a plain word and a blank lead up to it, and nothing fixes where in the line they stand: neither
// "^", without a wildcard such as ".*" behind it that skips any text, nor "$".
struct LooseCapture {
    std::size_t position = 0;  // 0 = the first value; groups of other alternatives do not count
    std::size_t offset = 0;    // of its parenthesis in the pattern's text
    std::size_t length = 0;
    bool is_behind_wildcard = false;  // anchored, but for that
};

// A group that need not take part in a match, such as "(\\w+)?", while another one follows. Values
// are counted by the groups that took part, so the other one moves up then.
struct ShiftingCapture {
    std::size_t group = 0;   // its number, from 1
    std::size_t offset = 0;  // of its parenthesis in the pattern's text
    std::size_t length = 0;
    CaptureRange moved;  // values before the first group that moves: its place in an <order>
};

// nullopt = the pattern uses something that this does not understand.
std::optional<CaptureRange> captures_of(Language language, std::string_view text);
std::vector<LooseCapture> find_loose_captures(Language language, std::string_view text);
// The first one; nullopt = there is none, or the pattern is not understood.
std::optional<ShiftingCapture> find_shifting_capture(Language language, std::string_view text);

}  // namespace portcullis::pattern
