#include "programs/engine/engine_calls.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/seccomp.hpp"

namespace portcullis::programs {
namespace {

using base::AllowedCall;
using base::CallArgument;

// Equivalent calls are listed together: the one that libc uses depends on its version and on the
// processor.
constexpr AllowedCall kCalls[] = {
    // Files: logs, configuration, alerts, state. The permissions of their folders limit the engine.
    {"open"},
    {"openat"},
    {"creat"},
    {"close"},
    {"read"},
    {"readv"},
    {"pread64"},
    {"write"},
    {"writev"},
    {"pwrite64"},
    {"lseek"},
    {"stat"},
    {"lstat"},
    {"fstat"},
    {"newfstatat"},
    {"statx"},
    {"statfs"},
    {"fstatfs"},
    {"access"},
    {"faccessat"},
    {"faccessat2"},
    {"readlink"},
    {"readlinkat"},
    {"getcwd"},
    {"getdents64"},
    {"mkdir"},
    {"mkdirat"},
    {"rmdir"},
    {"rename"},
    {"renameat"},
    {"renameat2"},
    {"link"},
    {"linkat"},
    {"symlink"},
    {"symlinkat"},
    {"unlink"},
    {"unlinkat"},
    {"fsync"},
    {"fdatasync"},
    {"sync_file_range"},
    {"truncate"},
    {"ftruncate"},
    {"fallocate"},
    {"fadvise64"},
    {"flock"},
    {"fchmod"},
    {"umask"},
    {"fcntl"},
    {"dup"},
    {"dup2"},
    {"dup3"},
    {"pipe2"},
    {"ioctl", CallArgument{.index = 1, .value = FIONREAD}},
    {"ioctl", CallArgument{.index = 1, .value = TCGETS}},  // isatty()
    // Changes of files
    {"inotify_init1"},
    {"inotify_add_watch"},
    {"inotify_rm_watch"},
    // The event loop
    {"epoll_create1"},
    {"epoll_ctl"},
    {"epoll_wait"},
    {"epoll_pwait"},
    {"epoll_pwait2"},
    {"poll"},
    {"ppoll"},
    {"select"},
    {"pselect6"},
    {"timerfd_create"},
    {"timerfd_settime"},
    {"timerfd_gettime"},
    {"signalfd4"},
    {"eventfd2"},
    {"sigaltstack"},
    {"restart_syscall"},
    // execd, systemd and DNS
    {"socket", CallArgument{.index = 0, .value = AF_UNIX}},
    {"socket", CallArgument{.index = 0, .value = AF_INET}},
    {"socket", CallArgument{.index = 0, .value = AF_INET6}},
    {"connect"},
    {"bind"},
    {"shutdown"},
    {"sendto"},
    {"sendmsg"},
    {"sendmmsg"},
    {"recvfrom"},
    {"recvmsg"},
    {"getsockopt"},
    {"setsockopt"},
    {"getsockname"},
    {"getpeername"},
    // Memory, also that of compiled patterns (PCRE2 JIT) at a reload
    {"brk"},
    {"mmap"},
    {"munmap"},
    {"mremap"},
    {"mprotect"},
    {"madvise"},
    {"futex"},
    {"membarrier"},
    {"rseq"},
    {"set_robust_list"},
    // Time, and facts about this process and this host
    {"clock_gettime"},
    {"clock_getres"},
    {"clock_nanosleep"},
    {"nanosleep"},
    {"gettimeofday"},
    {"time"},
    {"getrandom"},
    {"getuid"},
    {"geteuid"},
    {"getgid"},
    {"getegid"},
    {"getppid"},
    {"getrusage"},
    {"getrlimit"},
    {"prlimit64", CallArgument{.index = 2, .value = 0}},  // to read, not to set
    // A realtime process whose stretch was too long (base/realtime.hpp)
    {"prlimit64", CallArgument{.index = 1, .value = RLIMIT_RTTIME}},
    {"setrlimit", CallArgument{.index = 0, .value = RLIMIT_RTTIME}},
    {"sched_getaffinity"},
    {"sched_yield"},
    {"sysinfo"},
    {"uname"},
};

// Open all the time: the handler of SIGSYS cannot open anything.
int report_fd = -1;

void write_report(int fd, std::string_view text) {
    // A report that cannot be written changes nothing: the process ends anyway.
    static_cast<void>(!::write(fd, text.data(), text.size()));
}

// In a signal handler: no allocation, no locks.
void report_refused_call(const base::RefusedCall& call) {
    std::array<char, 256> text{};
    std::size_t size = 0;
    for (const std::string_view part :
         {std::string_view("portcullis-engine: CRITICAL: the system call "), call.name,
          std::string_view(" is not allowed (seccomp): the engine ends\n")}) {
        const std::size_t taken = part.copy(text.data() + size, text.size() - size);
        size += taken;
    }
    write_report(STDERR_FILENO, {text.data(), size});
    if (report_fd >= 0) {
        write_report(report_fd, {text.data(), size});
    }
}

}  // namespace

base::Result<void> limit_engine_calls(const std::string& log_path) {
    if (!base::kCanLimitSystemCalls) {
        return {};
    }
    report_fd = ::open(log_path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    std::vector<AllowedCall> calls(std::begin(kCalls), std::end(kCalls));
    // Realtime priority of this process is given up and taken again, not that of other processes.
    calls.push_back({"sched_setscheduler",
                     CallArgument{.index = 0, .value = static_cast<std::uint64_t>(::getpid())}});
    return base::allow_only(calls, report_refused_call);
}

}  // namespace portcullis::programs
