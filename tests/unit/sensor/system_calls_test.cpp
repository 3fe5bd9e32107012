#include "sensor/system_calls.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>

#include "base/seccomp.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;

namespace {

// Status of a process of its own that limits its calls and then runs `body`.
int status_of(const std::string& log_file, const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) {
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDERR_FILENO);
        _exit(limit_system_calls(log_file) ? body() : 99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("system_calls: what a taken-over sensor would want ends it, and the log says so") {
    if (!base::kCanLimitSystemCalls) {
        return;
    }
    const test::TemporaryFolder folder;
    const std::string log = folder / "iplog";
    struct Row {
        const char* name;
        std::function<void()> call;
    };
    const Row rows[] = {
        {"execve",
         [] {
             const std::array<char*, 1> none{nullptr};
             ::execve("/bin/true", none.data(), none.data());
         }},
        {"clone", [] { static_cast<void>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
        {"ptrace", [] { ::syscall(SYS_ptrace, 0, 0, 0, 0); }},
        {"kill", [] { ::syscall(SYS_kill, ::getppid(), 0); }},
        {"mprotect",
         [] {
             void* page =
                 ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
         }},
        {"mmap",
         [] { ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
        {"socket", [] { ::socket(AF_VSOCK, SOCK_STREAM, 0); }},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        std::ofstream(log) << "a line before\n";
        const int status = status_of(log, [&] {
            row.call();
            return 0;
        });
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGSYS);
        const std::regex wanted(
            "a line before\n[A-Z][a-z]{2} [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} "
            "Fatal: the system call " +
            std::string(row.name) + " \\([0-9]+\\) is not allowed \\(seccomp\\), exiting\\.\n");
        CHECK(std::regex_match(text_of(log), wanted));
    }
}

TEST_CASE("system_calls: the line has the local time of the log") {
    if (!base::kCanLimitSystemCalls) {
        return;
    }
    const test::TemporaryFolder folder;
    const std::string log = folder / "iplog";
    std::ofstream{log};
    const std::time_t before = std::time(nullptr);
    status_of(log, [] { return static_cast<int>(::syscall(SYS_kill, 1, 0)); });
    const std::time_t after = std::time(nullptr);
    std::vector<std::string> stamps;
    for (std::time_t at = before; at <= after; ++at) {
        std::tm local{};
        localtime_r(&at, &local);
        std::array<char, 32> text{};
        stamps.emplace_back(text.data(),
                            std::strftime(text.data(), text.size(), "%b %e %H:%M:%S", &local));
    }
    const std::string stamp = text_of(log).substr(0, stamps.front().size());
    CHECK(std::find(stamps.begin(), stamps.end(), stamp) != stamps.end());
}

TEST_CASE("system_calls: files, sockets and memory still work") {
    if (!base::kCanLimitSystemCalls) {
        return;
    }
    const test::TemporaryFolder folder;
    const std::string file = folder / "file";
    const int status = status_of("", [&] {
        const std::string large(std::size_t{8} << 20, 'x');
        const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        const int datagrams = ::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        return fd >= 0 && ::write(fd, large.data(), large.size()) > 0 && datagrams >= 0 &&
                       ::unlink(file.c_str()) == 0
                   ? 7
                   : 1;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}
