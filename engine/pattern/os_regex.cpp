#include "engine/pattern/os_regex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace portcullis::pattern {
namespace {

struct Escape {
    char letter;
    std::string_view pcre2;
};

constexpr std::array kEscapes{
    Escape{'w', "[A-Za-z0-9@_-]"},
    Escape{'W', "[^A-Za-z0-9@_-]"},
    Escape{'d', "[0-9]"},
    Escape{'D', "[^0-9]"},
    Escape{'s', "[ ]"},
    Escape{'S', "[^ ]"},
    Escape{'p', R"([()*+,.:;<=>?\[\]!"'#%&$|{}-])"},
    Escape{'.', "(?s:.)"},
    Escape{'t', "\\t"},
    Escape{'$', "\\$"},
    Escape{'(', "\\("},
    Escape{')', "\\)"},
    Escape{'\\', "\\\\"},
    Escape{'|', "\\|"},
    Escape{'<', "\\<"},
    Escape{'[', "\\["},
    Escape{']', "\\]"},
    Escape{'{', "\\{"},
    Escape{'}', "\\}"},
};

constexpr std::string_view kLiteralsToEscape = ".[]{}?";

std::optional<std::string_view> find_escape(char letter) {
    const auto* found = std::find_if(kEscapes.begin(), kEscapes.end(),
                                     [=](const Escape& row) { return row.letter == letter; });
    return found == kEscapes.end() ? std::nullopt : std::optional(found->pcre2);
}

bool is_quantifier(char c) { return c == '+' || c == '*'; }

base::Diagnostic unknown_escape(std::string_view pattern, std::size_t offset) {
    auto diagnostic = bad_pattern(
        fmt::format("OS_Regex has no escape \"{}\"", pattern.substr(offset, 2)), offset, 2);
    diagnostic.hint =
        "the escapes are \\w \\W \\d \\D \\s \\S \\p \\. \\t and \\$ \\( \\) \\\\ \\| \\< \\[ \\] "
        "\\{ \\}; every other character is written without a backslash";
    return diagnostic;
}

// Whether the lazy quantifier whose sign is at `at` ends an alternative.
bool ends_alternative(std::string_view text, std::size_t at) {
    const std::size_t next = text.find_first_not_of(')', at + 2);
    return next == std::string_view::npos || text[next] == '|' || text[next] == '$';
}

// Rule 2: drops the '?' of each lazy quantifier that ends an alternative.
Translation make_last_quantifiers_greedy(const Translation& lazy) {
    Translation out;
    const std::string_view text = lazy.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
        out.append(text.substr(i, 1), lazy.origins[i]);
        const bool is_lazy = is_quantifier(text[i]) && i + 1 < text.size() && text[i + 1] == '?' &&
                             (i == 0 || text[i - 1] != '\\');
        if (is_lazy && ends_alternative(text, i)) {
            ++i;
        }
    }
    return out;
}

}  // namespace

base::Diagnostic bad_pattern(std::string message, std::size_t offset, std::size_t length) {
    base::Diagnostic diagnostic = base::make_error("bad-pattern", std::move(message));
    diagnostic.place.column = static_cast<int>(offset) + 1;
    diagnostic.caret_length = static_cast<int>(length);
    return diagnostic;
}

base::Result<Translation> translate_os_regex(std::string_view pattern) {
    if (pattern.empty()) {
        return base::fail(bad_pattern("an OS_Regex must not be empty", 0));
    }
    if (pattern.size() > kMaxOsPatternLength) {
        return base::fail(bad_pattern(fmt::format("the pattern has {} bytes, more than {}",
                                                  pattern.size(), kMaxOsPatternLength),
                                      0));
    }
    Translation out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c == '\\') {
            if (i + 1 == pattern.size()) {
                return base::fail(bad_pattern("backslash at the end of the pattern", i));
            }
            const auto piece = find_escape(pattern[i + 1]);
            if (!piece) {
                return base::fail(unknown_escape(pattern, i));
            }
            out.append(*piece, i);
            ++i;
        } else if (is_quantifier(c)) {
            const bool quantifies = i >= 2 && pattern[i - 2] == '\\';  // rule 1
            const std::array<char, 2> text = quantifies ? std::array{c, '?'} : std::array{'\\', c};
            out.append({text.data(), text.size()}, i);
        } else if (c == '$') {
            out.append("(?!\\n)$", i);
        } else if (kLiteralsToEscape.find(c) != std::string_view::npos) {
            const std::array<char, 2> text{'\\', c};
            out.append({text.data(), text.size()}, i);
        } else {
            out.append({&c, 1}, i);
        }
    }
    return make_last_quantifiers_greedy(out);
}

}  // namespace portcullis::pattern
