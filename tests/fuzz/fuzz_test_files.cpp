// Test files of both formats, and patterns asked how far they get: places stay in the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/logtest/golden_file.hpp"
#include "engine/logtest/ossec_tests.hpp"
#include "engine/pattern/furthest_match.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    base::Diagnostics diagnostics;
    for (const auto& test : logtest::parse_ossec_tests("t.ini", text, diagnostics)) {
        if (test.lines.empty() || test.place.line < 1) {
            std::abort();
        }
    }
    if (const auto golden = logtest::GoldenFile::parse("t.logtest", text)) {
        for (const auto& step : golden->steps) {
            if (!step.is_line()) {
                static_cast<void>(step.pause());
            }
        }
    }
    // "pattern\nsubject"
    const std::size_t newline = text.find('\n');
    if (newline == std::string_view::npos || newline > 200) {
        return 0;
    }
    static pattern::MatchScratch scratch;
    const auto language = static_cast<pattern::Language>(size % 3);
    const std::string_view subject = text.substr(newline + 1, 200);
    if (const auto pattern = pattern::Pattern::compile(language, text.substr(0, newline))) {
        const auto furthest = pattern::find_furthest_match(*pattern, subject, scratch);
        if (furthest &&
            (furthest->text_begin > furthest->text_end || furthest->text_end > subject.size() ||
             furthest->pattern_begin > furthest->pattern_end || furthest->pattern_end > newline)) {
            std::abort();
        }
    }
    return 0;
}
