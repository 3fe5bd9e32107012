// Journal: the bans on disk. A kill -9 at any instant loses no ban and makes none permanent.
//
// An append-only file of lines "<crc32 as 8 hex digits> <json>\n"; the last record of a key wins:
//   {"ban": {...}}        active from now on; written before the command runs
//   {"undone": {key}}     its undo was carried out
//   {"offender": {...}}   step of <repeated_offenders>
// A torn or damaged line is skipped and reported. A record with a right checksum and impossible
// values makes no ban. If its key is usable, its ban counts as over, and the next start undoes it;
// otherwise it is dropped. Single-threaded; one per home, guarded by the lock on run/execd.pid.
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
    int damaged = 0;                       // lines with a wrong checksum or content
    std::vector<std::string> absurdities;  // impossible values, for a person; the first few

    bool operator==(const JournalState&) const = default;
};

// Returns the state that the bytes of a journal describe. Never fails: damaged lines are counted.
JournalState replay_journal(std::string_view bytes);

class Journal {
  public:
    // Opens <folder>/bans.journal, and puts its content into `state`. Creates the folder (0700) and
    // the file (0600), if they are missing. Errors: "unreadable-file", "unwritable-file".
    static base::Result<Journal> open(const std::string& folder, JournalState& state);

    // Append a record. It survives the death of execd at once, and a power cut after sync(). false
    // = it could not be written, and the file is unchanged.
    bool put(const Ban& ban);
    bool put(const Offender& offender);
    bool put_undone(const BanKey& key);

    // Waits until all records are on the disk.
    void sync();
    bool needs_sync() const { return needs_sync_; }

    // True if most records of the file are obsolete.
    bool wants_compaction(std::size_t live_records) const;
    // Replaces the file by one that holds only `state`, in one step.
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
