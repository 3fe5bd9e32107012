// LastLogFiles: the logs of <check_diff> and the files that keep them over a restart, in OSSEC's
// layout: queue/diff/<host>/<rule id>/last-entry holds the log and nothing else.
//
// The table is the truth; flush() writes some of the changed files, each replaced as a whole. Host
// names come from logs, which strangers write: see folder_name_of(). One thread of one process
// writes.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/rules/last_logs.hpp"

namespace portcullis::state {

// The folder name of `host`: the name itself if it is plain; other bytes than letters, digits,
// '-', '_', ':' and '.' (and a '.' at the beginning) are written as "%2F", and of a long one the
// end is a hash. So no name leads out of the folder, and different names stay different.
std::string folder_name_of(std::string_view host);

class LastLogFiles {
  public:
    // Files that one flush() writes or removes at most.
    static constexpr std::size_t kFilesPerFlush = 16;
    // check_diff ignores longer logs (spec: rules, section 10).
    static constexpr std::size_t kMaxLogBytes = 8'192;

    LastLogFiles(std::string folder, rules::LastLogs::Limits limits);

    // Reads the files, the newest last. Files of other kinds are skipped. Error
    // "unreadable-file"; a missing folder is empty.
    base::Result<void> load();

    // As StateStore::exchange_last_log().
    std::optional<std::string> exchange(std::string_view host, int rule_id, std::string_view log);
    // Forgets the logs in memory; the files stay.
    void clear() { logs_.clear(); }

    bool has_pending() const { return !changed_.empty() || !dead_.empty(); }
    // Writes some of the changed files. Error "unwritable-file".
    base::Result<void> flush();
    // Writes all of them with fsync, so that they survive a power failure.
    base::Result<void> sync();

    const rules::LastLogs& logs() const { return logs_; }

  private:
    using Key = std::pair<std::string, int>;  // folder name of the host, rule

    void on_evicted(std::string_view host, int rule_id);
    base::Result<void> write(const Key& key, base::Durability durability);
    void remove(const Key& key) const;
    std::string rule_folder(const Key& key) const;
    std::string path_of(const Key& key) const;

    std::string folder_;
    rules::LastLogs::Limits limits_;
    rules::LastLogs logs_;   // by folder name of the host
    std::set<Key> on_disk_;  // of the table, and in a file
    std::set<Key> changed_;  // of the table, and not as the file has it
    std::set<Key> dead_;     // in a file, and no more in the table
};

}  // namespace portcullis::state
