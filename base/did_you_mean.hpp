// did_you_mean: the known word that a misspelt one most likely means, for the hints of diagnostics.
// Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::base {

// Number of single edits (insert, delete, replace a byte, swap two neighbours) between two words,
// ASCII letters compared without case. Words longer than 64 bytes count as entirely different.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, and the first of equally near ones. nullopt = none is near
// enough to be a typing error (1 edit in words of up to 4 bytes, 2 up to 8, 3 beyond). The view is
// the candidate's.
std::optional<std::string_view> find_similar(std::string_view word,
                                             const std::vector<std::string_view>& candidates);

// `did you mean "X"?`, or an empty text.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace portcullis::base
