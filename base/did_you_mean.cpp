#include "base/did_you_mean.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"

namespace portcullis::base {
namespace {

constexpr std::size_t kMaxWord = 64;

std::size_t tolerated_edits(std::size_t length) { return length <= 4 ? 1 : length <= 8 ? 2 : 3; }

}  // namespace

// The optimal string alignment distance; three rows of the table are enough for the swaps.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    if (a.size() > kMaxWord || b.size() > kMaxWord) {
        return std::max(a.size(), b.size());
    }
    using TableRow = std::array<std::size_t, kMaxWord + 1>;
    TableRow before_last{};
    TableRow last{};
    TableRow row{};
    for (std::size_t j = 0; j <= b.size(); ++j) {
        last[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                                 lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    return last[b.size()];
}

std::optional<std::string_view> find_similar(std::string_view word,
                                             const std::vector<std::string_view>& candidates) {
    std::optional<std::string_view> best;
    std::size_t best_distance = tolerated_edits(word.size()) + 1;
    for (const auto candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        // As many edits as the word has bytes would turn it into any other word.
        if (distance < best_distance && distance < word.size()) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
    const auto similar = find_similar(word, candidates);
    return similar ? "did you mean \"" + std::string(*similar) + "\"?" : std::string();
}

}  // namespace portcullis::base
