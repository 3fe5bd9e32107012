// FileTailer: follows one path over rotations, truncations and times when it leads nowhere.
//
// Does not watch the file itself: the Collector calls look_at_path() when a folder on the way to
// the file changed, and read_available() when the file did. Nothing is lost by
//  - renaming (the old file is read to its end before the new one, and is followed as long as
//    a program still writes to it: kQuietTime),
//  - truncating in place (what is written afterwards is read from its first byte; what was written
//    but not yet read before is gone, as for every reader of such a log),
//  - a path that leads to nothing, to a folder or to an unreadable file: it is checked again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "engine/collect/line_handler.hpp"
#include "engine/collect/log_formats.hpp"
#include "engine/collect/tailed_file.hpp"

namespace portcullis::collect {

// The position from which the first file of a path is read.
enum class StartAt { Beginning, End };

// The positions of one path in a checkpoint.
struct TailedPath {
    std::string path;
    std::optional<FilePosition> current;
    std::vector<FilePosition> previous;  // rotated away, still followed
    bool operator==(const TailedPath&) const = default;
};

// Takes a file over from the tailer that already reads it: the new name of a rotated file may be
// followed too. Returns the position up to which it was read; nullopt = no tailer reads it.
using TakeOver = std::function<std::optional<FilePosition>(FileIdentity)>;

struct TailerCounters {
    std::uint64_t lines = 0;
    std::uint64_t pieces_of_long_lines = 0;  // counted in `lines` as well
    std::uint64_t bytes = 0;
    std::uint64_t rotations = 0;
    std::uint64_t truncations = 0;
};

class FileTailer {
  public:
    // Idle time after which a rotated file is closed.
    static constexpr std::chrono::seconds kQuietTime{60};
    // Number of rotated files that are followed; beyond it, the oldest is closed after it was read
    // to its end.
    static constexpr std::size_t kMaxPrevious = 4;
    // Number of files that may wait for that; beyond it, the rest of the oldest is skipped.
    static constexpr std::size_t kMaxClosing = 16;

    // `log` and `counters` must outlive the tailer. `format` as from find_log_format().
    FileTailer(std::string path, const LogFormat& format, StartAt start, base::Log& log,
               TailerCounters& counters, std::size_t line_count = 1);

    // Call it before the first look_at_path(): continues at the position of an earlier run or
    // another tailer. If the path now leads to another file, the old one is searched in the same
    // folder and read first.
    void resume_from(const TailedPath& saved, base::Timestamp now);

    // Checks where the path leads to now: opens a file that has appeared, notices a rotation. If
    // `take_over` knows the file, reading continues at its position.
    void look_at_path(base::Timestamp now, const TakeOver& take_over);

    // Hands out the complete records, after reading about `budget` bytes at most. First the rotated
    // files in order, then the current one.
    ReadOutcome read_available(const LineHandler& handler, std::size_t budget);

    // Closes rotated files that were idle for kQuietTime, and hands out their unfinished last
    // lines. True = other rotated files remain.
    bool close_quiet_files(base::Timestamp now, const LineHandler& handler);
    // The path is not wanted any longer (yesterday's file of a dated location): from now on its
    // file counts as rotated.
    void retire(base::Timestamp now);

    const std::string& path() const { return path_; }
    const LogFormat& format() const { return *format_; }
    std::size_t line_count() const { return line_count_; }  // of "multi-line: N"
    // No file is open or waited for.
    bool is_idle() const { return !current_ && previous_.empty() && closing_.empty(); }
    bool has_previous() const { return !previous_.empty(); }
    // The path leads to something that cannot be read: check it again later.
    bool is_failing() const { return is_failing_; }
    // At the last check the path led to no file, so one is awaited.
    bool leads_nowhere() const { return leads_nowhere_; }
    // This file is the one that the path leads to.
    bool leads_to(FileIdentity file) const;
    // For TakeOver: stops reading `file`; nullopt = it was not open here.
    std::optional<FilePosition> release(FileIdentity file);
    TailedPath position() const;
    // Descriptors of the open files, for watching; the last is the current one, if any.
    std::vector<int> descriptors() const;
    // Grows whenever descriptors() may have changed.
    std::uint64_t generation() const { return generation_; }

  private:
    struct Previous {
        TailedFile file;
        base::Timestamp quiet_since;
        std::uint64_t bytes_seen = 0;  // at quiet_since
    };

    std::unique_ptr<RecordReader> make_reader() const {
        return format_->make_reader({path_, line_count_});
    }
    void move_to_previous(TailedFile file, base::Timestamp now);
    // Reads from `file` at most `budget` bytes, less what it takes.
    ReadOutcome read(TailedFile& file, const RecordHandler& handler, std::size_t& budget);
    void report_failure(const base::Diagnostic& why);
    RecordHandler record_handler(const LineHandler& handler);
    void report_event(std::string_view what, const LineHandler& handler);

    std::string path_;
    const LogFormat* format_;
    std::size_t line_count_;
    StartAt start_;
    base::Log& log_;
    TailerCounters& counters_;
    std::optional<TailedFile> current_;
    std::optional<FilePosition> resume_at_;
    std::vector<Previous> previous_;  // oldest first
    std::vector<Previous> closing_;   // beyond kMaxPrevious: read to their ends, then closed
    std::string last_failure_;        // reported once per episode
    bool is_failing_ = false;
    bool leads_nowhere_ = false;
    bool rotation_to_report_ = false;
    std::uint64_t generation_ = 0;
};

}  // namespace portcullis::collect
