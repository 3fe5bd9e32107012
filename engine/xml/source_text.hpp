// SourceText: the bytes of one file, with the line and column of each.
//
// Immutable; made once per document and shared by everything that reports errors in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace portcullis::xml {

class SourceText {
  public:
    // REQUIRES: text.size() < 2^32.
    SourceText(std::string file, std::string text);

    const std::string& file() const { return file_; }
    std::string_view text() const { return text_; }

    // `offset` may be the size of the text (its end).
    base::SourcePlace place_of(std::size_t offset) const;

    // An error at `offset` with its line as the snippet and `length` bytes underlined, not beyond
    // the end of the line.
    base::Diagnostic error(std::string code, std::string message, std::size_t offset,
                           std::size_t length) const;

  private:
    std::size_t line_index_of(std::size_t offset) const;
    std::string_view line(std::size_t index) const;

    std::string file_;
    std::string text_;
    std::vector<std::uint32_t> line_starts_;
};

}  // namespace portcullis::xml
