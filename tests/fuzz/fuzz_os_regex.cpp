// First line: language (r, m, p) and pattern; the rest: the subject. JIT and interpreter must
// agree, and no capture may lie outside the subject.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/pattern/pattern.hpp"

using namespace portcullis::pattern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static MatchScratch jit;
    static MatchScratch interpreter;
    interpreter.set_jit(false);
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto newline = input.find('\n');
    if (size < 2 || size > 600 || newline == std::string_view::npos || newline == 0) {
        return 0;
    }
    const auto language = input[0] == 'r'   ? Language::OsRegex
                          : input[0] == 'm' ? Language::OsMatch
                                            : Language::Pcre2;
    const auto pattern = Pattern::compile(language, input.substr(1, newline - 1));
    if (!pattern) {
        const auto column = static_cast<std::size_t>(pattern.error().place.column);
        return column >= 1 && column <= newline + 1 ? 0 : (std::abort(), 0);
    }
    const auto subject = input.substr(newline + 1);
    const auto limits = jit.limit_hits() + interpreter.limit_hits();
    Captures fast;
    Captures slow;
    const auto end = pattern->match(subject, jit, &fast);
    const auto slow_end = pattern->match(subject, interpreter, &slow);
    for (const auto value : fast) {
        if (value.data() < subject.data() ||
            value.data() + value.size() > subject.data() + subject.size()) {
            std::abort();
        }
    }
    if (limits == jit.limit_hits() + interpreter.limit_hits() &&
        (end != slow_end || fast.size() != slow.size())) {
        std::abort();
    }
    return 0;
}
