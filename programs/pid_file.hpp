// PidFile: one running daemon of a kind per home.
//
// run/NAME.pid holds the process id as text, and a POSIX write lock on it while the daemon lives.
// The lock is the truth and the text is for people: the kernel names the holder of a lock, so that
// neither a stale file nor a recycled process id is ever taken for the daemon. Lock after fork(2):
// the lock belongs to the process that took it, and to no child.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::programs {

class PidFile {
  public:
    // Locks `path` (made 0640, in an existing folder) and writes the id of this process into it.
    // Errors: "already-running" (the message names the process), "unwritable-file".
    static base::Result<PidFile> lock(const std::string& path);

    PidFile(PidFile&&) = default;
    PidFile& operator=(PidFile&&) = default;
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;
    // Empties the file and gives up the lock. The file stays: unlinking it would let a third
    // process lock a file that no name leads to any more.
    ~PidFile();

  private:
    explicit PidFile(base::UniqueFd fd) : fd_(std::move(fd)) {}
    base::UniqueFd fd_;
};

// The process that holds the lock on `path`; nullopt = none does, or the file cannot be opened.
// Never call this for the pid file of the calling process: closing it drops the lock.
std::optional<pid_t> running_pid(const std::string& path);

}  // namespace portcullis::programs
