#include "sensor/report/log_target.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/fd.hpp"

namespace portcullis::sensor_report {
namespace {

base::Diagnostic log_error(std::string_view what, const std::string& path, int error) {
    return base::make_error("unwritable-file",
                            fmt::format("{} {}: {}", what, path, base::error_text(error)), {path});
}

base::Result<base::UniqueFd> open_file(const std::string& path) {
    base::UniqueFd fd = base::open_for_append(path, 0644);
    if (!fd) {
        base::Diagnostic diagnostic = log_error("", path, errno);
        // iplog's words.
        diagnostic.message =
            fmt::format("Unable to open \"{}\" for writing: {}.", path, base::error_text(errno));
        return base::fail(diagnostic);
    }
    return fd;
}

std::size_t write_some(int fd, std::string_view bytes) {
    std::size_t written = 0;
    while (written < bytes.size()) {
        const ssize_t size = ::write(fd, bytes.data() + written, bytes.size() - written);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            break;
        }
        written += static_cast<std::size_t>(size);
    }
    return written;
}

class FileTarget final : public LogTarget {
  public:
    FileTarget(std::string path, base::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::size_t write(std::string_view lines) override { return write_some(fd_.get(), lines); }
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
    std::size_t write(std::string_view lines) override { return write_some(STDOUT_FILENO, lines); }
    base::Result<void> reopen() override { return {}; }
};

// syslog(3) would wait for a slow receiver, and so would detections.
class SyslogTarget final : public LogTarget {
  public:
    SyslogTarget(int facility, int priority, std::string path)
        : priority_(facility | priority), path_(std::move(path)) {}

    std::size_t write(std::string_view lines) override {
        std::size_t written = 0;
        while (written < lines.size()) {
            const std::size_t end = std::min(lines.find('\n', written), lines.size());
            if (!send(lines.substr(written, end - written))) {
                break;
            }
            written = std::min(end + 1, lines.size());
        }
        return written;
    }
    base::Result<void> reopen() override {
        fd_.reset();
        return {};
    }
    bool has_own_time() const override { return true; }

  private:
    bool connect() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path_.size() >= sizeof address.sun_path) {
            errno = ENAMETOOLONG;
            return false;
        }
        path_.copy(address.sun_path, path_.size());
        fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd_ || ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address),
                              sizeof address) != 0) {
            fd_.reset();
            return false;
        }
        return true;
    }

    bool send(std::string_view message) {
        const std::string packet = fmt::format("<{}>{} iplog[{}]: {}", priority_,
                                               time_stamp(std::time(nullptr)), ::getpid(), message);
        // The listener there may have been restarted.
        for (int tries = 0; tries < 2; ++tries) {
            if (!fd_ && !connect()) {
                return false;
            }
            if (::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0) {
                return true;
            }
            if (errno == EAGAIN || errno == ENOBUFS) {
                return false;
            }
            fd_.reset();
        }
        return false;
    }

    int priority_;
    std::string path_;
    base::UniqueFd fd_;
};

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

std::unique_ptr<LogTarget> syslog_target(int facility, int priority, const std::string& path) {
    return std::make_unique<SyslogTarget>(facility, priority, path);
}

std::string time_stamp(std::int64_t second) {
    const std::time_t time = second;
    std::tm local{};
    localtime_r(&time, &local);
    return fmt::format("{} {:>2} {:02}:{:02}:{:02}",
                       kMonths[static_cast<std::size_t>(std::clamp(local.tm_mon, 0, 11))],
                       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace portcullis::sensor_report
