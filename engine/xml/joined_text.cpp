#include "engine/xml/joined_text.hpp"

#include <algorithm>
#include <utility>

namespace portcullis::xml {

void JoinedText::append(const Node& node) {
    pieces_.push_back({text_.size(), node});
    text_ += node.text();
}

base::Diagnostic JoinedText::error(std::string code, std::string message, std::size_t offset,
                                   std::size_t length) const {
    const auto behind =
        std::upper_bound(pieces_.begin() + 1, pieces_.end(), offset,
                         [](std::size_t at, const Piece& piece) { return at < piece.begin; });
    const Piece& piece = *(behind - 1);
    return piece.node.error_in_text(std::move(code), std::move(message), offset - piece.begin,
                                    length);
}

}  // namespace portcullis::xml
