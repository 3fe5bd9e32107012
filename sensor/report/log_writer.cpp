#include "sensor/report/log_writer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <system_error>

namespace portcullis::sensor_report {
namespace {

constexpr std::int64_t kRepeatSeconds = 60;
constexpr std::size_t kFlushAtBytes = 32 * 1024;

base::Diagnostic log_error(std::string_view what, const std::string& path, int error) {
    base::Diagnostic diagnostic;
    diagnostic.code = "unwritable-file";
    diagnostic.message =
        fmt::format("{} {}: {}", what, path, std::generic_category().message(error));
    diagnostic.place.file = path;
    return diagnostic;
}

base::Result<base::UniqueFd> open_file(const std::string& path) {
    base::UniqueFd fd = base::open_for_append(path, 0644);
    if (!fd) {
        return base::fail(log_error("cannot write the log", path, errno));
    }
    return fd;
}

class FileTarget final : public LogTarget {
  public:
    FileTarget(std::string path, base::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    bool write(std::string_view lines) override { return base::write_all(fd_.get(), lines); }
    base::Result<void> reopen() override {
        auto fd = open_file(path_);
        if (!fd) {
            return base::fail(fd.error());
        }
        fd_ = std::move(*fd);
        return {};
    }
    base::Result<void> give_to(uid_t user, gid_t group) override {
        struct stat status {};
        // By descriptor, since the path may lead elsewhere by now; and no device or other file that
        // has a name elsewhere too.
        if (::fstat(fd_.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) {
            if (::fchown(fd_.get(), user, group) == 0) {
                return {};
            }
            return base::fail(log_error("cannot hand over the log", path_, errno));
        }
        return base::fail(log_error("cannot hand over the log", path_, EPERM));
    }

  private:
    std::string path_;
    base::UniqueFd fd_;
};

class StandardOutput final : public LogTarget {
  public:
    bool write(std::string_view lines) override { return base::write_all(STDOUT_FILENO, lines); }
    base::Result<void> reopen() override { return {}; }
};

class SyslogTarget final : public LogTarget {
  public:
    SyslogTarget(int facility, int priority) : priority_(priority) {
        ::openlog("iplog", LOG_PID, facility);
    }
    ~SyslogTarget() override { ::closelog(); }
    SyslogTarget(const SyslogTarget&) = delete;
    SyslogTarget& operator=(const SyslogTarget&) = delete;

    bool write(std::string_view lines) override {
        while (!lines.empty()) {
            const auto end = std::min(lines.find('\n'), lines.size());
            ::syslog(priority_, "%.*s", static_cast<int>(end), lines.data());
            lines.remove_prefix(std::min(end + 1, lines.size()));
        }
        return true;
    }
    base::Result<void> reopen() override { return {}; }
    bool has_own_time() const override { return true; }

  private:
    int priority_;
};

std::int64_t whole_seconds(base::Timestamp time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Not strftime's %b: the log is English whatever the locale.
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

base::Result<std::unique_ptr<LogTarget>> open_log_file(const std::string& path) {
    auto fd = open_file(path);
    if (!fd) {
        return base::fail(fd.error());
    }
    return std::make_unique<FileTarget>(path, std::move(*fd));
}

std::unique_ptr<LogTarget> standard_output() { return std::make_unique<StandardOutput>(); }

std::unique_ptr<LogTarget> syslog_target(int facility, int priority) {
    return std::make_unique<SyslogTarget>(facility, priority);
}

void LogWriter::append(std::int64_t second, std::string_view message) {
    if (!target_->has_own_time()) {
        if (second != stamp_second_) {
            stamp_second_ = second;
            const std::time_t time = second;
            std::tm local{};
            localtime_r(&time, &local);
            stamp_.clear();
            fmt::format_to(std::back_inserter(stamp_), "{} {:>2} {:02}:{:02}:{:02} ",
                           kMonths[static_cast<std::size_t>(std::clamp(local.tm_mon, 0, 11))],
                           local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
        }
        buffer_ += stamp_;
    }
    buffer_ += message;
    buffer_ += '\n';
    ++buffered_lines_;
    if (buffer_.size() >= kFlushAtBytes) {
        flush();
    }
}

void LogWriter::append_repeats(std::int64_t second) {
    if (repeats_ > 0) {
        append(second, fmt::format("last message repeated {} times", repeats_));
        repeats_ = 0;
    }
}

void LogWriter::add(base::Timestamp time, std::string_view message) {
    const std::int64_t second = whole_seconds(time);
    if (target_->has_own_time()) {
        append(second, message);
        return;
    }
    if (has_last_ && second < repeats_until_ - 2 * kRepeatSeconds) {
        // The clock was set back: the line would be held back until its old time is reached.
        append_repeats(second);
        has_last_ = false;
    }
    if (!has_last_ || message != last_) {
        append_repeats(second);
        append(second, message);
        last_ = message;
        has_last_ = true;
        repeats_until_ = second + kRepeatSeconds;
        return;
    }
    if (second >= repeats_until_ && repeats_ > 0) {
        append_repeats(second);
        has_last_ = false;  // the next occurrence is written in full
    }
    ++repeats_;
}

void LogWriter::flush() {
    if (buffer_.empty()) {
        return;
    }
    if (!target_->write(buffer_)) {
        lines_lost_ += buffered_lines_;
    }
    buffer_.clear();
    buffered_lines_ = 0;
}

void LogWriter::finish(base::Timestamp time) {
    append_repeats(whole_seconds(time));
    has_last_ = false;
    flush();
}

base::Result<void> LogWriter::reopen() {
    flush();
    return target_->reopen();
}

}  // namespace portcullis::sensor_report
