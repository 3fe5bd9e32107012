#include "programs/engine/engine_calls.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/seccomp.hpp"
#include "engine/pattern/pattern.hpp"

using namespace portcullis;

namespace {

struct Folder {
    Folder() {
        std::string path = "/tmp/portcullis-calls.XXXXXX";
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        folder = path;
        std::ofstream(folder / "ossec.log") << "";
    }
    ~Folder() { std::filesystem::remove_all(folder); }
    std::filesystem::path folder;
};

// What becomes of a child that limits itself and then runs `work`: its wait status. `work` returns
// whether all went well.
template <typename Work>
int status_under_limit(const Folder& files, Work work) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        const bool is_limited =
            programs::limit_engine_calls((files.folder / "ossec.log").string()).has_value();
        ::_exit(is_limited && work() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

bool is_limit_possible() {
    if (!base::kCanLimitSystemCalls) {
        WARN("SKIPPED: sanitizers need further system calls");
    }
    return base::kCanLimitSystemCalls;
}

}  // namespace

TEST_CASE("engine_calls: a call that the engine does not need ends it, with a line in its log") {
    if (!is_limit_possible()) {
        return;
    }
    struct Row {
        const char* name;
        bool (*call)();
    };
    const Row rows[] = {
        {"execve",
         [] {
             char* const arguments[] = {nullptr};
             return ::execve("/bin/true", arguments, arguments) == 0;
         }},
        {"socket", [] { return ::socket(AF_PACKET, SOCK_RAW, 0) >= 0; }},
        {"socket", [] { return ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0; }},
        {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; }},
        {"kill", [] { return ::kill(::getppid(), 0) == 0; }},
        {"setuid", [] { return ::setuid(::getuid()) == 0; }},
        {"chown", [] { return ::chown("/tmp", ::getuid(), ::getgid()) == 0; }},
        {"sched_setscheduler",
         [] {
             const sched_param priority{};
             return ::sched_setscheduler(::getppid(), SCHED_OTHER, &priority) == 0;
         }},
        {"prlimit64",
         [] {
             const rlimit limit{1, 1};
             return ::setrlimit(RLIMIT_CORE, &limit) == 0;
         }},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Folder files;
        const int status = status_under_limit(files, row.call);
        REQUIRE(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGSYS);
        std::ifstream log(files.folder / "ossec.log");
        const std::string text{std::istreambuf_iterator<char>(log), {}};
        CHECK(text == "portcullis-engine: CRITICAL: the system call " + std::string(row.name) +
                          " is not allowed (seccomp): the engine ends\n");
    }
}

TEST_CASE("engine_calls: files, watches, sockets and compiled patterns still work") {
    if (!is_limit_possible()) {
        return;
    }
    const Folder files;
    const int status = status_under_limit(files, [&] {
        const std::string path = files.folder / "file";
        std::ofstream(path) << "text";
        std::filesystem::create_directory(files.folder / "new");
        std::filesystem::rename(path, files.folder / "new/file");
        std::filesystem::create_hard_link(files.folder / "new/file", path);
        std::filesystem::remove(path);
        const auto count = std::distance(std::filesystem::directory_iterator(files.folder), {});
        const int watch = ::inotify_init1(IN_CLOEXEC);
        const bool is_watched = ::inotify_add_watch(watch, files.folder.c_str(), IN_CREATE) >= 0;
        const bool has_sockets =
            ::socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0 && ::socket(AF_INET, SOCK_DGRAM, 0) >= 0;
        const auto pattern = pattern::Pattern::compile(pattern::Language::Pcre2, "^(a|b)+c");
        pattern::MatchScratch scratch;
        const sched_param priority{};
        const rlimit stretch{20'000, RLIM_INFINITY};
        const bool can_give_up_realtime =
            ::sched_setscheduler(::getpid(), SCHED_OTHER, &priority) == 0 &&
            ::setrlimit(RLIMIT_RTTIME, &stretch) == 0;
        return can_give_up_realtime && count == 2 && is_watched && has_sockets && pattern &&
               pattern->matches("abc", scratch);
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
