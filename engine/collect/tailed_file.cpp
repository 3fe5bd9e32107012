#include "engine/collect/tailed_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/utf8.hpp"

namespace portcullis::collect {
Digest digest_of(std::string_view bytes) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : bytes) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    return {bytes.size(), hash};
}

TailedFile::TailedFile(base::UniqueFd fd, FileIdentity identity, bool is_pipe,
                       std::unique_ptr<RecordReader> reader)
    : fd_(std::move(fd)), identity_(identity), is_pipe_(is_pipe), reader_(std::move(reader)) {}

base::Result<TailedFile> TailedFile::open(const std::string& path,
                                          std::unique_ptr<RecordReader> reader) {
    // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
    base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        const int error = errno;
        return base::fail(error == ENOENT || error == ENOTDIR ? "missing-file" : "unreadable-file",
                          base::error_text(error), {path});
    }
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        return base::fail("unreadable-file",
                          S_ISDIR(status.st_mode) ? "it is a directory, not a file"
                                                  : "it is neither a file nor a pipe",
                          {path});
    }
    return TailedFile(std::move(fd), {status.st_dev, status.st_ino}, S_ISFIFO(status.st_mode),
                      std::move(reader));
}

void TailedFile::skip_to_end() {
    struct stat status {};
    if (is_pipe_ || ::fstat(fd_.get(), &status) != 0) {
        return;
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const std::uint64_t from = size > kMaxRecord ? size - kMaxRecord : 0;
    const std::string end = peek(from, kMaxRecord);
    const std::size_t newline = end.rfind('\n');
    if (newline != std::string::npos) {
        read_to_ = from + newline + 1;
    } else {
        read_to_ = from == 0 ? 0 : from + end.size();
    }
    head_ = peek(0, std::min<std::uint64_t>(read_to_, kDigestedBytes));
    const auto tail_length = std::min<std::uint64_t>(read_to_, kDigestedBytes);
    tail_ = peek(read_to_ - tail_length, tail_length);
}

bool TailedFile::resume(const FilePosition& position) {
    if (is_pipe_ || position.file != identity_ || position.offset > position.read_to ||
        position.tail.length > std::min<std::uint64_t>(position.read_to, kDigestedBytes) ||
        position.head.length > std::min<std::uint64_t>(position.read_to, kDigestedBytes)) {
        return false;
    }
    std::string head = peek(0, position.head.length);
    const std::string tail = peek(position.read_to - position.tail.length, position.tail.length);
    if (digest_of(head) != position.head || digest_of(tail) != position.tail) {
        return false;
    }
    read_to_ = position.offset;
    held_back_ = 0;
    head_ = std::move(head);
    head_.resize(std::min<std::uint64_t>(head_.size(), read_to_));
    const auto tail_length = std::min<std::uint64_t>(read_to_, kDigestedBytes);
    tail_ = peek(read_to_ - tail_length, tail_length);
    return true;
}

ContentChange TailedFile::check_content(const RecordHandler& handler) {
    // A file that is shorter than what was read has no such tail.
    if (is_pipe_ || (holds(0, head_) && holds(read_to_ - tail_.size(), tail_))) {
        return ContentChange::None;
    }
    finish(handler);
    read_to_ = 0;
    head_.clear();
    tail_.clear();
    return ContentChange::Replaced;
}

ReadOutcome TailedFile::read(const RecordHandler& handler, std::size_t budget) {
    std::array<char, 65536> buffer;
    while (budget > 0) {
        const std::size_t wanted = std::min(buffer.size(), budget);
        const ssize_t got =
            is_pipe_ ? ::read(fd_.get(), buffer.data(), wanted)
                     : ::pread(fd_.get(), buffer.data(), wanted, static_cast<off_t>(read_to_));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return ReadOutcome::Drained;  // the end, or an error that may be over at the next check
        }
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
        const std::string_view text = skip_byte_order_mark(bytes, handler);
        note_read(bytes);
        bytes_read_ += bytes.size();
        budget -= bytes.size();
        reader_->feed(text, handler);
        if (!is_pipe_ && bytes.size() < wanted) {
            return ReadOutcome::Drained;
        }
    }
    return ReadOutcome::More;
}

void TailedFile::finish(const RecordHandler& handler) {
    reader_->feed(base::kByteOrderMark.substr(0, std::exchange(held_back_, 0)), handler);
    reader_->finish(handler);
}

std::string_view TailedFile::skip_byte_order_mark(std::string_view bytes,
                                                  const RecordHandler& handler) {
    if (read_to_ != held_back_) {
        return bytes;  // not at the beginning
    }
    const std::string_view missing = base::kByteOrderMark.substr(held_back_);
    if (bytes.starts_with(missing)) {
        held_back_ = 0;
        return bytes.substr(missing.size());
    }
    if (missing.starts_with(bytes)) {
        held_back_ += bytes.size();
        return {};
    }
    reader_->feed(base::kByteOrderMark.substr(0, std::exchange(held_back_, 0)), handler);
    return bytes;
}

FilePosition TailedFile::position() const {
    FilePosition position;
    position.file = identity_;
    position.read_to = read_to_;
    position.offset = read_to_ - std::min<std::uint64_t>(read_to_, reader_->pending() + held_back_);
    position.head = digest_of(head_);
    position.tail = digest_of(tail_);
    return position;
}

bool TailedFile::is_deleted() const {
    struct stat status {};
    return ::fstat(fd_.get(), &status) == 0 && status.st_nlink == 0;
}

void TailedFile::note_read(std::string_view bytes) {
    if (head_.size() < kDigestedBytes && read_to_ == head_.size()) {
        head_.append(bytes.substr(0, kDigestedBytes - head_.size()));
    }
    if (bytes.size() >= kDigestedBytes) {
        tail_.assign(bytes.substr(bytes.size() - kDigestedBytes));
    } else {
        tail_.append(bytes);
        if (tail_.size() > kDigestedBytes) {
            tail_.erase(0, tail_.size() - kDigestedBytes);
        }
    }
    read_to_ += bytes.size();
}

bool TailedFile::holds(std::uint64_t offset, std::string_view expected) const {
    std::array<char, kDigestedBytes> bytes;
    const ssize_t got =
        ::pread(fd_.get(), bytes.data(), expected.size(), static_cast<off_t>(offset));
    // After a read error the content is unknown, and that is not a reason to start over.
    return got < 0 || std::string_view(bytes.data(), static_cast<std::size_t>(got)) == expected;
}

std::string TailedFile::peek(std::uint64_t offset, std::size_t length) const {
    std::string bytes(length, '\0');
    std::size_t filled = 0;
    while (filled < length) {
        const ssize_t got = ::pread(fd_.get(), bytes.data() + filled, length - filled,
                                    static_cast<off_t>(offset + filled));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        filled += static_cast<std::size_t>(got);
    }
    bytes.resize(filled);
    return bytes;
}

}  // namespace portcullis::collect
