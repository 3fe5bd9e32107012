#include "base/seccomp.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>

using namespace portcullis::base;

namespace {

struct Ending {
    int exit_code = -1;  // -1 = ended by a signal
    int signal = 0;
    std::string output;  // of standard error
};

// Runs `body` in a process of its own.
Ending in_child(const std::function<int()>& body) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        ::dup2(pipe[1], STDERR_FILENO);
        _exit(body());
    }
    ::close(pipe[1]);
    Ending ending;
    std::array<char, 256> text{};
    for (ssize_t size = 0; (size = ::read(pipe[0], text.data(), text.size())) > 0;) {
        ending.output.append(text.data(), static_cast<std::size_t>(size));
    }
    ::close(pipe[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ending.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return ending;
}

constexpr std::array<AllowedCall, 2> kFew{
    {{"write"}, {"socket", CallArgument{0, ~std::uint64_t{0}, AF_INET}}}};

}  // namespace

TEST_CASE("seccomp: allowed calls work, and so does ending") {
    if (!kCanLimitSystemCalls) {
        return;
    }
    const Ending ending = in_child([] {
        if (!allow_only(kFew)) {
            return 2;
        }
        return ::write(STDERR_FILENO, "works", 5) == 5 ? 7 : 3;
    });
    CHECK(ending.exit_code == 7);
    CHECK(ending.output == "works");
}

TEST_CASE("seccomp: another call is not carried out, is named, and ends the process") {
    if (!kCanLimitSystemCalls) {
        return;
    }
    const Ending ending = in_child([] {
        if (!allow_only(kFew)) {
            return 2;
        }
        const std::array<char*, 1> none{nullptr};
        ::execve("/bin/true", none.data(), none.data());  // would exit with 0
        return 3;
    });
    CHECK(ending.signal == SIGSYS);
    CHECK(ending.output.find("execve (" + std::to_string(SYS_execve) + ")") != std::string::npos);
}

TEST_CASE("seccomp: the argument of a call counts") {
    if (!kCanLimitSystemCalls) {
        return;
    }
    const auto opened = [](int family) {
        return in_child([family] {
            if (!allow_only(kFew)) {
                return 2;
            }
            return ::socket(family, SOCK_DGRAM, 0) >= 0 ? 0 : 3;
        });
    };
    CHECK(opened(AF_INET).exit_code == 0);
    CHECK(opened(AF_UNIX).signal == SIGSYS);
}

TEST_CASE("seccomp: the caller's report is called") {
    if (!kCanLimitSystemCalls) {
        return;
    }
    const Ending ending = in_child([] {
        const auto report = [](const RefusedCall& call) {
            static_cast<void>(::write(STDERR_FILENO, call.name.data(), call.name.size()));
        };
        if (!allow_only(kFew, report)) {
            return 2;
        }
        ::getppid();
        return 3;
    });
    CHECK(ending.signal == SIGSYS);
    CHECK(ending.output == "getppid");
}

TEST_CASE("seccomp: an unknown name limits nothing") {
    constexpr std::array<AllowedCall, 1> kUnknown{{{"no_such_call"}}};
    const auto limited = allow_only(kUnknown);
    REQUIRE_FALSE(limited);
    CHECK(limited.error().code == "seccomp");
    CHECK(::getppid() > 0);
}
