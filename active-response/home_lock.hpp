// HomeLock: only one home at a time uses the table `inet portcullis` of a network namespace.
//
// The persistent responder of a home locks a file (flock) with the inode of the namespace in its
// name. The file is in /run/portcullis, or in a folder of this user in /tmp if /run is not
// writable. It names the home and the process. A lock ends with its process. Single-threaded.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portcullis::active_response {

// Returns the home of this program, by the path that it was started with or that of its file:
// HOME/active-response/bin/firewall-drop. If it is elsewhere: the folder of the program.
std::string home_of(const std::string& program);

class HomeLock {
  public:
    enum class For { Process, OneCall };
    // `folder`: empty = as described above.
    explicit HomeLock(std::string home, std::string folder = {})
        : home_(std::move(home)), folder_(std::move(folder)) {}

    // Takes the lock, unless this process has it. If another process of the same home has it, or if
    // no file can be made, the call succeeds without the lock. For::OneCall: only checks whether
    // another home has it. Error "other-home": the message names the home and the process.
    base::Result<void> take(For what);

  private:
    std::string home_;
    std::string folder_;
    base::UniqueFd file_;
};

}  // namespace portcullis::active_response
