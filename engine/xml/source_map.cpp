#include "engine/xml/source_map.hpp"

#include <algorithm>

namespace portcullis::xml {

SourceRange SourceMap::source_of(std::size_t normal_begin, std::size_t text_length,
                                 std::size_t offset, std::size_t length) const {
    auto run = std::lower_bound(
        runs_.begin(), runs_.end(), normal_begin,
        [](const Run& candidate, std::size_t wanted) { return candidate.normal_begin < wanted; });
    const std::size_t last = length == 0 ? offset : offset + length - 1;
    SourceRange range;
    bool has_begin = false;
    std::size_t plain_begin = 0;  // of *run, within the decoded text
    for (; run != runs_.end(); ++run) {
        const std::size_t plain_end = plain_begin + run->plain_length;
        const bool is_last_run = plain_end >= text_length;
        if (!has_begin && (offset < plain_end || is_last_run)) {
            range.begin = run->source_begin + (run->is_reference ? 0 : offset - plain_begin);
            has_begin = true;
        }
        if (has_begin && (last < plain_end || is_last_run)) {
            const std::size_t end =
                run->is_reference
                    ? std::size_t{run->source_begin} + run->source_length
                    : run->source_begin + (last - plain_begin) + (length == 0 ? 0 : 1);
            range.length = end > range.begin ? end - range.begin : 0;
            return range;
        }
        plain_begin = plain_end;
    }
    return range;
}

}  // namespace portcullis::xml
