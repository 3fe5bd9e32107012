// Collector: all <localfile>s of a configuration, followed on an event loop.
//
//   inotify / 250 ms polling → FileTailer → LineHandler
//
// A line is handed out in the round of the loop in which its file changed. Files are read in turn,
// kBudget bytes each. Read positions are written to the checkpoint file at most once a second while
// they change. The handler has processed a line before its position is written, so a kill repeats
// at most the last second and loses nothing. Single-threaded; the handler must not call back into
// the Collector.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "engine/collect/checkpoint.hpp"
#include "engine/collect/file_tailer.hpp"
#include "engine/collect/file_watch.hpp"
#include "engine/collect/local_file.hpp"

namespace portcullis::collect {

struct CollectorOptions {
    StartAt first_start = StartAt::End;  // of files that are not in a checkpoint
    bool use_inotify = true;             // false: poll every file
    bool can_watch_folders = true;       // false: as if no folder could be read (tests)
    std::string checkpoint_path;         // empty: positions are not kept
    // Called before positions are written, to write the results of the lines before them. False =
    // that failed, so the positions are not written either.
    std::function<bool()> before_checkpoint = {};
};

class Collector {
  public:
    static constexpr std::size_t kBudget = 65'536;
    static constexpr std::chrono::milliseconds kPollPeriod{250};
    // For files that cannot be read, and paths whose folder cannot be watched.
    static constexpr std::chrono::seconds kRetryPeriod{5};
    static constexpr std::chrono::seconds kCheckpointPeriod{1};
    // Time between two computations of the name of a location with a date.
    static constexpr std::chrono::seconds kDatePeriod{1};
    // Time after a change of the date during which files of the old name are followed. The name
    // comes back within it when daylight saving time ends, and must not be read again then.
    static constexpr std::chrono::seconds kOldNameTime{3600};
    // Most former names of each location; the oldest is dropped.
    static constexpr std::size_t kMaxOldNames = 64;

    // All referred to must outlive the Collector.
    Collector(base::EventLoop& loop, base::Log& log, const base::Clock& clock,
              CollectorOptions options, LineHandler handler);
    ~Collector();
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    // Follows these files from now on. Files that were followed before continue at their position;
    // the first call continues at the positions of the checkpoint. Files of a format that is not in
    // log_formats() are skipped.
    void set_files(std::vector<LocalFileConfig> files);

    // Writes the checkpoint now, and to the disk (fsync): for a clean stop.
    void save_positions();

    const TailerCounters& counters() const { return counters_; }
    std::size_t file_count() const { return entries_.size(); }
    // Whether some path is checked every kPollPeriod, because its changes are not reported.
    bool is_polling() const { return static_cast<bool>(poll_timer_); }

  private:
    struct Entry {
        FileTailer tailer;
        FileWatch::Key key;
        bool is_wanted = true;
        bool is_polled = false;
        std::uint64_t watched_generation = 0;
    };

    using Entries = std::map<std::string, Entry>;  // by path

    struct OldName {
        std::string pattern;
        base::Timestamp until;
    };
    // A <localfile>, and the pattern of its location now (see with_date).
    struct Location {
        LocalFileConfig file;
        std::string pattern;
        std::vector<OldName> old_names;  // oldest first; of another date
        // Until the next scan: only files of an earlier date were read, so the files of the pattern
        // are new.
        bool is_of_new_date = false;
    };

    // Computes the patterns at `now`. True if one has changed, or an old one has expired.
    bool update_patterns(base::Timestamp now);
    // Adds the names of a dated location that are in the checkpoint and have an earlier date.
    void take_up_saved_names(Location& location, base::Timestamp now) const;
    void keep_time();
    void rescan();
    void watch_folders();
    void want(const std::string& path, const LocalFileConfig& file, StartAt start_of_new);
    Entries::iterator forget(Entries::iterator entry);
    void look_at(Entry& entry);
    void read(Entry& entry);
    void read_everything();
    void update_watches(Entry& entry);
    bool must_poll() const;
    void arm_timers();
    void on_positions_changed();
    // false = not allowed yet (before_checkpoint).
    bool write_checkpoint(base::Durability durability);
    Checkpoint positions() const;

    base::EventLoop& loop_;
    base::Log& log_;
    const base::Clock& clock_;
    CollectorOptions options_;
    LineHandler handler_;
    TailerCounters counters_;

    std::vector<Location> locations_;
    Entries entries_;
    std::map<FileWatch::Key, Entry*> entry_of_key_;
    FileWatch::Key next_key_;
    Checkpoint saved_;  // of the previous run; used by the first set_files() only
    StartAt start_of_new_ = StartAt::Beginning;
    bool has_unwatched_folders_ = false;
    bool said_polling_ = false;
    bool checkpoint_failed_ = false;
    std::vector<std::string> watched_folders_;

    FileWatch watch_;
    base::EventLoop::Source on_inotify_;
    base::EventLoop::Source continue_timer_;
    base::EventLoop::Source poll_timer_;
    base::EventLoop::Source retry_timer_;
    base::EventLoop::Source quiet_timer_;
    base::EventLoop::Source date_timer_;
    base::EventLoop::Source checkpoint_timer_;
};

}  // namespace portcullis::collect
