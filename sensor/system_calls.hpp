// The system calls that the sensor needs after its start, as a seccomp filter
// (base/seccomp).
#pragma once

#include <string>

#include "base/result.hpp"

namespace portcullis {

// Limits the process to what capture, log, names, reload and reopening an interface take. To be
// called when privileges are dropped and the event loop is set up. A call that is refused is named
// on standard error and, if `log_file` is not empty, by a line at its end; then the process ends.
// Does nothing in builds with sanitizers (base::kCanLimitSystemCalls). Error "seccomp".
base::Result<void> limit_system_calls(const std::string& log_file);

}  // namespace portcullis
