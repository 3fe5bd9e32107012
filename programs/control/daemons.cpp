#include "programs/control/daemons.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ascii.hpp"
#include "base/fd.hpp"
#include "base/pid_file.hpp"
#include "base/privileges.hpp"
#include "programs/control/bans.hpp"
#include "programs/daemon_configuration.hpp"

namespace portcullis::programs {
namespace {

using Arguments = std::vector<std::string>;

// execd may have to wait for a running command.
constexpr std::chrono::seconds kStopDeadline{15};

struct DaemonKind {
    std::string_view name;  // of its pid file; its program is "portcullis-" + name
    bool (*is_wanted)(const Home& home);
    Arguments (*arguments)(const Home& home, const std::string& config_path);
    std::string_view counters;  // file that it writes them to, relative to the home; "" = none
};

bool always(const Home&) { return true; }

Arguments engine_arguments(const Home& home, const std::string& config_path) {
    return {"-D", home.path(), "-c", config_path};
}

std::string sensor_config(const Home& home) {
    return home.path() == kDefaultHome ? "/etc/iplog.conf" : home.resolve("etc/iplog.conf");
}

bool has_sensor_config(const Home& home) {
    return ::access(sensor_config(home).c_str(), F_OK) == 0;
}

constexpr std::string_view kSensorUser = "portcullis-sensor";
constexpr std::string_view kSensorCounters = "run/sensor-status.json";

// If there is no account of the sensor, it runs as the user that iplog.conf names.
Arguments sensor_arguments(const Home& home, const std::string&) {
    const std::string log =
        home.path() == kDefaultHome ? "/var/log/iplog" : home.resolve("logs/iplog");
    Arguments arguments{"--config",
                        sensor_config(home),
                        "-l",
                        log,
                        "--pid-file",
                        home.pid_file("sensor"),
                        "--status-file",
                        home.resolve(std::string(kSensorCounters))};
    if (const std::string user(kSensorUser); base::find_account(user)) {
        arguments.insert(arguments.end(), {"-u", user});
    }
    return arguments;
}

// In the order of starting: a daemon follows those that it asks.
constexpr std::array kDaemons{
    DaemonKind{"execd", always, engine_arguments, "run/execd-status.json"},
    DaemonKind{"engine", always, engine_arguments, "queue/engine-status.json"},
    DaemonKind{"sensor", has_sensor_config, sensor_arguments, kSensorCounters},
};

void print(std::FILE* to, const std::string& text) { std::fputs(text.c_str(), to); }

std::optional<pid_t> find_running(const DaemonKind& daemon, const Home& home) {
    return base::running_pid(home.pid_file(daemon.name));
}

// Whether the pid file may not be read, or its folder not entered.
bool is_hidden(const DaemonKind& daemon, const Home& home) {
    return ::access(home.pid_file(daemon.name).c_str(), R_OK) != 0 && errno == EACCES;
}

bool is_configuration_good(const Home& home, const std::string& config_path) {
    base::Diagnostics diagnostics;
    const auto loaded = load_daemon_configuration(home, config_path, diagnostics);
    print(stderr, base::render(diagnostics));
    return loaded != nullptr;
}

// The programs of one build or installation are in one folder.
std::string program_of(const DaemonKind& daemon) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return (self.parent_path() / fmt::format("portcullis-{}", daemon.name)).string();
}

// Runs `program` to its end, and adds its standard output to `output`, if that is not nullptr. (A
// daemon's program ends once the daemon is ready in the background.) Returns its exit code;
// nullopt = it could not be run, or was killed.
std::optional<int> run_program(const std::string& program, Arguments arguments,
                               std::string* output = nullptr) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    std::array<int, 2> pipe{-1, -1};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output != nullptr && ::pipe2(pipe.data(), O_CLOEXEC) == 0) {
        posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    }
    const base::UniqueFd from(pipe[0]);
    base::UniqueFd to(pipe[1]);
    pid_t child = 0;
    const int error =
        ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    to.reset();
    if (error != 0) {
        print(stderr, fmt::format("{}: {}\n", program, base::error_text(error)));
        return std::nullopt;
    }
    std::array<char, 4096> bytes{};
    while (from) {
        const ssize_t size = ::read(from.get(), bytes.data(), bytes.size());
        if (size > 0) {
            output->append(bytes.data(), static_cast<std::size_t>(size));
        } else if (size == 0 || errno != EINTR) {
            break;
        }
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
}

bool launch(const DaemonKind& daemon, const Home& home, const std::string& config_path) {
    return run_program(program_of(daemon), daemon.arguments(home, config_path)) == 0;
}

// Shows the mistakes of iplog.conf. The sensor ignores the wrong lines, as iplog does, and would
// report them in its own log alone.
void show_sensor_faults(const Home& home) {
    const DaemonKind& sensor = kDaemons.back();
    if (!sensor.is_wanted(home)) {
        return;
    }
    Arguments arguments = sensor.arguments(home, {});
    arguments.emplace_back("--check");
    std::string shown;
    if (run_program(program_of(sensor), std::move(arguments), &shown).value_or(0) != 0) {
        print(stderr, fmt::format("{}: these rules are left out:\n{}", sensor_config(home), shown));
    }
}

enum class SignalOutcome { Sent, NotRunning, Failed };

// Signals the daemon through a pidfd that was opened while it held its lock, so that a recycled id
// is never signalled. If the outcome is Sent, `process` is the pidfd.
SignalOutcome send_signal(const DaemonKind& daemon, const Home& home, int signal,
                          base::UniqueFd& process) {
    if (is_hidden(daemon, home)) {
        print(stderr,
              fmt::format("{}: {}\n", daemon.name, hidden_text(home.pid_file(daemon.name))));
        return SignalOutcome::Failed;
    }
    const auto pid = find_running(daemon, home);
    if (!pid) {
        return SignalOutcome::NotRunning;
    }
    process.reset(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
    if (process && find_running(daemon, home) != pid) {
        return SignalOutcome::NotRunning;  // it ended in between
    }
    if (!process || ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) != 0) {
        print(stderr, fmt::format("{}: cannot signal process {}: {}\n", daemon.name, *pid,
                                  base::error_text(errno)));
        return SignalOutcome::Failed;
    }
    return SignalOutcome::Sent;
}

bool wait_until_ended(const base::UniqueFd& process) {
    pollfd ended{process.get(), POLLIN, 0};
    const auto deadline = std::chrono::steady_clock::now() + kStopDeadline;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        const int result = ::poll(&ended, 1, static_cast<int>(std::max<long>(left.count(), 0)));
        if (result >= 0 || errno != EINTR) {
            return result > 0;
        }
    }
}

bool stop(const DaemonKind& daemon, const Home& home) {
    base::UniqueFd process;
    switch (send_signal(daemon, home, SIGTERM, process)) {
        case SignalOutcome::NotRunning:
            return true;
        case SignalOutcome::Failed:
            return false;
        case SignalOutcome::Sent:
            break;
    }
    const bool ended = wait_until_ended(process);
    print(ended ? stdout : stderr, ended ? fmt::format("{}: stopped\n", daemon.name)
                                         : fmt::format("{}: does not stop (waited {} s)\n",
                                                       daemon.name, kStopDeadline.count()));
    return ended;
}

// Reads a status file. The engine's user owns the folder and could put anything there: a pipe that
// never ends, or a link to a file that only root may read. "" = there is no regular file.
std::string counters_text(const std::string& path) {
    const base::UniqueFd fd(
        ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return {};
    }
    std::string text(64UL << 10, '\0');
    const ssize_t size = ::read(fd.get(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

DaemonStatus status_of(const DaemonKind& daemon, const Home& home) {
    DaemonStatus status;
    status.name = daemon.name;
    status.counters_file = daemon.counters;
    const auto pid = find_running(daemon, home);
    if (is_hidden(daemon, home)) {
        status.state = DaemonState::Hidden;
        status.pid_file = home.pid_file(daemon.name);
    } else if (pid) {
        status.state = DaemonState::Running;
        status.pid = *pid;
    } else if (!daemon.is_wanted(home)) {
        status.state = DaemonState::NotConfigured;
        return status;
    }
    status.counters = parse_counters(counters_text(home.resolve(status.counters_file)));
    return status;
}

}  // namespace

int start_daemons(const Home& home, const std::string& config_path) {
    if (!is_configuration_good(home, config_path)) {
        print(stderr, "nothing was started: the configuration has errors\n");
        return 1;
    }
    std::vector<const DaemonKind*> started;
    for (const DaemonKind& daemon : kDaemons) {
        if (!daemon.is_wanted(home)) {
            continue;
        }
        if (const auto pid = find_running(daemon, home)) {
            print(stdout, fmt::format("{}: runs already (process {})\n", daemon.name, *pid));
            continue;
        }
        if (!launch(daemon, home, config_path)) {
            print(stderr, fmt::format("{}: could not be started\n", daemon.name));
            std::for_each(started.rbegin(), started.rend(),
                          [&](const DaemonKind* each) { stop(*each, home); });
            return 1;
        }
        print(stdout, fmt::format("{}: started\n", daemon.name));
        started.push_back(&daemon);
    }
    return 0;
}

int stop_daemons(const Home& home) {
    bool all_stopped = true;
    std::for_each(kDaemons.rbegin(), kDaemons.rend(), [&](const DaemonKind& daemon) {
        all_stopped = stop(daemon, home) && all_stopped;
    });
    return all_stopped ? 0 : 1;
}

int restart_daemons(const Home& home, const std::string& config_path) {
    if (!is_configuration_good(home, config_path)) {
        print(stderr, "nothing was stopped: the configuration has errors\n");
        return 1;
    }
    const int stopped = stop_daemons(home);
    return stopped != 0 ? stopped : start_daemons(home, config_path);
}

int reload_daemons(const Home& home, const std::string& config_path) {
    if (!is_configuration_good(home, config_path)) {
        print(stderr,
              "not reloaded: the configuration has errors, so the daemons keep the old one\n");
        return 1;
    }
    show_sensor_faults(home);
    int signalled = 0;
    bool has_failed = false;
    for (const DaemonKind& daemon : kDaemons) {
        base::UniqueFd process;
        const SignalOutcome outcome = send_signal(daemon, home, SIGHUP, process);
        has_failed = has_failed || outcome == SignalOutcome::Failed;
        if (outcome == SignalOutcome::Sent) {
            ++signalled;
            print(stdout, fmt::format("{}: reloads\n", daemon.name));
        }
    }
    if (signalled == 0 && !has_failed) {
        print(stderr, "no daemon of this home runs\n");
    }
    return signalled > 0 && !has_failed ? 0 : 1;
}

int show_status(const Home& home) {
    HomeStatus status;
    for (const DaemonKind& daemon : kDaemons) {
        status.daemons.push_back(status_of(daemon, home));
    }
    print(stdout, text_of(status));
    std::fflush(stdout);
    print(stdout, text_of({{}, ban_count(home)}));
    const auto has = [&](DaemonState state) {
        return std::any_of(status.daemons.begin(), status.daemons.end(),
                           [&](const DaemonStatus& daemon) { return daemon.state == state; });
    };
    if (has(DaemonState::Hidden)) {
        return 1;
    }
    return has(DaemonState::NotRunning) ? kExitNotRunning : 0;
}

}  // namespace portcullis::programs
