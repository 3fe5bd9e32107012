// FurthestMatch: how far a pattern gets in a subject, for people who ask why it does not match.
//
// Cold path: each call compiles the pattern once more, with a callout of PCRE2 before each of its
// elements, and watches the match. The decision itself is always Pattern::match's.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

struct FurthestMatch {
    bool is_match = false;
    // The element that did not fit, as bytes of Pattern::text(). Both are its size after a match.
    std::size_t pattern_begin = 0;
    std::size_t pattern_end = 0;
    // What of the subject the elements before it matched; after a match, what all of them did.
    std::size_t text_begin = 0;
    std::size_t text_end = 0;
};

// The attempt that passed the most elements of the pattern, counted from its beginning along one
// alternative; of several the one that matched most text, then the first. Without alternatives that
// is the longest prefix of the pattern that matches anywhere in `subject`. nullopt = it is not
// known: the match would take too many steps, or the subject does not have the pattern's encoding.
std::optional<FurthestMatch> find_furthest_match(const Pattern& pattern, std::string_view subject,
                                                 MatchScratch& scratch);

}  // namespace portcullis::pattern
