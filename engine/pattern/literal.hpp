// AnchoredLiteral: patterns such as ^lit, lit$ and ^lit$, compared byte by byte without a regex
// (spec: regex, sections 1.6, 2.3 and 3.2). Immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

struct AnchoredLiteral {
    std::string text;  // lower case, without the anchors
    bool at_start = false;
    bool at_end = false;

    // `pattern` as a literal; nullopt = it is not one. In OS_Regex and PCRE2 only bytes without a
    // special meaning count as literal, in OS_Match all except the three special ones. The whole
    // pattern "^", "$" (matches everything) and "^$" (the empty subject) are literals too.
    static std::optional<AnchoredLiteral> parse(Language language, std::string_view pattern);

    // End of the match in `subject`; ASCII letters are compared without case.
    std::optional<std::size_t> match(std::string_view subject) const;
};

// `lower` is lower case already; both have the same length.
bool equals_caseless(std::string_view text, std::string_view lower);

}  // namespace portcullis::pattern
