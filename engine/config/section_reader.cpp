#include "engine/config/section_reader.hpp"

#include <fmt/format.h>

#include <utility>

namespace portcullis::config {

const xml::Node* Block::find(std::string_view option) const {
    const auto found = seen.find(option);
    return found != seen.end() ? &found->second : nullptr;
}

void SectionReader::add(base::Diagnostic diagnostic, std::string hint) {
    diagnostic.context =
        option_name.empty() ? section_name : fmt::format("{} > {}", section_name, option_name);
    if (!hint.empty()) {
        diagnostic.hint = std::move(hint);
    }
    diagnostics_.add(std::move(diagnostic));
}

void SectionReader::add_warning(base::Diagnostic diagnostic, std::string hint) {
    diagnostic.severity = base::Severity::Warning;
    add(std::move(diagnostic), std::move(hint));
}

void SectionReader::bad_value(const xml::Node& option, std::string code, std::string message,
                              std::string hint) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::string_view text = option.text();
    const bool has_blanks_around =
        !text.empty() && (kBlanks.find(text.front()) != std::string_view::npos ||
                          kBlanks.find(text.back()) != std::string_view::npos);
    if (has_blanks_around) {
        hint = "remove the blanks and line breaks around the value: they are part of it";
    }
    add(option.error_in_text(std::move(code), std::move(message)), std::move(hint));
}

base::Diagnostic FileReference::error(std::string code, std::string message) const {
    base::Diagnostic diagnostic = base::make_error(std::move(code), std::move(message), place);
    diagnostic.source_line = source_line;
    diagnostic.caret_length = caret_length;
    return diagnostic;
}

}  // namespace portcullis::config
