// What the daemon needs from the system: a locked pid file, and dropping privileges.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis {

// Owns the pid file: while it exists, a second instance cannot start. fork() passes the lock on.
class LockedPidFile {
  public:
    // Empties the file. Error "already-running" ("iplog is already running (pid: N)") or
    // "unwritable-file".
    static base::Result<LockedPidFile> lock(const std::string& path);
    // Writes the process id.
    void write(pid_t pid);
    // Empties and removes it.
    void remove();

  private:
    LockedPidFile(std::string path, base::UniqueFd fd)
        : path_(std::move(path)), fd_(std::move(fd)) {}
    std::string path_;
    base::UniqueFd fd_;
};

// The process in a pid file whose lock is held. Error "not-running".
base::Result<pid_t> find_running(const std::string& path);

struct Identity {
    bool changes_user = false;
    bool changes_group = false;
    uid_t user = 0;
    gid_t group = 0;
};

// Names or numbers; empty = keep. Error "unknown-user", "unknown-group".
base::Result<Identity> find_identity(const std::string& user, const std::string& group);

// Becomes `identity` and keeps only CAP_NET_RAW, permitted but not effective: open sockets do not
// need it. Without root, only clears the effective set. Error "privileges".
base::Result<void> drop_privileges(const Identity& identity);

// Makes CAP_NET_RAW effective while it exists, to open an interface again.
class RawPrivilege {
  public:
    RawPrivilege();
    ~RawPrivilege();
    RawPrivilege(const RawPrivilege&) = delete;
    RawPrivilege& operator=(const RawPrivilege&) = delete;
};

}  // namespace portcullis
