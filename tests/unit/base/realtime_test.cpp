#include "base/realtime.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <functional>

using namespace portcullis::base;

namespace {

int policy() { return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK; }

double seconds_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Runs `body` in a process of its own, which ends with its result. 77 = realtime is not allowed.
int in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(become_realtime() ? body() : 77);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE(
    "realtime: a process that computes without a pause is ordinary again, until a while later") {
    const int result = in_child([] {
        resume_realtime();
        if (policy() != SCHED_FIFO) {
            return 1;
        }
        // Ends by the demotion; the deadline is that of a broken one.
        const double deadline = seconds_of(CLOCK_PROCESS_CPUTIME_ID) + 5;
        while (policy() == SCHED_FIFO) {
            if (seconds_of(CLOCK_PROCESS_CPUTIME_ID) > deadline) {
                return 2;
            }
        }
        resume_realtime();
        if (policy() == SCHED_FIFO) {
            return 3;  // the penalty is not over
        }
        const double end =
            seconds_of(CLOCK_MONOTONIC) + std::chrono::duration<double>(kRealtimePenalty).count();
        while (seconds_of(CLOCK_MONOTONIC) <= end) {
            usleep(10'000);
        }
        resume_realtime();
        return policy() == SCHED_FIFO ? 0 : 4;  // root needs no resource limit for it
    });
    if (result == 77) {
        WARN("skipped: realtime priority is not allowed here");
        return;
    }
    CHECK(result == 0);
}

TEST_CASE("realtime: children are ordinary processes") {
    const int result = in_child([] {
        const pid_t child = fork();
        if (child == 0) {
            _exit(policy() == SCHED_OTHER ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        return policy() == SCHED_FIFO && status == 0 ? 0 : 1;
    });
    if (result == 77) {
        WARN("skipped: realtime priority is not allowed here");
        return;
    }
    CHECK(result == 0);
}
