// The system calls that the sensor needs after its start, as a seccomp filter
// (base/seccomp).
#pragma once

#include <string>

#include "base/result.hpp"

namespace portcullis {

// Limits the process to the system calls that capture, log, names, reload and reopening an
// interface need. Call it when privileges are dropped and the event loop is set up. A refused call
// is reported on standard error and, if `log_file` is not empty, in a line at its end; then the
// process ends. Does nothing in builds with sanitizers (base::kCanLimitSystemCalls). Error
// "seccomp".
base::Result<void> limit_system_calls(const std::string& log_file);

}  // namespace portcullis
