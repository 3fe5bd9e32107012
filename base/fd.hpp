// File descriptors with an owner, and whole-file reading and writing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace portcullis::base {

// Owns one descriptor and closes it; -1 = none.
class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

// Reads the whole file, or its first `limit` bytes. Never waits: a pipe or a socket, whose writer
// may never come, is an error. Error code "unreadable-file", place = the path.
inline constexpr std::size_t kMaxReadFile = std::size_t{1} << 30;
Result<std::string> read_file(const std::string& path, std::size_t limit = kMaxReadFile);
// The same for a text file that people edit: without a byte order mark at its beginning.
Result<std::string> read_text_file(const std::string& path, std::size_t limit = kMaxReadFile);

enum class Durability {
    Process,  // survives every end of the process; does not wait for the disk
    Machine,  // also survives a crash of the machine: fsync
};

// Writes a temporary file beside `path` and renames it to `path`. Whenever this is interrupted, the
// file has the old or the new content, never a mixture; after a crash of the machine only with
// Durability::Machine. `mode` as for open(2). Error code "unwritable-file".
Result<void> write_file_atomically(const std::string& path, std::string_view content, int mode,
                                   Durability durability = Durability::Machine);

// Opens `path` for appending, created with `mode` if it is missing; empty = an error (errno is set:
// ELOOP for a refused link). Root follows a symbolic link there only if nobody else can write to
// the folder: another user who placed the link could choose the file that root writes to. A FIFO
// without a reader is an error (ENXIO), and later writes do not wait for a reader.
UniqueFd open_for_append(const std::string& path, int mode);

// Writes all of `bytes`, restarting after EINTR and short writes; false = an error (errno is set).
bool write_all(int fd, std::string_view bytes);

}  // namespace portcullis::base
