// The system calls that the running engine needs (seccomp). They cover everything that it does
// later: reloads, rotated and new log files, alerts, state files, names from DNS, responses.
#pragma once

#include <string>

#include "base/result.hpp"

namespace portcullis::programs {

// Limits all threads of this process to those calls for good: it can start no program, open no raw
// or netlink socket, change no owners, rights or limits, and touch no other process. A refused call
// ends the process, with a line in the file `log_path` and on standard error. Error "seccomp";
// nothing is limited then. In builds with sanitizers, which need further calls, nothing is limited,
// and there is no error.
base::Result<void> limit_engine_calls(const std::string& log_path);

}  // namespace portcullis::programs
