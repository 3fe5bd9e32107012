// Starts a command in a process of its own: without a shell, with a clean environment, without the
// descriptors of execd, in its own process group.
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

// Returns why execd does not run <folder>/<executable>; nullopt = it may be run. Reasons: the name
// leads to another folder, the file is missing, its owner is neither root nor the user of execd, or
// other users may write to it, who could become root that way.
std::optional<std::string> reason_not_to_run(const std::string& folder,
                                             const std::string& executable);

struct ChildProcess {
    pid_t pid = -1;
    base::UniqueFd pid_fd;  // readable once the process has ended
    base::UniqueFd input;   // its standard input; only with ChildInput::Pipe
    base::UniqueFd output;  // its standard output (and error, unless `errors`), not blocking
    base::UniqueFd errors;  // its standard error; only with ChildInput::Pipe
};

enum class ChildInput { Nothing, Pipe };

// Starts `argv`; argv[0] is the absolute path. The child finds `timeout` in PORTCULLIS_TIMEOUT and
// `block` in PORTCULLIS_BLOCK. With a Pipe it has a standard input, and a standard error of its
// own. Error "cannot-run".
base::Result<ChildProcess> start_child(const std::vector<std::string>& argv,
                                       std::chrono::seconds timeout, base::BlockKind block,
                                       ChildInput input);

// Reaps an ended child. Returns "exit code 3" or "killed by signal 9"; "" = exit code 0.
std::string reap(const ChildProcess& child);

// Ends the child and its process group at once.
void kill_group(const ChildProcess& child);

}  // namespace portcullis::execd
