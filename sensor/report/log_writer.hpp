// LogWriter: the log itself: time stamps, repeat collapsing, the file, standard output or syslog.
//
// Lines gather in a buffer until flush(), which writes them with a single write(2); the caller
// flushes after each batch of packets and at once for a detection. Spec section 2 is the source of
// the format and of the collapsing. Single-threaded. A log that cannot be written loses lines,
// counts them, and is tried again with the next line.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/clock.hpp"
#include "engine/base/fd.hpp"
#include "engine/base/result.hpp"

namespace portcullis::sensor_report {

// Where finished lines go.
class LogTarget {
  public:
    virtual ~LogTarget() = default;
    // `lines`: whole lines with their newlines. False = they are lost.
    virtual bool write(std::string_view lines) = 0;
    // Opens it anew, after the file was rotated. On failure the old one stays in use.
    virtual base::Result<void> reopen() = 0;
    // Lets `user` open it anew; for a file that is only ours. Error "unwritable-file".
    virtual base::Result<void> give_to(uid_t /*user*/, gid_t /*group*/) { return {}; }
    // iplog: a time before each line and collapsed repeats; not for syslog, which has its own.
    virtual bool has_own_time() const { return false; }
};

// Appends to `path`, created 0644; symbolic links as for base::open_for_append(). Error
// "unwritable-file".
base::Result<std::unique_ptr<LogTarget>> open_log_file(const std::string& path);
std::unique_ptr<LogTarget> standard_output();
// ident "iplog", with the process id. `facility` and `priority` as for syslog(3).
std::unique_ptr<LogTarget> syslog_target(int facility, int priority);

class LogWriter {
  public:
    explicit LogWriter(std::unique_ptr<LogTarget> target) : target_(std::move(target)) {}

    // Adds a line, or counts it as a repetition of the one before.
    void add(base::Timestamp time, std::string_view message);
    // Writes what is in the buffer.
    void flush();
    // Writes the count of repetitions, if any, as well.
    void finish(base::Timestamp time);
    base::Result<void> reopen();

    std::uint64_t lines_lost() const { return lines_lost_; }

  private:
    void append(std::int64_t second, std::string_view message);
    void append_repeats(std::int64_t second);

    std::unique_ptr<LogTarget> target_;
    std::string buffer_;
    std::uint64_t buffered_lines_ = 0;
    std::uint64_t lines_lost_ = 0;

    std::string last_;
    bool has_last_ = false;
    std::uint64_t repeats_ = 0;
    std::int64_t repeats_until_ = 0;

    std::int64_t stamp_second_ = -1;
    std::string stamp_;  // "Nov  9 16:24:47 "
};

}  // namespace portcullis::sensor_report
