// LogTarget: where finished lines go: the log file, standard output, or syslog.
//
// The seam under LogWriter. None of them waits: what cannot be written now stays with the writer.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portcullis::sensor_report {

class LogTarget {
  public:
    virtual ~LogTarget() = default;
    // Writes from the start of `lines` (whole lines with their newlines) as much as it can, and
    // returns how many bytes that was. Less than all: the rest can be tried again, errno says why.
    virtual std::size_t write(std::string_view lines) = 0;
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
// RFC 3164 to the local syslog at the socket `path`: ident "iplog", with the process id. `facility`
// and `priority` as for syslog(3). Nobody need listen there yet.
std::unique_ptr<LogTarget> syslog_target(int facility, int priority,
                                         const std::string& path = "/dev/log");

// "Nov  9 16:24:47": local time, English whatever the locale, the day padded with a blank.
std::string time_stamp(std::int64_t second);

}  // namespace portcullis::sensor_report
