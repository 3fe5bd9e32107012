#include "base/daemonize.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>

using namespace portcullis;

namespace {

// Runs start() in a child process; the exit status that a shell would see for it.
int status_of_start(bool becomes_ready) {
    const pid_t child = fork();
    if (child == 0) {
        auto daemon = base::Daemonizer::start();
        if (daemon && becomes_ready) {
            daemon->ready();
        }
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("daemonize: the starting process succeeds once the daemon is ready") {
    CHECK(status_of_start(true) == 0);
}

TEST_CASE("daemonize: a daemon that ends before it is ready fails the starting process") {
    CHECK(status_of_start(false) == 1);
}
