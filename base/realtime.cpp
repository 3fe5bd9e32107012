#include "base/realtime.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace portcullis::base {
namespace {

constexpr int kPriority = 1;

// Monotonic nanoseconds of the demotion, or one of these.
constexpr std::int64_t kSteady = 0;      // realtime, or never asked for
constexpr std::int64_t kUnlimited = -1;  // realtime, and the stretch is not limited yet
std::atomic<std::int64_t> demoted_at{kSteady};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "a signal handler writes it");

// Async-signal-safe; the standard does not promise that for std::chrono's clocks.
std::int64_t monotonic_nanoseconds() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool set_policy(int policy, int priority) {
    sched_param parameter{};
    parameter.sched_priority = priority;
    // The main thread by its id: the handler may run on another one.
    return ::sched_setscheduler(::getpid(), policy | SCHED_RESET_ON_FORK, &parameter) == 0;
}

bool limit_stretch() {
    // The kernel raises the soft limit by a second whenever it is reached: set it anew.
    rlimit stretch{};
    if (::getrlimit(RLIMIT_RTTIME, &stretch) != 0) {
        return false;
    }
    stretch.rlim_cur = static_cast<rlim_t>(std::chrono::microseconds(kRealtimeStretch).count());
    return ::setrlimit(RLIMIT_RTTIME, &stretch) == 0;
}

void demote(int /*signal*/) {
    set_policy(SCHED_OTHER, 0);
    demoted_at.store(monotonic_nanoseconds(), std::memory_order_relaxed);
}

}  // namespace

bool become_realtime() {
    // Without CAP_SYS_RESOURCE this fails, and an ordinary user is not promoted a second time.
    const rlimit priority{kPriority, kPriority};
    ::setrlimit(RLIMIT_RTPRIO, &priority);
    struct sigaction action {};
    action.sa_handler = demote;
    action.sa_flags = SA_RESTART;
    if (::sigaction(SIGXCPU, &action, nullptr) != 0 || !set_policy(SCHED_FIFO, kPriority)) {
        return false;
    }
    demoted_at.store(kUnlimited, std::memory_order_relaxed);
    return true;
}

void resume_realtime() {
    const std::int64_t since = demoted_at.load(std::memory_order_relaxed);
    if (since == kSteady) {
        return;
    }
    if (since == kUnlimited) {
        demoted_at.store(kSteady, std::memory_order_relaxed);
        if (!limit_stretch()) {
            set_policy(SCHED_OTHER, 0);  // never without a limit
        }
        return;
    }
    const std::int64_t now = monotonic_nanoseconds();
    if (now - since < std::chrono::nanoseconds(kRealtimePenalty).count()) {
        return;
    }
    const bool is_promoted = limit_stretch() && set_policy(SCHED_FIFO, kPriority);
    demoted_at.store(is_promoted ? kSteady : now, std::memory_order_relaxed);
}

}  // namespace portcullis::base
