// Starting a command: no shell, a clean environment, no descriptor of execd's, a process group of
// its own.
#pragma once

#include <sys/types.h>

#include <chrono>

#include <optional>
#include <string>
#include <vector>

#include "base/evidence.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::execd {

// Why execd does not run <folder>/<executable>: a name that leads elsewhere, a missing file, an
// owner other than root (or the user that execd runs as), or one that others may write to, which
// would let them become root. nullopt = it may be run.
std::optional<std::string> reason_not_to_run(const std::string& folder,
                                             const std::string& executable);

struct ChildProcess {
    pid_t pid = -1;
    base::UniqueFd pid_fd;  // readable once the process has ended
    base::UniqueFd input;   // its standard input; none unless it was asked for
    base::UniqueFd output;  // its standard output (and error, unless `errors`), not blocking
    base::UniqueFd errors;  // its standard error; none unless it was asked for
};

enum class ChildInput { Nothing, Pipe };

// Starts `argv` (argv[0] is the absolute path). `timeout` becomes PORTCULLIS_TIMEOUT, `block`
// PORTCULLIS_BLOCK.
// With a Pipe it gets a standard input, and a standard error of its own. Error "cannot-run".
base::Result<ChildProcess> start_child(const std::vector<std::string>& argv,
                                       std::chrono::seconds timeout, base::BlockKind block,
                                       ChildInput input);

// Reaps an ended child: "" = exit code 0, otherwise "exit code 3" or "killed by signal 9".
std::string reap(const ChildProcess& child);

// Ends the child and its process group at once.
void kill_group(const ChildProcess& child);

}  // namespace portcullis::execd
