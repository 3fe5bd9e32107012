// JoinedText: the contents of repeated elements, joined without a separator: OSSEC splits long
// patterns that way. It knows which element each byte came from. Points into the Document.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::xml {

class JoinedText {
  public:
    void append(const Node& node);
    bool is_present() const { return !pieces_.empty(); }
    const std::string& text() const { return text_; }
    std::size_t piece_count() const { return pieces_.size(); }
    // The first element. REQUIRES: is_present().
    const Node& first() const { return pieces_.front().node; }
    // Name of the first element. REQUIRES: is_present().
    std::string element() const { return std::string(first().name()); }
    // An error at byte `offset` of text(), in the element that it came from. REQUIRES:
    // is_present().
    base::Diagnostic error(std::string code, std::string message, std::size_t offset = 0,
                           std::size_t length = 0) const;

  private:
    struct Piece {
        std::size_t begin;
        Node node;
    };
    std::string text_;
    std::vector<Piece> pieces_;
};

}  // namespace portcullis::xml
