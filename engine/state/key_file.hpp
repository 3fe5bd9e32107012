// KeyFile: a table of keys and the text file that keeps it over a restart, one key a line
// (queue/fts/fts-queue, queue/fts/ig-queue; OSSEC's format).
//
// The table is the truth; the file follows it when flush() is called, by appending. Nothing is
// lost by a file that cannot be written: what is missing in it is written when it can be. Lines
// of keys that made room stay in the file until half of it is such lines; then a new file is
// written, a piece at each flush(), and renamed over it. One process writes, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/rules/bounded_keys.hpp"

namespace portcullis::state {

class KeyFile {
  public:
    // A longer line of the file is not a key (spec: quirks, section 6).
    static constexpr std::size_t kMaxKeyBytes = 255;
    // One flush() writes about as much at most to each of the two files.
    static constexpr std::size_t kFlushBytes = 65'536;

    KeyFile(std::string path, rules::BoundedKeys::Limits limits);

    // Reads the file. Lines that are not keys are skipped: a last line without its newline (a kill
    // tore it off), one that is too long or empty or has a NUL. Error "unreadable-file"; a missing
    // file is empty.
    base::Result<void> load();

    bool contains(std::string_view key) const;
    // At most kMaxKeyBytes of it; a newline counts as a blank.
    void insert(std::string_view key);
    // Of this run only: the file stays.
    void clear() { keys_.clear(); }

    bool has_pending() const { return next_ < keys_.end_number() || rewrite_.fd; }
    // Appends a piece of what is new. No disk is waited for. Error "unwritable-file".
    base::Result<void> flush();
    // All that is new, to survive the end of the machine.
    base::Result<void> sync();

    const rules::BoundedKeys& keys() const { return keys_; }

  private:
    // A new file that is to replace the old one.
    struct Rewrite {
        base::UniqueFd fd;
        std::uint64_t next = 0;  // number of the first key that is not in it
        std::uint64_t lines = 0;
    };

    base::Result<void> open();
    // The lines of the keys from number `next` on, up to kFlushBytes; `next` moves behind them.
    std::string take_lines(std::uint64_t& next, std::uint64_t& lines) const;
    base::Result<void> append();
    base::Result<void> rewrite();
    bool is_mostly_dead() const;
    tl::unexpected<base::Diagnostic> error(std::string_view verb, int number) const;

    std::string path_;
    rules::BoundedKeys keys_;
    base::UniqueFd fd_;
    std::uint64_t next_ = 0;   // number of the first key that is not in the file
    std::uint64_t lines_ = 0;  // in the file, dead ones too
    std::uint64_t lines_before_retry_ = 0;
    Rewrite rewrite_;
};

}  // namespace portcullis::state
