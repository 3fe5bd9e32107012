#include "engine/pattern/translate.hpp"

#include <algorithm>
#include <cstdint>

#include "engine/pattern/os_match.hpp"

namespace portcullis::pattern {
namespace {

Translation untranslated(std::string_view text) {
    Translation out;
    out.text = text;
    out.origins.resize(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        out.origins[i] = static_cast<std::uint16_t>(std::min<std::size_t>(i, UINT16_MAX));
    }
    return out;
}

}  // namespace

base::Result<Translation> translate(Language language, std::string_view text) {
    switch (language) {
        case Language::OsRegex:
            return translate_os_regex(text);
        case Language::OsMatch:
            return translate_os_match(text);
        case Language::Pcre2:
            break;
    }
    if (text.empty()) {
        return base::fail(bad_pattern("the pattern is empty", 0));
    }
    return untranslated(text);
}

}  // namespace portcullis::pattern
