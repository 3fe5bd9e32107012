#include "engine/collect/record_reader.hpp"

#include <algorithm>

namespace portcullis::collect {

void LineReader::feed(std::string_view bytes, const RecordHandler& handler) {
    while (!bytes.empty()) {
        const std::size_t newline = bytes.find('\n');
        const bool is_complete = newline != std::string_view::npos;
        std::string_view piece = bytes.substr(0, newline);
        bytes.remove_prefix(is_complete ? newline + 1 : bytes.size());
        if (is_complete && partial_.empty() && piece.size() <= kMaxRecord) {
            handler(piece);  // the usual case: no copy
            continue;
        }
        while (partial_.size() + piece.size() > kMaxRecord) {
            const std::size_t taken = kMaxRecord - partial_.size();
            partial_.append(piece.substr(0, taken));
            piece.remove_prefix(taken);
            handler(partial_);
            partial_.clear();
        }
        partial_.append(piece);
        if (is_complete) {
            handler(partial_);
            partial_.clear();
        }
    }
}

void LineReader::finish(const RecordHandler& handler) {
    if (!partial_.empty()) {
        handler(partial_);
        partial_.clear();
    }
}

}  // namespace portcullis::collect
