// Pattern: OS_Regex, OS_Match and PCRE2 behind one value (spec: regex).
//
// OS_Regex and OS_Match are translated to PCRE2 text (see os_regex.hpp, os_match.hpp), anchored
// literals are compared directly. A Pattern is immutable after compile(), and many threads may use
// it at a time. The memory that a match writes to is in a MatchScratch, used by one thread at a
// time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portcullis::pattern {

enum class Language : std::uint8_t { OsRegex, OsMatch, Pcre2 };

// At most this many captures are kept (spec: regex, section 1.5).
inline constexpr std::size_t kMaxCaptures = 64;

// The groups that took part in the match, in order, without the others ("squeezed").
// Views point into the subject.
class Captures {
  public:
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::string_view operator[](std::size_t index) const { return values_[index]; }
    const std::string_view* begin() const { return values_.data(); }
    const std::string_view* end() const { return values_.data() + size_; }
    void clear() { size_ = 0; }
    void push_back(std::string_view value) {
        if (size_ < kMaxCaptures) {
            values_[size_++] = value;
        }
    }

  private:
    std::array<std::string_view, kMaxCaptures> values_;
    std::size_t size_ = 0;
};

// Working memory of matching and its counters. Used by one thread at a time.
class MatchScratch {
  public:
    MatchScratch();
    ~MatchScratch();
    MatchScratch(const MatchScratch&) = delete;
    MatchScratch& operator=(const MatchScratch&) = delete;
    MatchScratch(MatchScratch&&) noexcept;
    MatchScratch& operator=(MatchScratch&&) noexcept;

    // Call it before each event. After a limit was hit, it is a hundred times lower for the further
    // matches of the same event, so that one line cannot cost the full limit for each pattern.
    void begin_event();
    // Number of matches that ended because a limit of PCRE2 was hit; they count as "no match".
    std::uint64_t limit_hits() const;
    // Off: PCRE2's interpreter is used even where JIT code exists (tests compare both).
    void set_jit(bool on);

    struct Impl;
    Impl& impl() { return *impl_; }

  private:
    std::unique_ptr<Impl> impl_;
};

class Pattern {
  public:
    // Compiles `text` as it is. On failure the Diagnostic has code "bad-pattern" and place.column =
    // the 1-based byte of the error in `text` (0 = not known); the caller adds file and line.
    static base::Result<Pattern> compile(Language language, std::string_view text);

    // End of the first match in `subject` as an offset; nullopt = no match. `captures`, if given,
    // is overwritten (emptied when there is no match).
    std::optional<std::size_t> match(std::string_view subject, MatchScratch& scratch,
                                     Captures* captures = nullptr) const;

    // Like match(), without the position and the captures.
    bool matches(std::string_view subject, MatchScratch& scratch) const {
        return match(subject, scratch).has_value();
    }

    // False for an anchored literal, which is compared without a regex: it cannot capture.
    bool has_regex() const;
    // Number of groups written in the pattern.
    int group_count() const;
    Language language() const;
    // The text that compile() was given.
    const std::string& text() const;
    // The text that PCRE2 compiled; empty for an anchored literal. For tests and --explain.
    const std::string& translated() const;

  private:
    struct Impl;
    explicit Pattern(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<const Impl> impl_;
};

// Word match of <if_group> against a group string, at load time (spec: regex, section 4).
bool word_match(std::string_view text, std::string_view group_string);

}  // namespace portcullis::pattern
