// FileStateStore: the state of rules that the daemon keeps over restarts, in the files of
// <home>/queue (docs/layout.md). logtest reads the same files and does not write them.
//
// Calls of the analysis touch memory only. The owner calls flush() after each batch of lines, and
// flush_keys() before it writes its read positions. Used by one thread; not movable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "base/log.hpp"
#include "engine/rules/state_store.hpp"
#include "engine/state/key_file.hpp"
#include "engine/state/last_log_files.hpp"

namespace portcullis::state {

class FileStateStore final : public rules::StateStore {
  public:
    // `queue`: the folder; below it fts/ and diff/ are made when there is something to write.
    explicit FileStateStore(const std::string& queue, const rules::StateLimits& limits = {});

    // Reads the files. A file that cannot be read is a warning in `diagnostics`, and its table is
    // empty.
    void load(base::Diagnostics& diagnostics);

    bool knows_first_time(std::string_view key) const override {
        return first_times_.contains(key);
    }
    void remember_first_time(std::string_view key) override { first_times_.insert(key); }
    std::optional<std::string> exchange_last_log(std::string_view host, int rule_id,
                                                 std::string_view log) override {
        return last_logs_.exchange(host, rule_id, log);
    }
    bool is_ignored(std::string_view key) const override { return ignored_.contains(key); }
    void ignore(std::string_view key) override { ignored_.insert(key); }
    // Forgets everything in memory; the files stay.
    void clear();

    // Whether there are changes that are not in the files yet.
    bool has_pending() const;
    // Writes a piece of them without waiting for the disk. False = a file could not be written.
    // That is logged when it begins and when it ends; nothing is lost, and the next call tries
    // again.
    bool flush(base::Log& log);
    // Writes all keys, so that read positions that are written afterwards are not ahead of them.
    bool flush_keys(base::Log& log);
    // Writes everything with fsync, so that it survives a power failure: at a clean stop.
    bool sync(base::Log& log);

    struct Counters {
        std::size_t first_time_keys = 0;
        std::size_t ignored_keys = 0;
        std::size_t last_logs = 0;
        std::uint64_t evicted = 0;  // entries that left because a table was full
        std::uint64_t write_failures = 0;
    };
    Counters counters() const;

  private:
    template <class Write>
    bool write_all(base::Log& log, Write write);

    KeyFile first_times_;
    KeyFile ignored_;
    LastLogFiles last_logs_;
    std::uint64_t write_failures_ = 0;
    bool is_failing_ = false;
};

}  // namespace portcullis::state
