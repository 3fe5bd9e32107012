#include "engine/pattern/literal.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace portcullis::pattern {
namespace {

bool is_plain(char c) {
    return base::is_alphanumeric(c) ||
           std::string_view(" !\"#%&',/:;<=>@_`~-").find(c) != std::string_view::npos;
}

bool is_plain_in_os_match(char c) { return c != '^' && c != '$' && c != '|'; }

}  // namespace

bool equals_caseless(std::string_view text, std::string_view lower) {
    return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                      [](char a, char b) { return base::lower(a) == b; });
}

std::optional<AnchoredLiteral> AnchoredLiteral::parse(Language language, std::string_view pattern) {
    AnchoredLiteral literal;
    if (!pattern.empty() && pattern.front() == '^') {
        literal.at_start = true;
        pattern.remove_prefix(1);
    }
    if (!pattern.empty() && pattern.back() == '$') {
        literal.at_end = true;
        pattern.remove_suffix(1);
    }
    const bool plain = std::all_of(pattern.begin(), pattern.end(),
                                   language == Language::OsMatch ? is_plain_in_os_match : is_plain);
    if (!plain || (!literal.at_start && !literal.at_end)) {
        return std::nullopt;
    }
    literal.text = base::lower(pattern);
    return literal;
}

std::optional<std::size_t> AnchoredLiteral::match(std::string_view subject) const {
    if (subject.size() < text.size() || (at_start && at_end && subject.size() != text.size())) {
        return std::nullopt;
    }
    const std::size_t from = at_start ? 0 : subject.size() - text.size();
    if (!equals_caseless(subject.substr(from, text.size()), text)) {
        return std::nullopt;
    }
    return from + text.size();
}

}  // namespace portcullis::pattern
