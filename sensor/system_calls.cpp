#include "sensor/system_calls.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <string_view>

#include "base/seccomp.hpp"

namespace portcullis {
namespace {

using base::AllowedCall;
using base::CallArgument;

constexpr CallArgument first_is(std::uint64_t value) {
    // The kernel looks at the lower half of an int.
    return CallArgument{0, 0xffffffffU, value};
}
constexpr CallArgument kNotExecutable{2, PROT_EXEC, 0};

constexpr AllowedCall kAllowed[] = {
    // Memory, but none that can be executed.
    {"mmap", kNotExecutable},
    {"mprotect", kNotExecutable},
    {"munmap"},
    {"mremap"},
    {"madvise"},
    {"brk"},
    {"futex"},
    {"getrandom"},
    // The log, the status file, the pid file; configuration and names at a reload; /sys and /proc
    // for an interface that is opened again.
    {"open"},
    {"openat"},
    {"close"},
    {"read"},
    {"readv"},
    {"pread64"},
    {"write"},
    {"writev"},
    {"pwrite64"},
    {"lseek"},
    {"fcntl"},
    {"ftruncate"},
    {"stat"},
    {"fstat"},
    {"lstat"},
    {"newfstatat"},
    {"statx"},
    {"access"},
    {"faccessat"},
    {"faccessat2"},
    {"readlink"},
    {"readlinkat"},
    {"getdents64"},
    {"unlink"},
    {"unlinkat"},
    // Leaving the terminal.
    {"dup2"},
    {"dup3"},
    // The event loop.
    {"epoll_create1"},
    {"epoll_ctl"},
    {"epoll_wait"},
    {"epoll_pwait"},
    {"epoll_pwait2"},
    {"poll"},
    {"ppoll"},
    {"timerfd_create"},
    {"timerfd_settime"},
    {"timerfd_gettime"},
    {"signalfd4"},
    {"eventfd2"},
    {"clock_gettime"},
    {"clock_getres"},
    {"clock_nanosleep"},
    {"nanosleep"},
    {"gettimeofday"},
    {"time"},
    {"restart_syscall"},
    // Capture, routes, questions to name servers and identds, syslog.
    {"socket", first_is(AF_PACKET)},
    {"socket", first_is(AF_INET)},
    {"socket", first_is(AF_INET6)},
    {"socket", first_is(AF_UNIX)},
    {"socket", first_is(AF_NETLINK)},
    {"bind"},
    {"connect"},
    {"sendto"},
    {"sendmsg"},
    {"sendmmsg"},
    {"recvfrom"},
    {"recvmsg"},
    {"recvmmsg"},
    {"shutdown"},
    {"getsockname"},
    {"getpeername"},
    {"getsockopt"},
    {"setsockopt"},
    {"ioctl"},
    // CAP_NET_RAW in effect for the moment in which an interface is opened; realtime priority.
    {"capget"},
    {"capset"},
    {"prctl", first_is(PR_CAPBSET_READ)},
    {"prctl", first_is(PR_CAP_AMBIENT)},
    {"prctl", first_is(PR_GET_SECUREBITS)},
    {"sched_setscheduler"},
    {"getrlimit"},
    {"setrlimit"},
    {"prlimit64"},
    {"getuid"},
    {"geteuid"},
    {"getgid"},
    {"getegid"},
    {"getppid"},
    {"uname"},
};

// For the signal handler: neither may be computed there.
std::array<char, 4096> log_path{};
long utc_offset = 0;  // of local time, in seconds

void append(std::array<char, 256>& line, std::size_t& size, std::string_view text) {
    const std::size_t count = std::min(text.size(), line.size() - size);
    std::memcpy(line.data() + size, text.data(), count);
    size += count;
}

void append_number(std::array<char, 256>& line, std::size_t& size, long number, std::size_t width,
                   char fill) {
    std::array<char, 24> digits{};
    const auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    const auto length = static_cast<std::size_t>(end - digits.data());
    for (std::size_t i = length; i < width; ++i) {
        append(line, size, {&fill, 1});
    }
    append(line, size, {digits.data(), length});
}

// "Nov  9 16:24:47 ", without localtime(3), which takes a lock.
void append_stamp(std::array<char, 256>& line, std::size_t& size) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const long local = now.tv_sec + utc_offset;
    const long second = local % 86400;
    // Days since 0000-03-01, then years of 365.2425 days that begin in March.
    const long days = local / 86400 + 719468;
    const long of_era = days % 146097;
    const long year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const long day_of_year = of_era - (365 * year + year / 4 - year / 100);
    const long month = (5 * day_of_year + 2) / 153;  // 0 = March
    append(line, size, kMonths.substr(static_cast<std::size_t>((month + 2) % 12) * 3, 3));
    append(line, size, " ");
    append_number(line, size, day_of_year - (153 * month + 2) / 5 + 1, 2, ' ');
    append(line, size, " ");
    append_number(line, size, second / 3600, 2, '0');
    append(line, size, ":");
    append_number(line, size, second / 60 % 60, 2, '0');
    append(line, size, ":");
    append_number(line, size, second % 60, 2, '0');
    append(line, size, " ");
}

void report_refused(const base::RefusedCall& call) {
    std::array<char, 256> line{};
    std::size_t size = 0;
    append_stamp(line, size);
    const std::size_t behind_stamp = size;
    append(line, size, "Fatal: the system call ");
    append(line, size, call.name);
    append(line, size, " (");
    append_number(line, size, call.number, 0, ' ');
    append(line, size, ") is not allowed (seccomp), exiting.\n");
    static_cast<void>(::write(STDERR_FILENO, line.data() + behind_stamp, size - behind_stamp));
    if (log_path[0] != 0) {
        const int fd = ::open(log_path.data(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0) {
            static_cast<void>(::write(fd, line.data(), size));
        }
    }
}

}  // namespace

base::Result<void> limit_system_calls(const std::string& log_file) {
    if constexpr (!base::kCanLimitSystemCalls) {
        return {};
    }
    if (log_file.size() < log_path.size()) {
        log_path = {};
        log_file.copy(log_path.data(), log_path.size() - 1);
    }
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    utc_offset = local.tm_gmtoff;
    return base::allow_only(kAllowed, report_refused);
}

}  // namespace portcullis
