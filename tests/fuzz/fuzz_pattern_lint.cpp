// Language (r, m, p) and pattern. All places that lint reports in a pattern that compiles lie
// within its text, and the measurement of backtracking ends.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/pattern/pattern_lint.hpp"

using namespace portcullis::pattern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 120) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto language = input[0] == 'r'   ? Language::OsRegex
                          : input[0] == 'm' ? Language::OsMatch
                                            : Language::Pcre2;
    const std::string_view text = input.substr(1);
    if (!Pattern::compile(language, text)) {
        return 0;
    }
    const auto is_inside = [&](std::size_t offset, std::size_t length) {
        return offset <= text.size() && length <= text.size() - offset;
    };
    for (const auto& finding : lint_pattern(language, text)) {
        if (!is_inside(finding.offset, finding.length)) {
            std::abort();
        }
    }
    for (const auto& capture : find_loose_captures(language, text)) {
        if (!is_inside(capture.offset, capture.length)) {
            std::abort();
        }
    }
    const auto shifting = find_shifting_capture(language, text);
    if (shifting && (!is_inside(shifting->offset, shifting->length) || shifting->group == 0 ||
                     shifting->moved.least >= shifting->moved.most)) {
        std::abort();
    }
    const auto range = captures_of(language, text);
    return range && range->least > range->most ? (std::abort(), 0) : 0;
}
