// HomeLock: one home at a time has the table `inet portcullis` of a network namespace.
//
// The persistent responder of a home holds a lock (flock) on a file whose name holds the
// namespace's inode, in /run/portcullis, or in a folder of this user in /tmp where /run cannot be
// written to. The file names the home and the process. A lock ends with its process.
// Single-threaded.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::active_response {

// The home of this program, by the path that it was started with, or of the file that runs:
// HOME/active-response/bin/firewall-drop. The folder of the program if it stands elsewhere.
std::string home_of(const std::string& program);

class HomeLock {
  public:
    enum class For { Process, OneCall };
    // `folder`: empty = as described above.
    explicit HomeLock(std::string home, std::string folder = {})
        : home_(std::move(home)), folder_(std::move(folder)) {}

    // Takes the lock unless this process has it. A call of the same home continues without it, and
    // so does everything where there is no place for the file. For::OneCall: only looks whether
    // another home has it. Error "other-home": the message names the home and the process.
    base::Result<void> take(For what);

  private:
    std::string home_;
    std::string folder_;
    base::UniqueFd file_;
};

}  // namespace portcullis::active_response
