// portcullis-engine: follows log files, analyses their lines, writes alerts and asks execd for
// responses.
//
// Starts as root to take its pid file, open its log and make its folders, then becomes an ordinary
// user before it reads anything else.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>

#include "base/daemonize.hpp"
#include "base/pid_file.hpp"
#include "base/privileges.hpp"
#include "base/realtime.hpp"
#include "programs/daemon_command_line.hpp"
#include "programs/daemon_configuration.hpp"
#include "programs/engine/engine.hpp"
#include "programs/engine/engine_calls.hpp"
#include "programs/service_notifier.hpp"

namespace {

namespace programs = portcullis::programs;
namespace base = portcullis::base;
using programs::Home;

struct CommandLine : programs::DaemonCommandLine {
    bool from_start = false;
    bool may_use_all_calls = false;
};

// nullopt = continue with `line`; otherwise the exit code.
std::optional<int> parse(int argc, char** argv, CommandLine& line) {
    CLI::App cli{
        "Follows log files, analyses their lines with OSSEC's XML rules, writes alerts and asks\n"
        "portcullis-execd for responses. SIGHUP reloads the configuration; if that has\n"
        "mistakes, the old one stays active. SIGTERM stops the engine.",
        "portcullis-engine"};
    line.add_to(cli, "portcullis-engine", "user that the engine becomes if it is started as root");
    cli.add_flag("--from-start", line.from_start,
                 "read a file that was never read from its first line instead of from its end");
    cli.add_flag("--no-seccomp", line.may_use_all_calls,
                 "do not limit the running engine to the system calls that it needs");
    return line.parse(cli, argc, argv);
}

int test_configuration(const CommandLine& line) {
    base::Diagnostics diagnostics;
    const auto loaded =
        programs::load_daemon_configuration(Home(line.home), line.config, diagnostics);
    std::fputs(base::render(diagnostics).c_str(), stderr);
    return loaded ? 0 : 1;
}

// Does everything that needs root, then becomes an ordinary user. The result must live as long as
// the daemon.
base::Result<base::PidFile> prepare(const CommandLine& line, const Home& home, base::Log& log) {
    auto account = base::current_account();
    if (account.is_root()) {
        auto wanted = base::find_account(line.user);
        if (!wanted) {
            return base::fail(wanted.error());
        }
        account = std::move(*wanted);
    }
    // These belong to root, and are readable: the engine's user watches logs for rotations. Errors
    // are reported below.
    const mode_t mask = ::umask(022);
    for (const auto& folder : {home.resolve("run"), home.resolve("logs")}) {
        ::mkdir(folder.c_str(), 0755);
    }
    ::umask(mask);
    auto lock = base::PidFile::lock(home.pid_file("engine"));
    if (!lock) {
        return lock;
    }
    for (const std::string& folder : {home.queue(), home.alerts(), home.resolve("logs/archives"),
                                      home.resolve("logs/firewall"), home.resolve("stats")}) {
        if (auto made = base::make_folder_for(folder, account); !made) {
            return base::fail(made.error());
        }
    }
    if (auto opened = log.open_file(home.log()); !opened) {
        return base::fail(opened.error());
    }
    if (!base::become_realtime()) {
        log.info("realtime priority is not allowed here: a busy processor may delay responses");
    }
    if (auto dropped = base::drop_to(account); !dropped) {
        return base::fail(dropped.error());
    }
    return lock;
}

// Each followed file needs a descriptor.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int run(const Home& home, const CommandLine& line, base::Log& log, base::Daemonizer& daemon) {
    base::Diagnostics diagnostics;
    auto configuration = programs::load_daemon_configuration(home, line.config, diagnostics);
    if (!diagnostics.all().empty()) {
        // Without prefixes on the terminal, with time and name in the log.
        std::fputs(base::render(diagnostics).c_str(), stderr);
        log.set_to_stderr(false);
        log.write(configuration ? base::LogLevel::Warning : base::LogLevel::Error,
                  base::render(diagnostics));
        log.set_to_stderr(true);
    }
    if (!configuration) {
        log.error("nothing was started: the configuration has errors");
        return 1;
    }
    const auto rule_count = configuration->analysis.responses_of_rule.size();

    base::EventLoop loop;
    const base::SystemClock clock;
    programs::Engine engine(loop, log, clock, home, {line.config, line.debug, line.from_start},
                            std::move(configuration));
    const auto on_term = loop.watch_signal(SIGTERM, [&] { loop.quit(0); });
    const auto on_int = loop.watch_signal(SIGINT, [&] { loop.quit(0); });
    const auto on_hup = loop.watch_signal(SIGHUP, [&] {
        programs::notify_reloading();
        engine.reload();
        programs::notify_ready();
    });
    engine.start();
    if (!line.may_use_all_calls) {
        // Without seccomp in the kernel, the engine runs with one line of defence less.
        if (const auto limited = programs::limit_engine_calls(home.log()); !limited) {
            log.warning(limited.error().message);
        }
    }
    log.info("Started: " + std::to_string(engine.file_count()) + " files are followed, " +
             std::to_string(rule_count) + " rules, version " PORTCULLIS_VERSION);
    daemon.ready();
    programs::notify_ready();
    const int exit_code = loop.run();
    if (exit_code != 0) {
        log.error("the event loop failed, so the engine ends: please report this as a bug");
    }
    programs::notify_stopping();
    engine.stop();
    log.info("stopped");
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    CommandLine line;
    if (const auto exit_code = parse(argc, argv, line)) {
        return *exit_code;
    }
    if (line.test_only) {
        return test_configuration(line);
    }
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(027);
    raise_descriptor_limit();
    const Home home(line.home);
    base::Log log("portcullis-engine");
    log.set_debug(line.debug);
    auto daemon = line.in_foreground
                      ? base::Result<base::Daemonizer>(base::Daemonizer::foreground())
                      : base::Daemonizer::start();
    if (!daemon) {
        std::fputs(base::render(daemon.error()).c_str(), stderr);
        return 1;
    }
    const auto lock = prepare(line, home, log);
    if (!lock) {
        std::fputs(("portcullis-engine: " + base::render(lock.error())).c_str(), stderr);
        return 1;
    }
    return run(home, line, log, *daemon);
}
