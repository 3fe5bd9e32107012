// A part of a line of a configuration file without the blanks around it.
#pragma once

#include <string_view>

namespace portcullis::execd {

// Blanks are spaces, tabs and carriage returns. The result points into `text`.
constexpr std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace portcullis::execd
