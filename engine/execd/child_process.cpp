#include "engine/execd/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace portcullis::execd {
namespace {

tl::unexpected<base::Diagnostic> cannot_run(const std::string& path, int error) {
    return base::fail("cannot-run",
                      fmt::format("cannot run {}: {}", path, base::error_text(error)));
}

struct Pipe {
    base::UniqueFd read;
    base::UniqueFd write;
};

// `ours` is set to O_NONBLOCK: execd must never wait for a command.
bool make_pipe(Pipe& pipe, bool is_read_end_ours) {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
        return false;
    }
    pipe.read.reset(fds[0]);
    pipe.write.reset(fds[1]);
    const int ours = is_read_end_ours ? fds[0] : fds[1];
    return ::fcntl(ours, F_SETFL, O_NONBLOCK) == 0;
}

struct SpawnPlan {
    posix_spawn_file_actions_t files{};
    posix_spawnattr_t attributes{};
    SpawnPlan() {
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan() {
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
    }
};

std::optional<std::string> reason_not_to_trust(const std::string& path, const struct stat& status) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return fmt::format("{} does not belong to root (chown root it)", path);
    }
    if ((status.st_mode & S_IWOTH) != 0 ||
        ((status.st_mode & S_IWGRP) != 0 && status.st_gid != 0)) {
        return fmt::format("{} can be written to by others (chmod go-w it)", path);
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> reason_not_to_run(const std::string& folder,
                                             const std::string& executable) {
    if (executable.empty() || executable.find('/') != std::string::npos ||
        executable.find("..") != std::string::npos) {
        return fmt::format("\"{}\" is not the name of a file in {}", executable, folder);
    }
    const std::string path = folder + "/" + executable;
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) {
        return fmt::format("{}: {}", folder, base::error_text(errno));
    }
    if (auto reason = reason_not_to_trust(folder, status)) {
        return reason;
    }
    if (::stat(path.c_str(), &status) != 0) {
        return fmt::format("{}: {}", path, base::error_text(errno));
    }
    if (!S_ISREG(status.st_mode) || (status.st_mode & S_IXUSR) == 0) {
        return fmt::format("{} is not an executable file", path);
    }
    return reason_not_to_trust(path, status);
}

base::Result<ChildProcess> start_child(const std::vector<std::string>& argv,
                                       std::chrono::seconds timeout, base::BlockKind block,
                                       ChildInput input) {
    const std::string& path = argv.front();
    Pipe to_child;
    Pipe from_child;
    Pipe errors;
    const bool is_fed = input == ChildInput::Pipe;
    if (!make_pipe(from_child, true) ||
        (is_fed && (!make_pipe(to_child, false) || !make_pipe(errors, true)))) {
        return cannot_run(path, errno);
    }

    SpawnPlan plan;
    if (is_fed) {
        posix_spawn_file_actions_adddup2(&plan.files, to_child.read.get(), STDIN_FILENO);
    } else {
        posix_spawn_file_actions_addopen(&plan.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    posix_spawn_file_actions_adddup2(&plan.files, from_child.write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(
        &plan.files, is_fed ? errors.write.get() : from_child.write.get(), STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&plan.files, STDERR_FILENO + 1);

    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&plan.attributes, &none);
    posix_spawnattr_setsigdefault(&plan.attributes, &all);
    posix_spawnattr_setpgroup(&plan.attributes, 0);
    posix_spawnattr_setflags(
        &plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

    std::vector<std::string> environment = {
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
        fmt::format("PORTCULLIS_TIMEOUT={}", timeout.count()),
        fmt::format("PORTCULLIS_BLOCK={}", base::word_of(block))};
    std::vector<char*> argv_pointers;
    std::vector<std::string> arguments = argv;
    argv_pointers.reserve(arguments.size() + 1);
    for (auto& argument : arguments) {
        argv_pointers.push_back(argument.data());
    }
    argv_pointers.push_back(nullptr);
    std::vector<char*> environment_pointers;
    environment_pointers.reserve(environment.size() + 1);
    for (auto& variable : environment) {
        environment_pointers.push_back(variable.data());
    }
    environment_pointers.push_back(nullptr);

    ChildProcess child;
    if (const int error = ::posix_spawn(&child.pid, path.c_str(), &plan.files, &plan.attributes,
                                        argv_pointers.data(), environment_pointers.data());
        error != 0) {
        return cannot_run(path, error);
    }
    // glibc 2.36 declares pidfd_open() without extern "C".
    child.pid_fd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
    if (!child.pid_fd) {
        const int error = errno;
        ::kill(-child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
        return cannot_run(path, error);
    }
    child.input = std::move(to_child.write);
    child.output = std::move(from_child.read);
    child.errors = std::move(errors.read);
    return child;
}

std::string reap(const ChildProcess& child) {
    int status = 0;
    if (::waitpid(child.pid, &status, 0) != child.pid) {
        return "it was reaped by somebody else";
    }
    if (WIFSIGNALED(status)) {
        return fmt::format("killed by signal {}", WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0 ? std::string()
                                    : fmt::format("exit code {}", WEXITSTATUS(status));
}

void kill_group(const ChildProcess& child) { ::kill(-child.pid, SIGKILL); }

}  // namespace portcullis::execd
