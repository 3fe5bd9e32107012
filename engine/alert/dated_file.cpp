#include "engine/alert/dated_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace portcullis::alert {
namespace {

tl::unexpected<base::Diagnostic> write_error(const std::string& path, int error) {
    return base::fail("unwritable-file", "cannot be written: " + base::error_text(error), {path});
}

bool make_folder(const std::string& path) {
    return ::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST;
}

// A full disk or a power cut may have left half a line. It is removed, so that the next record
// begins a line; its event is read again.
bool cut_torn_line(int fd) {
    constexpr off_t kLongestLine = 256 * 1024;
    const off_t size = ::lseek(fd, 0, SEEK_END);
    const off_t from = std::max<off_t>(size - kLongestLine, 0);
    std::string end(static_cast<std::size_t>(size - from), '\0');
    if (size <= 0 || ::pread(fd, end.data(), end.size(), from) != size - from ||
        end.back() == '\n') {
        return size >= 0;
    }
    const std::size_t last = end.rfind('\n');
    if (last == std::string::npos && from > 0) {
        return true;  // not a line of ours: it stays
    }
    return ::ftruncate(fd, last == std::string::npos ? 0 : from + static_cast<off_t>(last) + 1) ==
           0;
}

}  // namespace

DatedFile::DatedFile(std::string folder, std::string prefix, std::string extension,
                     const std::string& current_name)
    : folder_(std::move(folder)),
      prefix_(std::move(prefix)),
      extension_(std::move(extension)),
      current_path_(folder_ + "/" + current_name) {}

base::Result<void> DatedFile::open(base::Timestamp now) {
    const LocalDay today = local_day_of(now);
    struct stat status {};
    // If the file was removed meanwhile, nobody could read what is written to it.
    const bool is_usable = fd_ && ::fstat(fd_.get(), &status) == 0 && status.st_nlink > 0;
    if (is_usable && day_ == today) {
        return {};
    }
    if (is_usable) {
        remove_if_empty();
    }
    fd_.reset();
    const std::string year = folder_ + "/" + std::to_string(today.year);
    const std::string month = folder_ + "/" + today.folder();
    dated_path_ = month + "/" + prefix_ + "-" + today.number() + extension_;
    if (!make_folder(year) || !make_folder(month)) {
        return write_error(month, errno);
    }
    base::UniqueFd fd(
        ::open(dated_path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!fd || !cut_torn_line(fd.get())) {
        return write_error(dated_path_, errno);
    }
    if (auto linked = link_current(dated_path_); !linked) {
        return linked;
    }
    fd_ = std::move(fd);
    day_ = today;
    return {};
}

base::Result<void> DatedFile::link_current(const std::string& dated_path) {
    const std::string temporary = current_path_ + ".new";
    ::unlink(temporary.c_str());
    // A symbolic link where the file system has no hard links.
    if ((::link(dated_path.c_str(), temporary.c_str()) != 0 &&
         ::symlink(dated_path.c_str(), temporary.c_str()) != 0) ||
        ::rename(temporary.c_str(), current_path_.c_str()) != 0) {
        return write_error(current_path_, errno);
    }
    // Renaming one of two links of a file over the other does nothing and leaves both.
    ::unlink(temporary.c_str());
    return {};
}

void DatedFile::remove_if_empty() const {
    struct stat status {};
    if (::fstat(fd_.get(), &status) == 0 && status.st_size == 0) {
        ::unlink(dated_path_.c_str());
    }
}

base::Result<void> DatedFile::append(std::string_view record, base::Timestamp now) {
    if (held_back_.size() + record.size() > kMaxHeldBack) {
        ++lost_records_;
    } else {
        held_back_ += record;
    }
    return retry(now);
}

base::Result<void> DatedFile::retry(base::Timestamp now) {
    if (auto opened = open(now); !opened) {
        return opened;
    }
    // The full disk may have taken a part of a record: continue after it.
    std::size_t written = 0;
    int error = 0;
    while (written < held_back_.size() && error == 0) {
        const ssize_t got =
            ::write(fd_.get(), held_back_.data() + written, held_back_.size() - written);
        if (got > 0) {
            written += static_cast<std::size_t>(got);
        } else if (got == 0 || errno != EINTR) {
            error = got == 0 ? ENOSPC : errno;
        }
    }
    held_back_.erase(0, written);
    if (error != 0) {
        return write_error(dated_path_, error);
    }
    return {};
}

}  // namespace portcullis::alert
