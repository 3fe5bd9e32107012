// portcullis-execd: carries out and undoes active responses; the only part that needs root.
//
// SIGTERM and SIGINT stop it. Each ban lasts until its end: kernel timeouts undo it, or the next
// start does, by the journal. `portcullis-control flush` ends all bans. SIGHUP reads the
// configuration again. If it has errors, execd keeps the old one.
#include <linux/capability.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/capabilities.hpp"
#include "base/daemonize.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/pid_file.hpp"
#include "base/realtime.hpp"
#include "engine/execd/never_block.hpp"
#include "engine/execd/service.hpp"
#include "programs/daemon_command_line.hpp"
#include "programs/execd_configuration.hpp"
#include "programs/home.hpp"
#include "programs/service_notifier.hpp"

namespace {

namespace programs = portcullis::programs;
namespace base = portcullis::base;
namespace execd = portcullis::execd;
using programs::Home;

struct CommandLine : programs::DaemonCommandLine {
    bool dry_run = false;
};

// Fills `line`. Returns the exit code if the program ends here; nullopt = it continues.
std::optional<int> parse(int argc, char** argv, CommandLine& line) {
    CLI::App cli{
        "Carries out the active responses that the engine requests, and undoes them in time. "
        "Never\n"
        "blocks an address that this host needs. SIGHUP reloads the configuration; if it has\n"
        "errors, execd keeps the old one. SIGTERM stops execd; portcullis-control flush ends all\n"
        "bans.",
        "portcullis-execd"};
    line.add_to(cli, "portcullis-execd", "user of the engine, which may request responses");
    cli.add_flag("--dry-run", line.dry_run, "run no command, and record what would have been done");
    return line.parse(cli, argc, argv);
}

execd::ExecdConfig load(const CommandLine& line, base::Diagnostics& diagnostics) {
    auto config = programs::load_execd_config(Home(line.home), line.config, diagnostics);
    config.dry_run = config.dry_run || line.dry_run;
    return config;
}

int report(const base::Diagnostic& diagnostic) {
    std::fprintf(stderr, "portcullis-execd: %s", base::render(diagnostic).c_str());
    return 1;
}

// Returns -1, which is the uid of no user, if there is no such user.
uid_t engine_uid(const std::string& user, base::Log& log) {
    const passwd* entry = ::getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr) {
        log.warning("there is no user " + user + ": only root may request responses");
        return static_cast<uid_t>(-1);
    }
    return entry->pw_uid;
}

// Whether the configuration has commands that are not persistent responders. They may do anything
// that an administrator's scripts do.
enum class Scripts { None, Some };

Scripts scripts_of(const execd::ExecdConfig& config) {
    const bool has_script =
        std::any_of(config.commands.begin(), config.commands.end(),
                    [](const execd::Command& command) { return !command.is_persistent; });
    return has_script ? Scripts::Some : Scripts::None;
}

// Keeps what blocks (NET_ADMIN), what finds ssh sessions (SYS_PTRACE and DAC_READ_SEARCH: other
// processes' descriptors), and SYS_NICE for realtime priority. With scripts it also keeps what
// these usually need: to change files and accounts, to end processes, and iptables (NET_RAW).
base::Result<void> give_up_capabilities(Scripts scripts) {
    std::vector<int> kept{CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_NICE};
    if (scripts == Scripts::Some) {
        kept.insert(kept.end(), {CAP_NET_RAW, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                 CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_AUDIT_WRITE});
    }
    return base::keep_capabilities(kept);
}

void reload(const CommandLine& line, execd::NeverBlock& never_block, execd::Service& service,
            bool can_run_scripts, base::Log& log) {
    base::Diagnostics diagnostics;
    auto config = load(line, diagnostics);
    if (!diagnostics.all().empty()) {
        log.warning(base::render(diagnostics));
    }
    if (diagnostics.has_errors()) {
        log.error("the configuration has errors: execd keeps the old one");
        return;
    }
    if (scripts_of(config) == Scripts::Some && !can_run_scripts) {
        log.warning(
            "the configuration has a command that is not persistent, and execd was started without "
            "one: restart execd, or the command lacks capabilities");
    }
    never_block.configure(config);
    service.set_config(std::move(config));
    log.info("configuration reloaded");
}

int serve(const CommandLine& line, const Home& home, execd::ExecdConfig config, base::Log& log,
          base::Daemonizer& daemonizer) {
    base::EventLoop loop;
    auto never_block = execd::NeverBlock::open(loop, log, "");
    if (!never_block) {
        return report(never_block.error());
    }
    const base::SystemClock clock;
    const bool is_dry = config.dry_run;
    const Scripts scripts = scripts_of(config);
    const execd::ExecdConfig protection = config;
    auto service = execd::Service::open(
        loop, clock, log,
        {home.responders(), home.bans(), home.responses_log(), home.responses_json(),
         home.execd_socket(), home.resolve("run/execd-status.json")},
        std::move(config), **never_block);
    if (!service) {
        return report(service.error());
    }
    (*never_block)->set_on_changed([&] { (*service)->on_protection_changed(); });
    const auto on_term = loop.watch_signal(SIGTERM, [&] { loop.quit(0); });
    const auto on_int = loop.watch_signal(SIGINT, [&] { loop.quit(0); });
    const auto on_hup = loop.watch_signal(
        SIGHUP, [&] { reload(line, **never_block, **service, scripts == Scripts::Some, log); });
    // The open files stay usable. The responders inherit the capabilities that remain.
    if (auto limited = give_up_capabilities(scripts); !limited) {
        return report(limited.error());
    }
    (*never_block)->configure(protection);  // may start a thread, which inherits them as well
    if (auto listening = (*service)->listen(engine_uid(line.user, log)); !listening) {
        return report(listening.error());
    }
    if (!base::become_realtime()) {
        log.info("realtime priority is not allowed: a busy processor may delay responses");
    }
    log.info(is_dry ? "Started (dry run: no command is run)" : "Started");
    daemonizer.ready();
    programs::notify_ready();
    const int exit_code = loop.run();
    if (exit_code != 0) {
        log.error("the event loop failed, so execd ends: please report it as a bug");
    }
    programs::notify_stopping();
    (*service)->executor().sync_journal();
    log.info("Stopped; each ban lasts until its end (portcullis-control flush ends all bans)");
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    CommandLine line;
    if (const auto exit_code = parse(argc, argv, line)) {
        return *exit_code;
    }
    const Home home(line.home);
    base::Diagnostics diagnostics;
    auto config = load(line, diagnostics);
    std::fputs(base::render(diagnostics).c_str(), stderr);
    if (line.test_only || diagnostics.has_errors()) {
        return diagnostics.has_errors() ? 1 : 0;
    }
    if (::geteuid() != 0) {
        std::fputs("portcullis-execd: only root can block addresses: start execd as root\n",
                   stderr);
        return 1;
    }
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(022);
    // run, var and logs belong to root. The engine only writes files in logs.
    for (const auto& folder : {home.resolve("run"), home.resolve("var"), home.resolve("logs")}) {
        ::mkdir(folder.c_str(), 0755);  // an error is reported below, with the name of the file
    }

    auto daemonizer =
        line.in_foreground ? base::Daemonizer::foreground() : base::Daemonizer::start();
    if (!daemonizer) {
        return report(daemonizer.error());
    }
    const auto pid_file = base::PidFile::lock(home.pid_file("execd"));
    if (!pid_file) {
        return report(pid_file.error());
    }
    base::Log log("portcullis-execd");
    log.set_debug(line.debug);
    if (auto opened = log.open_file(home.log()); !opened) {
        return report(opened.error());
    }
    return serve(line, home, std::move(config), log, *daemonizer);
}
