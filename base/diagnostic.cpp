#include "base/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/ascii.hpp"

namespace portcullis::base {
namespace {

std::string printable(std::string_view text) {
    std::string out(text);
    std::replace_if(out.begin(), out.end(), is_control, ' ');
    return out;
}

std::string place_prefix(const SourcePlace& place) {
    std::string out = printable(place.file);
    if (place.line > 0) {
        out += fmt::format(":{}", place.line);
    }
    if (place.line > 0 && place.column > 0) {
        out += fmt::format(":{}", place.column);
    }
    return out.empty() ? out : out + ": ";
}

std::string snippet(const Diagnostic& diagnostic) {
    const auto& place = diagnostic.place;
    if (diagnostic.source_line.empty() || place.line <= 0) {
        return {};
    }
    // A very long line is cut to a window around the column.
    constexpr std::size_t kWidth = 160;
    const std::string line = printable(diagnostic.source_line);
    const std::size_t column = place.column > 0 ? static_cast<std::size_t>(place.column) - 1 : 0;
    const std::size_t from = column > kWidth / 2 && line.size() > kWidth ? column - kWidth / 2 : 0;
    const std::string shown = from < line.size() ? line.substr(from, kWidth) : std::string();
    std::string out = fmt::format("  {:>5} | {}\n", place.line, shown);
    if (place.column > 0) {
        const auto room = shown.size() > column - from ? shown.size() - (column - from) : 1;
        const auto wanted = static_cast<std::size_t>(std::max(diagnostic.caret_length, 1));
        out += fmt::format("        | {}^{}\n", std::string(column - from, ' '),
                           std::string(std::min(wanted, room) - 1, '~'));
    }
    return out;
}

}  // namespace

Diagnostic make_error(std::string code, std::string message, SourcePlace place) {
    Diagnostic diagnostic;
    diagnostic.code = std::move(code);
    diagnostic.message = std::move(message);
    diagnostic.place = std::move(place);
    return diagnostic;
}

Diagnostic make_warning(std::string code, std::string message, SourcePlace place) {
    Diagnostic diagnostic = make_error(std::move(code), std::move(message), std::move(place));
    diagnostic.severity = Severity::Warning;
    return diagnostic;
}

std::string error_text(int error) { return std::generic_category().message(error); }

void Diagnostics::add(Diagnostic diagnostic) {
    if (diagnostic.severity == Severity::Error) {
        ++error_count_;
    }
    all_.push_back(std::move(diagnostic));
}

std::string render(const Diagnostic& diagnostic) {
    std::string out = place_prefix(diagnostic.place);
    out += diagnostic.severity == Severity::Error ? "error: " : "warning: ";
    out += printable(diagnostic.message);
    if (!diagnostic.code.empty()) {
        out += fmt::format(" [{}]", diagnostic.code);
    }
    out += '\n';
    if (!diagnostic.context.empty()) {
        out += fmt::format("  in {}\n", printable(diagnostic.context));
    }
    out += snippet(diagnostic);
    if (!diagnostic.hint.empty()) {
        out += fmt::format("  hint: {}\n", printable(diagnostic.hint));
    }
    return out;
}

std::string render(const Diagnostics& diagnostics) {
    std::string out;
    for (const auto& diagnostic : diagnostics.all()) {
        out += render(diagnostic);
    }
    return out;
}

}  // namespace portcullis::base
