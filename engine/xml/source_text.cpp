#include "engine/xml/source_text.hpp"

#include <algorithm>
#include <utility>

namespace portcullis::xml {

SourceText::SourceText(std::string file, std::string text)
    : file_(std::move(file)), text_(std::move(text)), line_starts_{0} {
    for (std::size_t i = text_.find('\n'); i != std::string::npos; i = text_.find('\n', i + 1)) {
        line_starts_.push_back(static_cast<std::uint32_t>(i + 1));
    }
}

std::size_t SourceText::line_index_of(std::size_t offset) const {
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    return static_cast<std::size_t>(after - line_starts_.begin()) - 1;
}

std::string_view SourceText::line(std::size_t index) const {
    const std::size_t begin = line_starts_[index];
    const std::size_t end =
        index + 1 < line_starts_.size() ? line_starts_[index + 1] - std::size_t{1} : text_.size();
    return std::string_view(text_).substr(begin, end - begin);
}

base::SourcePlace SourceText::place_of(std::size_t offset) const {
    const std::size_t index = line_index_of(offset);
    return {file_, static_cast<int>(index + 1), static_cast<int>(offset - line_starts_[index] + 1)};
}

base::Diagnostic SourceText::error(std::string code, std::string message, std::size_t offset,
                                   std::size_t length) const {
    // A very long line (a megabyte without a newline) is not copied: nobody reads it.
    constexpr std::size_t kMaxSnippetLine = 8192;
    base::Diagnostic diagnostic =
        base::make_error(std::move(code), std::move(message), place_of(offset));
    const std::size_t index = line_index_of(offset);
    const std::string_view whole = line(index);
    const std::size_t column = offset - line_starts_[index];
    if (column < kMaxSnippetLine) {
        diagnostic.source_line = whole.substr(0, kMaxSnippetLine);
    }
    const std::size_t room = whole.size() > column ? whole.size() - column : 1;
    diagnostic.caret_length = static_cast<int>(std::clamp<std::size_t>(length, 1, room));
    return diagnostic;
}

}  // namespace portcullis::xml
