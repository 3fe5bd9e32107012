// portcullis-sensor: packets in, iplog lines out.
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <span>

#include "base/daemonize.hpp"
#include "base/fd.hpp"
#include "base/privileges.hpp"
#include "base/realtime.hpp"
#include "sensor/capture/frame_source.hpp"
#include "sensor/config/command_line.hpp"
#include "sensor/config/iplog_conf.hpp"
#include "sensor/daemon.hpp"
#include "sensor/fingerprint/nmap_fooler.hpp"
#include "sensor/live_sensor.hpp"
#include "sensor/pipeline/sensor.hpp"
#include "sensor/status_file.hpp"
#include "sensor/system_calls.hpp"

namespace portcullis {
namespace {

using sensor_config::CommandLine;
using sensor_config::SensorSettings;
using sensor_config::Switch;

// iplog's exit code after "Fatal: …".
constexpr int kFatal = 255;
constexpr int kUsage = 2;

// After the last packet of a capture file the clock advances by this much, so that running scans
// expire.
constexpr std::chrono::seconds kFlushTime{75};

void say(std::string_view text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
}

int fatal(std::string_view text) {
    say(fmt::format("Fatal: {}", text));
    return kFatal;
}

// Names from files; the network is never asked.
struct Names {
    sensor_report::ServicesFile services;
    sensor_report::HostsFile hosts;
    std::vector<base::IpAddress> nameservers;
    std::string nameservers_fault;  // why they are not known; empty = they are
};

std::string text_of(const std::string& path) {
    auto text = base::read_text_file(path);
    return text ? std::move(*text) : std::string();
}

Names load_names(const CommandLine& command_line) {
    Names names;
    names.services = sensor_report::ServicesFile::parse(text_of(command_line.services_file));
    names.hosts = sensor_report::HostsFile::parse(text_of(command_line.hosts_file));
    if (const auto text = base::read_text_file(command_line.resolv_conf)) {
        names.nameservers = sensor_report::parse_nameservers(*text, names.hosts);
    } else {
        names.nameservers_fault = text.error().message;
    }
    return names;
}

// If there is no file at the usual place, the defaults apply. If the file was named by the user, or
// exists but cannot be read, the start fails: otherwise the sensor would report what the file says
// to ignore.
base::Result<std::string> configuration_text(const CommandLine& command_line) {
    auto text = base::read_text_file(command_line.config_file);
    if (text) {
        return text;
    }
    const bool is_there = ::access(command_line.config_file.c_str(), F_OK) == 0;
    if (!is_there && !command_line.names_config_file) {
        return std::string();
    }
    text.error().message = fmt::format("cannot use the configuration {}: {}",
                                       command_line.config_file, text.error().message);
    return text;
}

// Faults and notes, in iplog's words.
struct Messages {
    std::vector<std::string> texts;
    bool has_faults = false;  // of the configuration file
};

// Applies the file, then the command line, then derive_settings(). Faults of the file are added to
// `messages`. Error: the settings cannot be used.
base::Result<SensorSettings> load_settings(const CommandLine& command_line, const Names& names,
                                           Messages& messages) {
    const auto text = configuration_text(command_line);
    if (!text) {
        return base::fail(text.error());
    }
    SensorSettings settings;
    base::Diagnostics diagnostics;
    sensor_config::apply_iplog_conf(*text, command_line.config_file, names.services, names.hosts,
                                    settings, diagnostics);
    for (const base::Diagnostic& diagnostic : diagnostics.all()) {
        messages.texts.push_back(sensor_config::iplog_message(diagnostic));
        messages.has_faults = true;
    }
    if (auto applied = sensor_config::apply_command_line(command_line, settings, messages.texts);
        !applied) {
        return base::fail(applied.error());
    }
    if (settings[Switch::IgnoreDns] && !names.nameservers_fault.empty()) {
        messages.texts.push_back("Unable to add dns ignore rules: " + names.nameservers_fault);
    }
    base::Diagnostics problems;
    sensor_config::derive_settings(settings, names.nameservers, problems);
    if (problems.has_errors()) {
        return base::fail(problems.all().front());
    }
    return settings;
}

base::Result<std::unique_ptr<sensor_report::LogTarget>> open_log(const SensorSettings& settings) {
    if (settings[Switch::Stdout]) {
        return sensor_report::standard_output();
    }
    if (!settings.log_file.empty()) {
        // If the log is a FIFO, its reader may go away. The write is then tried again, as with a
        // full disk.
        static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
        return sensor_report::open_log_file(settings.log_file);
    }
    return sensor_report::syslog_target(settings.facility, settings.priority);
}

// A capture of another host gives no line without --local, so this says why.
void warn_of_foreign_capture(const CommandLine& command_line,
                             const sensor_pipeline::SensorCounters& counters) {
    const bool has_packet_of_ours =
        std::any_of(counters.begin(), counters.end(), [](const auto& counter) {
            return counter.second > 0 &&
                   (counter.first == "packets_to_us" || counter.first == "packets_from_us");
        });
    if (!has_packet_of_ours) {
        fmt::print(stderr,
                   "{}: no packet of it goes to {} or comes from there: name with --local the "
                   "addresses of the host that is watched\n",
                   command_line.capture_file,
                   command_line.local_addresses.empty() ? "this host" : "the given addresses");
    }
}

int read_capture(const CommandLine& command_line, const SensorSettings& settings,
                 const Names& names) {
    auto capture = sensor_capture::open_capture_file(command_line.capture_file);
    if (!capture) {
        return fatal(fmt::format("{}: {}", command_line.capture_file, capture.error().message));
    }
    auto target = open_log(settings);
    if (!target) {
        return fatal(target.error().message);
    }
    sensor_pipeline::Sensor sensor(settings, names.services, names.hosts, std::move(*target));
    sensor.set_local_addresses(command_line.local_addresses.empty()
                                   ? sensor_capture::host_addresses()
                                   : command_line.local_addresses);
    sensor.set_on_first_packet(
        [&](base::Timestamp time) { sensor.log().add(time, "iplog started."); });
    int exit_code = 0;
    constexpr int kBatch = 1024;
    for (;;) {
        const auto count = (*capture)->read(kBatch, sensor);
        if (!count) {
            fmt::print(stderr, "{}: {}\n", command_line.capture_file, count.error().message);
            exit_code = 1;  // cut short; what was read is reported
            break;
        }
        if (*count == 0) {
            break;
        }
    }
    const base::Timestamp end = sensor.last_packet() + kFlushTime;
    sensor.advance(end);
    sensor.finish(end);
    const sensor_pipeline::SensorCounters counters = sensor.counters();
    if (settings[Switch::Verbose]) {
        fmt::print(stderr, "{}\n", sensor_pipeline::statistics_text(counters));
    }
    warn_of_foreign_capture(command_line, counters);
    return exit_code;
}

int signal_running(const SensorSettings& settings, int signal) {
    const auto pid = base::running_pid(settings.pid_file);
    if (!pid) {
        return fatal(fmt::format("no sensor is running by {}", settings.pid_file));
    }
    return ::kill(*pid, signal) == 0 ? 0 : fatal(fmt::format("cannot signal process {}", *pid));
}

int listen(const CommandLine& command_line, const SensorSettings& settings, Names& names) {
    const auto identity = find_identity(settings.user, settings.group);
    if (!identity) {
        return fatal(identity.error().message);
    }
    auto pid_file = lock_pid_file(settings.pid_file);
    if (!pid_file) {
        return fatal(pid_file.error().message);
    }
    auto status = StatusFile::open(command_line.status_file);
    if (!status) {
        pid_file->remove();
        return fatal(status.error().message);
    }
    LiveSensor::Options options;
    options.interfaces.names = settings.interfaces;
    options.interfaces.is_promiscuous = !settings.promisc.empty();
    options.interfaces.filter = filter_settings(settings);
    options.ends_on_interrupt = settings[Switch::NoFork];
    std::vector<std::string> failures;
    auto open =
        open_interfaces(options.interfaces.names, options.interfaces.is_promiscuous, failures);
    for (const std::string& failure : failures) {
        say(fmt::format("Warning: {}", failure));
    }
    if (settings[Switch::FoolNmap]) {
        auto fooler = sensor_fingerprint::NmapFooler::open();
        if (!fooler) {
            pid_file->remove();
            return fatal(fooler.error().message);
        }
        options.fooler = std::move(*fooler);
    }
    if (open.empty()) {
        pid_file->remove();
        return fatal("Couldn't initialize interfaces.");
    }
    auto target = open_log(settings);
    if (!target) {
        pid_file->remove();
        return fatal(target.error().message);
    }
    // After a rotation the log is opened again by the user that the process becomes.
    if (identity->user && ::geteuid() == 0) {
        if (auto given = (*target)->give_to(*identity->user, *identity->group); !given) {
            say(fmt::format("Warning: {}", given.error().message));
        }
    }
    auto daemonizer = settings[Switch::NoFork]
                          ? base::Result<base::Daemonizer>(base::Daemonizer::foreground())
                          : base::Daemonizer::start();
    if (!daemonizer) {
        pid_file->remove();
        return fatal(daemonizer.error().message);
    }
    static_cast<void>(pid_file->write_pid());  // the lock is what keeps a second instance away
    base::become_realtime();  // where it is not allowed, a busy processor delays detections
    if (auto dropped = base::drop_to_keeping(*identity, CAP_NET_RAW); !dropped) {
        pid_file->remove();
        return fatal(dropped.error().message);
    }

    sensor_pipeline::Sensor sensor(settings, names.services, names.hosts, std::move(*target));
    sensor.set_local_addresses(sensor_capture::host_addresses());
    sensor.log().set_on_trouble(
        [](const std::string& trouble) { fmt::print(stderr, "portcullis-sensor: {}\n", trouble); });
    options.reload = [&]() -> std::optional<SensorSettings> {
        names = load_names(command_line);
        Messages messages;
        auto reloaded = load_settings(command_line, names, messages);
        for (const std::string& message : messages.texts) {
            sensor.log().add(base::SystemClock().now(), message);
        }
        if (!reloaded) {
            sensor.log().add(base::SystemClock().now(),
                             fmt::format("Warning: {}", reloaded.error().message));
            return std::nullopt;
        }
        return std::move(*reloaded);
    };
    options.nameservers = [&] { return names.nameservers; };
    options.report_counters = [&](const sensor_pipeline::SensorCounters& counters) {
        status->write(counters);
    };
    int exit_code = 0;
    {
        LiveSensor live(sensor, settings, std::move(options), std::move(open));
        if (command_line.limits_system_calls) {
            if (auto limited = limit_system_calls(settings.log_file); !limited) {
                // A kernel without seccomp: the sensor has no privileges that others lack.
                sensor.log().add(base::SystemClock().now(),
                                 fmt::format("Warning: {}", limited.error().message));
            }
        }
        sensor.log().add(base::SystemClock().now(), "iplog started.");
        sensor.log().flush();
        daemonizer->ready();
        exit_code = live.run();
    }
    pid_file->remove();
    return exit_code;
}

int run(std::span<char*> arguments) {
    const auto command_line = sensor_config::parse_command_line(arguments);
    if (!command_line) {
        fmt::print(stderr, "portcullis-sensor: {}\n", command_line.error().message);
        return kUsage;
    }
    if (command_line->wants_version) {
        say("portcullis-sensor " PORTCULLIS_VERSION " (iplog 2.2.3 compatible)");
        return 0;
    }
    Names names = load_names(*command_line);
    Messages messages;
    const auto settings = load_settings(*command_line, names, messages);
    if (command_line->wants_help) {
        fmt::print("{}", sensor_config::help_text(settings ? *settings : SensorSettings()));
        return 0;
    }
    for (const std::string& message : messages.texts) {
        say(message);
    }
    if (!settings) {
        return fatal(settings.error().message);
    }
    if (command_line->wants_check) {
        const auto identity = find_identity(settings->user, settings->group);
        if (!identity) {
            return fatal(identity.error().message);  // as the start would end
        }
        if (!messages.has_faults) {
            say(fmt::format("{}: nothing is wrong", command_line->config_file));
        }
        return messages.has_faults ? 1 : 0;
    }
    if (command_line->wants_kill || command_line->wants_restart) {
        return signal_running(*settings, command_line->wants_kill ? SIGTERM : SIGHUP);
    }
    if (!command_line->capture_file.empty()) {
        return read_capture(*command_line, *settings, names);
    }
    return listen(*command_line, *settings, names);
}

}  // namespace
}  // namespace portcullis

int main(int argc, char** argv) {
    return portcullis::run(std::span(argv, static_cast<std::size_t>(argc)));
}
