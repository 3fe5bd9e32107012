// LogTarget: the destination of finished lines: the log file, standard output, or syslog.
//
// The seam under LogWriter. No target waits: lines that cannot be written now stay with the writer.
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
    // Writes as many bytes of `lines` (whole lines with their newlines) as it can, and returns
    // their number. If it is less than all, errno has the reason, and the rest can be tried again.
    virtual std::size_t write(std::string_view lines) = 0;
    // Opens the target again, after a rotation of the file. On failure the old one stays in use.
    virtual base::Result<void> reopen() = 0;
    // Lets `user` open it again; for a file that belongs to the sensor alone. Error
    // "unwritable-file".
    virtual base::Result<void> give_to(uid_t /*user*/, gid_t /*group*/) { return {}; }
    // True for syslog, which has its own time stamps and collapses repeats itself.
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
