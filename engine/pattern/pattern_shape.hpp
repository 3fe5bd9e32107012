// PatternShape: the structure of a pattern as a tree, for lint_pattern() and the measurement of
// backtracking.
//
// Parsed from the PCRE2 text that the pattern becomes. It knows the syntax that log patterns use. A
// pattern with other syntax (recursion, conditions, \Q…\E, extended mode) has no shape, and lint
// reports nothing about it. The tree does not have to be exact: it only proposes inputs, and PCRE2
// is measured.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pattern/pattern.hpp"

namespace portcullis::pattern {

using ByteSet = std::bitset<256>;

struct ShapeNode {
    enum class Kind : std::uint8_t {
        Bytes,        // one byte of `bytes`
        Sequence,     // all children in order
        Alternation,  // one of the children
        Repeat,       // children[0], `least` to `most` times
        Group,        // children[0]; `is_capture` or not
        Look,         // children[0], a look-ahead or -behind: takes no text
        Start,        // ^ \A
        End,          // $ \z \Z
        Empty,        // nothing, or what takes no text (\b), or an unknown text (\1)
    };
    static constexpr int kUnlimited = -1;

    Kind kind = Kind::Empty;
    ByteSet bytes;
    std::vector<std::size_t> children;  // indices of nodes
    int least = 1;
    int most = 1;
    bool is_capture = false;
    bool is_negative = false;  // a look that must not match
    bool is_atomic = false;    // a group or repeat that gives nothing back
    // In the pattern's own text.
    std::size_t begin = 0;
    std::size_t end = 0;
};

class PatternShape {
  public:
    // REQUIRES: Pattern::compile() accepts the text. nullopt = unsupported syntax.
    static std::optional<PatternShape> parse(Language language, std::string_view text);

    const ShapeNode& node(std::size_t index) const { return nodes_[index]; }
    std::size_t size() const { return nodes_.size(); }
    std::size_t root() const { return root_; }

    // A text that the node matches, most likely; at most some KiB.
    std::string example_of(std::size_t index) const;

  private:
    friend class ShapeParser;
    std::vector<ShapeNode> nodes_;
    std::size_t root_ = 0;
};

}  // namespace portcullis::pattern
