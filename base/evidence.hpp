// Evidence: how reliable the address in a report is, and the kind of block that fits it. The
// engine, execd and responders share these words; the sensor writes them as notes
// (docs/iplog-line-format.md). Plain values, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace portcullis::base {

enum class Evidence {
    Proven,     // the source completed a handshake with us within the last minutes, or a service
                // that needs one logged it: the address is real
    Forgeable,  // packets that anyone can send in another's name
    Doubtful,   // there are signs against the address: it may well be forged
};

// Which packets of a blocked source are dropped.
enum class BlockKind {
    Hard,  // everything
    Soft,  // new connections, datagrams to service ports, echo requests, and our refusals to it;
           // established connections and our own connections to it continue
};

// <block> of an <active-response>.
enum class BlockChoice {
    Auto,  // Hard for proven, Soft for forgeable evidence, no block for doubtful evidence
    Hard,
    Soft,
};

inline constexpr std::array<std::string_view, 3> kEvidenceWords = {"proven", "forgeable",
                                                                   "doubtful"};
inline constexpr std::array<std::string_view, 2> kBlockKindWords = {"hard", "soft"};
inline constexpr std::array<std::string_view, 3> kBlockChoiceWords = {"auto", "hard", "soft"};

constexpr std::string_view word_of(Evidence evidence) {
    return kEvidenceWords[static_cast<std::size_t>(evidence)];
}
constexpr std::string_view word_of(BlockKind kind) {
    return kBlockKindWords[static_cast<std::size_t>(kind)];
}
constexpr std::string_view word_of(BlockChoice choice) {
    return kBlockChoiceWords[static_cast<std::size_t>(choice)];
}

namespace detail {
template <typename Value, std::size_t N>
constexpr std::optional<Value> value_of(const std::array<std::string_view, N>& words,
                                        std::string_view word) {
    for (std::size_t i = 0; i < N; ++i) {
        if (words[i] == word) {
            return static_cast<Value>(i);
        }
    }
    return std::nullopt;
}
}  // namespace detail

// nullopt = not one of the words.
constexpr std::optional<Evidence> evidence_of(std::string_view word) {
    return detail::value_of<Evidence>(kEvidenceWords, word);
}
constexpr std::optional<BlockKind> block_kind_of(std::string_view word) {
    return detail::value_of<BlockKind>(kBlockKindWords, word);
}
constexpr std::optional<BlockChoice> block_choice_of(std::string_view word) {
    return detail::value_of<BlockChoice>(kBlockChoiceWords, word);
}

}  // namespace portcullis::base
