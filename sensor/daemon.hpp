// What a daemon needs of the system: a pid file that is held by a lock, and giving up privileges.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis {

// Owns the pid file: while it lives no second instance can have it. The lock goes along with
// fork().
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

// Becomes `identity` and keeps CAP_NET_RAW alone, permitted but not in effect: nothing that is
// open already needs it. Without root only the latter is done. Error "privileges".
base::Result<void> drop_privileges(const Identity& identity);

// Has CAP_NET_RAW in effect while it lives, to open an interface again.
class RawPrivilege {
  public:
    RawPrivilege();
    ~RawPrivilege();
    RawPrivilege(const RawPrivilege&) = delete;
    RawPrivilege& operator=(const RawPrivilege&) = delete;
};

}  // namespace portcullis
