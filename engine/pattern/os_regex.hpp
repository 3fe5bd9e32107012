// OS_Regex: the translation of OSSEC's own pattern language to PCRE2 text (spec: regex, section 1).
//
// Used at load time only; pure functions. The language:
//
//   pattern     = *( escape [quantifier] / group / "|" / "^" / "$" / literal )
//   group       = "(" pattern ")"                ; captures, nests, is never quantified
//   escape      = "\" ( class / ".") / "\" ( "t" / "$" / "(" / ")" / "\" / "|" / "<" / "[" / "]" /
//                 "{" / "}" )
//   class       = "w" / "W" / "d" / "D" / "s" / "S" / "p"
//   quantifier  = "+" / "*"                      ; a literal unless directly after an escape
//   literal     = any other byte                 ; also . [ ] { } ? which have no special meaning
//
//   \w  A-Z a-z 0-9 @ _ -          \d  0-9          \s  only the blank
//   \p  ( ) * + , - . : ; < = > ? [ ] ! " ' # % & $ | { }
//   \W \D \S  the complements      \.  any byte, newline included      \t  the tab
//
// Two rules work on the text; they are kept exactly, because existing patterns depend on them:
//   1. "+" and "*" are quantifiers if and only if the byte two places before them is a backslash.
//      (`\\d+` is a literal backslash and then a quantified "d".)
//   2. A quantifier is lazy, except as the last thing of an alternative, where it is greedy:
//      followed by nothing but ")"s before "|" or the end of the pattern.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portcullis::pattern {

// OS_Regex and OS_Match: longer patterns are refused.
inline constexpr std::size_t kMaxOsPatternLength = 2048;

struct Translation {
    std::string text;                    // for PCRE2
    std::vector<std::uint16_t> origins;  // for each byte of `text`, the byte that it came from

    void append(std::string_view piece, std::size_t origin) {
        text.append(piece);
        origins.resize(text.size(), static_cast<std::uint16_t>(origin));
    }
};

// Fails for an empty pattern, an unknown escape, a backslash at the end, and a pattern that is too
// long (code "bad-pattern", place.column in `pattern`). PCRE2 finds unbalanced parentheses.
base::Result<Translation> translate_os_regex(std::string_view pattern);

// The Diagnostic for `pattern`, at the byte `offset`.
base::Diagnostic bad_pattern(std::string message, std::size_t offset, std::size_t length = 1);

}  // namespace portcullis::pattern
