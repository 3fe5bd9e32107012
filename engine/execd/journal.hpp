// Journal: the bans on disk, so that kill -9 at any instant loses none and makes none permanent.
//
// An append-only file of lines "<crc32 as 8 hex digits> <json>\n"; the last record of a key wins:
//   {"ban": {...}}        in force from now on (written before the command runs)
//   {"undone": {key}}     its undo has been carried out
//   {"offender": {...}}   step of <repeated_offenders>
// A torn or damaged line is skipped and reported, the others count. A record that is whole but
// absurd makes no ban: without a usable key it is dropped, otherwise its ban counts as over, so
// that the next start undoes it. Single-threaded, one per home (the lock on run/execd.pid guards
// it).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/execd/ban.hpp"

namespace portcullis::execd {

struct JournalState {
    std::map<BanKey, Ban> bans;
    std::map<BanKey, Offender> offenders;
    int records = 0;
    int damaged = 0;                       // lines whose checksum or content was wrong
    std::vector<std::string> absurdities;  // of records, for a person; the first few

    bool operator==(const JournalState&) const = default;
};

// The state that the bytes of a journal lead to. Never fails: what is damaged is counted.
JournalState replay_journal(std::string_view bytes);

class Journal {
  public:
    // Opens <folder>/bans.journal, making folder (0700) and file (0600) if need be, and moves what
    // it holds to `state`. Errors: "unreadable-file", "unwritable-file".
    static base::Result<Journal> open(const std::string& folder, JournalState& state);

    // Hand one record to the kernel: survives the death of execd, not yet a power cut.
    // false = it could not be written; the file is as it was before.
    bool put(const Ban& ban);
    bool put(const Offender& offender);
    bool put_undone(const BanKey& key);

    // Waits until all records are on the disk.
    void sync();
    bool needs_sync() const { return needs_sync_; }

    // True once most of the file is history.
    bool wants_compaction(std::size_t live_records) const;
    // Replaces the file, in one step, by one that holds just this state.
    base::Result<void> compact(const JournalState& state);

  private:
    Journal(std::string path, base::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    bool append(const std::string& line);

    std::string path_;
    base::UniqueFd fd_;
    std::size_t records_ = 0;
    bool needs_sync_ = false;
    bool starts_torn_ = false;  // the file ends within a line: begin the next one afresh
};

}  // namespace portcullis::execd
