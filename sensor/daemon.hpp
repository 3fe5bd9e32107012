// The pid file, and the user and group of the sensor, with iplog's messages.
#pragma once

#include <string>

#include "base/pid_file.hpp"
#include "base/privileges.hpp"
#include "base/result.hpp"

namespace portcullis {

// Locks the pid file before the sensor goes into the background. Errors: "iplog is already
// running (pid: N)" (error "already-running"); others as PidFile's.
base::Result<base::PidFile> lock_pid_file(const std::string& path);

// Names or numbers; empty = keep. Error "unknown-user", "unknown-group".
base::Result<base::Identity> find_identity(const std::string& user, const std::string& group);

}  // namespace portcullis
