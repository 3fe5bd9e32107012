#include "engine/state/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace portcullis::state {
namespace {

// A file with fewer lines is not rewritten.
constexpr std::uint64_t kMinDeadLines = 1'024;

constexpr int kOpenFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
constexpr int kMode = 0640;

bool is_key(std::string_view line) {
    return !line.empty() && line.size() <= KeyFile::kMaxKeyBytes &&
           line.find('\0') == std::string_view::npos;
}

// Splits the content of a file into lines, holding at most one key.
class LineSplitter {
  public:
    template <class OnLine>
    void add(std::string_view chunk, OnLine on_line) {
        while (!chunk.empty()) {
            const std::size_t newline = std::min(chunk.find('\n'), chunk.size());
            const std::size_t room = KeyFile::kMaxKeyBytes + 1 - line_.size();
            line_ += chunk.substr(0, std::min(newline, room));
            if (newline == chunk.size()) {
                return;
            }
            on_line(std::string_view(line_));
            line_.clear();
            chunk.remove_prefix(newline + 1);
        }
    }

  private:
    std::string line_;
};

}  // namespace

KeyFile::KeyFile(std::string path, rules::BoundedKeys::Limits limits)
    : path_(std::move(path)), keys_(limits) {}

tl::unexpected<base::Diagnostic> KeyFile::error(std::string_view verb, int number) const {
    return base::fail(verb == "read" ? "unreadable-file" : "unwritable-file",
                      "cannot " + std::string(verb) + " the file: " + base::error_text(number),
                      {path_});
}

base::Result<void> KeyFile::load() {
    const base::UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT) {
            return {};
        }
        return error("read", errno);
    }
    std::array<char, 65'536> buffer{};
    LineSplitter splitter;
    for (;;) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error("read", errno);
        }
        if (got == 0) {
            break;
        }
        splitter.add({buffer.data(), static_cast<std::size_t>(got)}, [this](std::string_view line) {
            ++lines_;
            if (is_key(line)) {
                keys_.insert(line);
            }
        });
    }
    next_ = keys_.end_number();
    return {};
}

bool KeyFile::contains(std::string_view key) const {
    key = key.substr(0, kMaxKeyBytes);
    if (key.find('\n') == std::string_view::npos) {
        return keys_.contains(key);
    }
    std::string line(key);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return keys_.contains(line);
}

void KeyFile::insert(std::string_view key) {
    std::string line(key.substr(0, kMaxKeyBytes));
    std::replace(line.begin(), line.end(), '\n', ' ');
    if (is_key(line)) {
        keys_.insert(line);
    }
}

base::Result<void> KeyFile::flush() {
    if (next_ < keys_.end_number()) {
        if (auto appended = append(); !appended) {
            return appended;
        }
    }
    if (rewrite_.fd || is_mostly_dead()) {
        return rewrite();
    }
    return {};
}

base::Result<void> KeyFile::sync() {
    while (has_pending()) {
        if (auto flushed = flush(); !flushed) {
            return flushed;
        }
    }
    if (fd_ && ::fsync(fd_.get()) != 0) {
        return error("write", errno);
    }
    return {};
}

// Opens the file and cuts off the part of a last line that a kill or a full disk left. If the file
// was removed, all keys are written again.
base::Result<void> KeyFile::open() {
    struct stat status {};
    if (fd_ && ::fstat(fd_.get(), &status) == 0 && status.st_nlink > 0) {
        return {};
    }
    if (fd_) {
        next_ = keys_.first_number();
        lines_ = 0;
    }
    const auto folder = std::filesystem::path(path_).parent_path();
    if (!folder.empty() && ::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
        return error("write", errno);
    }
    base::UniqueFd reader(
        ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kMode));
    if (!reader || ::fstat(reader.get(), &status) != 0) {
        return error("write", errno);
    }
    if (!S_ISREG(status.st_mode)) {  // a full pipe would be waited for
        return error("write", EINVAL);
    }
    off_t size = status.st_size;
    std::array<char, 4'096> tail{};
    while (size > 0) {
        const off_t begin = std::max<off_t>(size - static_cast<off_t>(tail.size()), 0);
        const auto wanted = static_cast<std::size_t>(size - begin);
        if (::pread(reader.get(), tail.data(), wanted, begin) != static_cast<ssize_t>(wanted)) {
            return error("read", errno);
        }
        const std::size_t newline = std::string_view(tail.data(), wanted).rfind('\n');
        if (newline != std::string_view::npos) {
            size = begin + static_cast<off_t>(newline) + 1;
            break;
        }
        size = begin;
    }
    if (size != status.st_size && ::ftruncate(reader.get(), size) != 0) {
        return error("write", errno);
    }
    fd_.reset(::open(path_.c_str(), kOpenFlags, kMode));
    if (!fd_) {
        return error("write", errno);
    }
    return {};
}

std::string KeyFile::take_lines(std::uint64_t& next, std::uint64_t& lines) const {
    std::string text;
    next = std::max(next, keys_.first_number());  // evicted keys need no line
    for (; next < keys_.end_number() && text.size() < kFlushBytes; ++next, ++lines) {
        text += keys_.at(next);
        text += '\n';
    }
    return text;
}

base::Result<void> KeyFile::append() {
    if (auto opened = open(); !opened) {
        return opened;
    }
    std::uint64_t next = next_;
    std::uint64_t lines = 0;
    const std::string text = take_lines(next, lines);
    if (!base::write_all(fd_.get(), text)) {
        const int number = errno;
        fd_.reset();  // opening it again cuts off what may be half a line; keys that are in it
                      // twice do no harm
        return error("write", number);
    }
    next_ = next;
    lines_ += lines;
    return {};
}

bool KeyFile::is_mostly_dead() const {
    const std::uint64_t dead = lines_ - std::min<std::uint64_t>(lines_, keys_.size());
    return dead > std::max<std::uint64_t>(kMinDeadLines, keys_.size()) &&
           lines_ >= lines_before_retry_;
}

base::Result<void> KeyFile::rewrite() {
    const std::string temporary = path_ + ".new";
    const auto give_up = [&](std::string_view verb) {
        const int number = errno;
        rewrite_ = {};
        ::unlink(temporary.c_str());
        lines_before_retry_ = lines_ + kMinDeadLines;
        return error(verb, number);
    };
    if (!rewrite_.fd) {
        ::unlink(temporary.c_str());
        rewrite_ = {base::UniqueFd(::open(temporary.c_str(), kOpenFlags | O_EXCL, kMode)),
                    keys_.first_number(), 0};
        if (!rewrite_.fd) {
            return give_up("write");
        }
    }
    if (!base::write_all(rewrite_.fd.get(), take_lines(rewrite_.next, rewrite_.lines))) {
        return give_up("write");
    }
    if (rewrite_.next < keys_.end_number() || next_ < keys_.end_number()) {
        return {};
    }
    if (::rename(temporary.c_str(), path_.c_str()) != 0) {
        return give_up("replace");
    }
    fd_ = std::move(rewrite_.fd);
    lines_ = rewrite_.lines;
    rewrite_ = {};
    return {};
}

}  // namespace portcullis::state
