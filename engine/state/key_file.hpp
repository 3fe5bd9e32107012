// KeyFile: a table of keys and the text file that keeps it over a restart, one key a line
// (queue/fts/fts-queue, queue/fts/ig-queue; OSSEC's format).
//
// The table is the truth; flush() appends the new keys to the file. If the file cannot be written,
// nothing is lost: the missing keys are written when it can be. Lines of evicted keys stay in the
// file until they are half of it. Then a new file is written, a piece at each flush(), and renamed
// over it. One thread of one process writes.
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
    // Bytes that one flush() writes at most, about, to each of the two files.
    static constexpr std::size_t kFlushBytes = 65'536;

    KeyFile(std::string path, rules::BoundedKeys::Limits limits);

    // Reads the file. Lines that are not keys are skipped: a last line without its newline (a kill
    // tore it off), one that is too long or empty or has a NUL. Error "unreadable-file"; a missing
    // file is empty.
    base::Result<void> load();

    bool contains(std::string_view key) const;
    // Keeps at most kMaxKeyBytes of `key`; a newline counts as a blank.
    void insert(std::string_view key);
    // Forgets the keys in memory; the file stays.
    void clear() { keys_.clear(); }

    bool has_pending() const { return next_ < keys_.end_number() || rewrite_.fd; }
    // Appends a piece of the new keys, without waiting for the disk. Error "unwritable-file".
    base::Result<void> flush();
    // Appends all new keys with fsync, so that they survive a power failure.
    base::Result<void> sync();

    const rules::BoundedKeys& keys() const { return keys_; }

  private:
    // A new file that will replace the old one.
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
