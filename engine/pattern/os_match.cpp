#include "engine/pattern/os_match.hpp"

#include <fmt/format.h>

#include <array>

namespace portcullis::pattern {

bool os_match_is_always_true(std::string_view pattern) {
    return pattern.empty() || pattern.front() == '|' || pattern.back() == '|' ||
           pattern.find("||") != std::string_view::npos;
}

base::Result<Translation> translate_os_match(std::string_view pattern) {
    if (pattern.size() > kMaxOsPatternLength) {
        return base::fail(bad_pattern(fmt::format("the pattern has {} bytes, more than {}",
                                                  pattern.size(), kMaxOsPatternLength),
                                      0));
    }
    constexpr std::string_view kToEscape = ".[]{}+?*()\\";
    Translation out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (kToEscape.find(pattern[i]) != std::string_view::npos) {
            out.append("\\", i);
        }
        out.append(pattern.substr(i, 1), i);
    }
    return out;
}

}  // namespace portcullis::pattern
