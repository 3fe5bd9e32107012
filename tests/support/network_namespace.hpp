// A network namespace for the rest of this test process. Nothing of the machine's own network is
// touched; it vanishes with the process.
#pragma once

#include <sched.h>

#include <cstdlib>

namespace portcullis::test {

// false = not permitted here (not root); the test then says that it was skipped.
inline bool enter_network_namespace() {
    static const bool has_entered =
        ::unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up") == 0;
    return has_entered;
}

}  // namespace portcullis::test
