#include <algorithm>

#include "base/ascii.hpp"
#include "engine/pattern/literal.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {
namespace {

bool same_letter(char a, char b) { return base::lower(a) == base::lower(b); }

bool piece_matches(std::string_view piece, std::string_view text) {
    if (!piece.empty() && piece.front() == '^') {
        piece.remove_prefix(1);
        return piece.size() <= text.size() &&
               std::equal(piece.begin(), piece.end(), text.begin(), same_letter);
    }
    return std::search(text.begin(), text.end(), piece.begin(), piece.end(), same_letter) !=
               text.end() ||
           piece.empty();
}

}  // namespace

bool word_match(std::string_view text, std::string_view group_string) {
    if (text.empty()) {
        return false;
    }
    while (true) {
        const std::size_t bar = text.find('|');
        if (piece_matches(text.substr(0, bar), group_string)) {
            return true;
        }
        if (bar == std::string_view::npos) {
            return false;
        }
        text.remove_prefix(bar + 1);
    }
}

}  // namespace portcullis::pattern
