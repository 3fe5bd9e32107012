// PidFile: one running daemon of a kind.
//
// The file holds the process id as text, and a lock on it while the daemon lives. The lock decides:
// text that a killed daemon left is never taken for a process. It is a lock of the open file
// (F_OFD_SETLK, fcntl(2)): it stays with a child of fork(2), no other descriptor of this process
// drops it, and it can be queried without being taken.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::base {

class PidFile {
  public:
    // Locks `path` (made 0640, in an existing folder) and writes the id of this process into it.
    // Errors: "already-running" (the message names the process) and "unwritable-file", where errno
    // says why.
    static Result<PidFile> lock(const std::string& path);
    // The same for a program that forks afterwards: the file is empty until write_pid().
    static Result<PidFile> lock_before_fork(const std::string& path);

    PidFile(PidFile&&) = default;
    PidFile& operator=(PidFile&&) = default;
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;
    // Empties the file and gives up the lock. The file stays: after an unlink, a third process
    // could lock a file that no name leads to any more.
    ~PidFile();

    // Writes the id of this process. False = an error (errno is set).
    bool write_pid();
    // Empties the file, removes it and gives up the lock. An empty file is enough, as the folder
    // may be closed to the user that this process has become. If the file cannot even be emptied,
    // the lock stays until the process ends.
    void remove();

  private:
    PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    std::string path_;
    UniqueFd fd_;
};

// The process that holds the lock on `path`. nullopt = none does, it has not written its id yet, or
// the file cannot be opened.
std::optional<pid_t> running_pid(const std::string& path);

}  // namespace portcullis::base
