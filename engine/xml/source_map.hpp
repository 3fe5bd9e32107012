// SourceMap: from a byte of the normalised text to the bytes of the file that it comes from.
//
// The normaliser adds a run for each stretch of a name, value or content that it writes: a run is
// either a copy (byte i comes from byte i, whatever escapes XML needed) or a variable's value (all
// of it comes from the reference). The runs of one content are adjacent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace portcullis::xml {

struct SourceRange {
    std::size_t begin = 0;
    std::size_t length = 0;
};

class SourceMap {
  public:
    struct Run {
        std::uint32_t normal_begin = 0;   // in the normalised text
        std::uint32_t plain_length = 0;   // bytes once XML's escapes are decoded
        std::uint32_t source_begin = 0;   // in the file
        std::uint32_t source_length = 0;  // differs from plain_length for a reference only
        bool is_reference = false;
    };

    // Runs are added in order of normal_begin.
    void add(const Run& run) { runs_.push_back(run); }

    // Where bytes [offset, offset+length) come from, of the decoded text that starts at
    // `normal_begin` and is `text_length` long. REQUIRES: offset + length <= text_length.
    SourceRange source_of(std::size_t normal_begin, std::size_t text_length, std::size_t offset,
                          std::size_t length) const;

  private:
    std::vector<Run> runs_;
};

}  // namespace portcullis::xml
