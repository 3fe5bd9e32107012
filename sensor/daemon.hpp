// What a daemon needs of the system: a pid file, and giving up privileges.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/pid_file.hpp"
#include "base/result.hpp"

namespace portcullis {

// The pid file before the sensor goes into the background, with iplog's texts: "iplog is already
// running (pid: N)" (error "already-running") and "Can't open pid file: …" ("unwritable-file").
base::Result<base::PidFile> lock_pid_file(const std::string& path);

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
