// PidFile: one running daemon of a kind.
//
// Two locks on the file decide (fcntl(2)); its text, the process id, is for people. A lock of the
// open file (F_OFD_SETLK) lets one instance run: it stays with a child of fork(2), and no other
// descriptor of the process drops it. A lock of the process (F_SETLK) tells its id: the kernel
// names the holder, so that a daemon that was taken over cannot name another process by writing a
// text. The second lock is dropped as soon as the daemon closes any descriptor of the file, so a
// daemon must not open its own pid file again.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::base {

class PidFile {
  public:
    // Locks `path` (made 0600, in an existing folder) and writes the id of this process into it.
    // Errors: "already-running" (the message names the process, if it is known) and
    // "unwritable-file".
    static Result<PidFile> lock(const std::string& path);
    // The same for a program that forks afterwards: until write_pid() the file is empty, and
    // running_pid() knows no process.
    static Result<PidFile> lock_before_fork(const std::string& path);

    PidFile(PidFile&&) = default;
    PidFile& operator=(PidFile&&) = default;
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;
    // Empties the file and gives up the locks. The file stays.
    ~PidFile();

    // Takes the lock of the process and writes its id. False = an error (errno is set).
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

// The process that runs with the pid file `path`, which is not this one, as the kernel names it.
// nullopt = none does, it has not called write_pid() yet, or the file cannot be opened.
std::optional<pid_t> running_pid(const std::string& path);

}  // namespace portcullis::base
