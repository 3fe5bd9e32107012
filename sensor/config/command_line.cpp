#include "sensor/config/command_line.hpp"

#include <fmt/format.h>
#include <getopt.h>

#include <iterator>

#include "sensor/config/filter_values.hpp"

namespace portcullis::sensor_config {
namespace {

enum class Action : std::uint8_t {
    SetSwitch,  // --opt[=true|yes|false|no|toggle]; the letter alone means on
    Help,
    Version,
    Kill,
    Restart,
    ConfigFile,
    Check,
    CaptureFile,
    Local,
    HostsFile,
    ServicesFile,
    ResolvConf,
    StatusFile,
    NoSeccomp,
    User,
    Group,
    LogFile,
    Stdout,
    PidFile,
    Interface,
    Promisc,
    Facility,
    Priority,
};

struct OptionRow {
    char letter;  // 0 = long only
    const char* name;
    Action action;
    Switch which;          // SetSwitch only
    const char* argument;  // nullptr = none
    const char* help;
    bool has_detect_forms = false;  // --detect-NAME and --log-NAME instead of --NAME
};

constexpr Switch kNoSwitch = Switch::Tcp;

constexpr OptionRow kRows[] = {
    {'h', "help", Action::Help, kNoSwitch, nullptr, "show this and exit"},
    {'v', "version", Action::Version, kNoSwitch, nullptr, "show the version and exit"},
    {'i', "interface", Action::Interface, kNoSwitch, "IF[,IF...]",
     "listen on these interfaces (default: all that are up, but loopback)"},
    {'a', "promisc", Action::Promisc, kNoSwitch, "NET[,NET...]",
     "watch over these networks too, in promiscuous mode"},
    {'r', "read", Action::CaptureFile, kNoSwitch, "FILE",
     "read a capture file by its own time stamps instead of listening"},
    {0, "local", Action::Local, kNoSwitch, "ADDR[,ADDR...]",
     "with -r: the addresses that are ours (default: this host's)"},
    {'l', "logfile", Action::LogFile, kNoSwitch, "FILE", "write the log to FILE"},
    {'L', "stdout", Action::Stdout, kNoSwitch, nullptr, "write the log to standard output"},
    {0, "facility", Action::Facility, kNoSwitch, "NAME", "syslog facility (default daemon)"},
    {0, "priority", Action::Priority, kNoSwitch, "NAME", "syslog priority (default notice)"},
    {0, "config", Action::ConfigFile, kNoSwitch, "FILE", "default /etc/iplog.conf"},
    {0, "check", Action::Check, kNoSwitch, nullptr,
     "say what is wrong with the configuration, and exit: 1 if anything is"},
    {0, "hosts", Action::HostsFile, kNoSwitch, "FILE", "host names, default /etc/hosts"},
    {0, "services", Action::ServicesFile, kNoSwitch, "FILE", "default /etc/services"},
    {0, "resolv-conf", Action::ResolvConf, kNoSwitch, "FILE",
     "name servers: asked for names, and for --ignore; default /etc/resolv.conf"},
    {'o', "no-fork", Action::SetSwitch, Switch::NoFork, nullptr, "stay in the foreground"},
    {'u', "user", Action::User, kNoSwitch, "USER", "run as this user once the interfaces are open"},
    {'g', "group", Action::Group, kNoSwitch, "GROUP", "and as this group"},
    {0, "pid-file", Action::PidFile, kNoSwitch, "FILE", "default /var/run/iplog.pid"},
    {0, "no-seccomp", Action::NoSeccomp, kNoSwitch, nullptr,
     "do not limit the system calls (for debuggers and tracers)"},
    {0, "status-file", Action::StatusFile, kNoSwitch, "FILE",
     "keep counters in FILE, for portcullis-control status"},
    {'k', "kill", Action::Kill, kNoSwitch, nullptr, "end the running one"},
    {'R', "restart", Action::Restart, kNoSwitch, nullptr,
     "let the running one read its configuration again"},
    {0, "tcp", Action::SetSwitch, Switch::Tcp, nullptr, "log TCP"},
    {0, "udp", Action::SetSwitch, Switch::Udp, nullptr, "log UDP"},
    {0, "icmp", Action::SetSwitch, Switch::Icmp, nullptr, "log ICMP"},
    {'w', "log-ip", Action::SetSwitch, Switch::LogIp, nullptr, "log the address behind a name"},
    {'D', "log-dest", Action::SetSwitch, Switch::LogDest, nullptr, "log the destination"},
    {'d', "ignore", Action::SetSwitch, Switch::IgnoreDns, nullptr,
     "ignore answers from the nameservers"},
    {'m', "scans-only", Action::SetSwitch, Switch::ScansOnly, nullptr,
     "log scans and floods, not single packets"},
    {'N', "disable-resolver", Action::SetSwitch, Switch::DisableResolver, nullptr,
     "log addresses, never names"},
    {'T', "tcp-resolve", Action::SetSwitch, Switch::TcpResolve, nullptr, "names in TCP lines"},
    {'U', "udp-resolve", Action::SetSwitch, Switch::UdpResolve, nullptr, "names in UDP lines"},
    {'I', "icmp-resolve", Action::SetSwitch, Switch::IcmpResolve, nullptr, "names in ICMP lines"},
    {'c', "dns-cache", Action::SetSwitch, Switch::DnsCache, nullptr,
     "keep names as long as DNS says"},
    {'e', "get-ident", Action::SetSwitch, Switch::GetIdent, nullptr,
     "ask the peer's identd who connects to ports of ours"},
    {'z', "fool-nmap", Action::SetSwitch, Switch::FoolNmap, nullptr,
     "answer the probes of nmap -O with garbage"},
    {'V', "verbose", Action::SetSwitch, Switch::Verbose, nullptr, "say more"},
    {'s', "detect-syn-flood", Action::SetSwitch, Switch::NoNamesInSynFlood, nullptr,
     "no names in TCP lines while connection attempts pour in"},
    {0, "iplog-compat", Action::SetSwitch, Switch::IplogCompat, nullptr,
     "count and write exactly as iplog 2.2.3"},
    {'y', "frag", Action::SetSwitch, Switch::Frag, nullptr, "fragments", true},
    {'S', "smurf", Action::SetSwitch, Switch::Smurf, nullptr, "smurf attacks", true},
    {'b', "bogus", Action::SetSwitch, Switch::Bogus, nullptr, "bogus TCP flags", true},
    {'p', "portscan", Action::SetSwitch, Switch::PortScan, nullptr, "TCP port scans", true},
    {'F', "udp-scan", Action::SetSwitch, Switch::UdpScan, nullptr, "UDP scans and floods", true},
    {'P', "ping-flood", Action::SetSwitch, Switch::PingFlood, nullptr, "ping floods", true},
    {'f', "fin-scan", Action::SetSwitch, Switch::FinScan, nullptr, "TCP FIN scans", true},
    {'q', "syn-scan", Action::SetSwitch, Switch::SynScan, nullptr, "TCP SYN scans", true},
    {'x', "xmas-scan", Action::SetSwitch, Switch::XmasScan, nullptr, "TCP Xmas scans", true},
    {'n', "null-scan", Action::SetSwitch, Switch::NullScan, nullptr, "TCP null scans", true},
    {'t', "traceroute", Action::SetSwitch, Switch::Traceroute, nullptr, "UDP traceroutes", true},
};
constexpr std::size_t kRowCount = std::size(kRows);
constexpr int kLongOption = 1000;

base::Diagnostic bad_option(std::string message) {
    return base::make_error("bad-option", std::move(message));
}

// The options of getopt_long(). `val` is the row + kLongOption, so that it is not a letter.
struct LongOptions {
    std::vector<std::string> names;
    std::vector<::option> options;

    LongOptions() {
        std::vector<std::size_t> rows;
        for (std::size_t row = 0; row < kRowCount; ++row) {
            if (kRows[row].has_detect_forms) {
                for (const char* form : {"detect-", "log-"}) {
                    names.push_back(std::string(form) + kRows[row].name);
                    rows.push_back(row);
                }
            } else {
                names.emplace_back(kRows[row].name);
                rows.push_back(row);
            }
        }
        for (std::size_t i = 0; i < names.size(); ++i) {
            const OptionRow& row = kRows[rows[i]];
            const int has_argument = row.argument != nullptr           ? required_argument
                                     : row.action == Action::SetSwitch ? optional_argument
                                                                       : no_argument;
            options.push_back(
                {names[i].c_str(), has_argument, nullptr, static_cast<int>(rows[i]) + kLongOption});
        }
        options.push_back({nullptr, 0, nullptr, 0});
    }
};

// An abbreviated --fool-nmap could be meant for another option, and would make the sensor send
// packets.
bool may_be_abbreviated(const OptionRow& row) { return row.which != Switch::FoolNmap; }

std::optional<std::size_t> row_of_letter(int letter) {
    for (std::size_t row = 0; row < kRowCount; ++row) {
        if (kRows[row].letter != 0 && kRows[row].letter == letter) {
            return row;
        }
    }
    return std::nullopt;
}

base::Result<void> apply_switch(const OptionRow& row, std::string_view value,
                                SensorSettings& settings) {
    if (value.empty() || value == "true" || value == "yes") {
        settings[row.which] = true;
    } else if (value == "false" || value == "no") {
        settings[row.which] = false;
    } else if (value == "toggle") {
        settings[row.which] = !settings[row.which];
    } else {
        return base::fail(bad_option(
            fmt::format("--{}: \"{}\" is none of true, yes, false, no, toggle", row.name, value)));
    }
    return {};
}

base::Result<void> apply_early(const OptionRow& row, const std::string& value,
                               CommandLine& command_line) {
    switch (row.action) {
        case Action::Help:
            command_line.wants_help = true;
            break;
        case Action::Version:
            command_line.wants_version = true;
            break;
        case Action::Kill:
            command_line.wants_kill = true;
            break;
        case Action::Restart:
            command_line.wants_restart = true;
            break;
        case Action::ConfigFile:
            command_line.config_file = value;
            command_line.names_config_file = true;
            break;
        case Action::Check:
            command_line.wants_check = true;
            break;
        case Action::CaptureFile:
            command_line.capture_file = value;
            break;
        case Action::HostsFile:
            command_line.hosts_file = value;
            break;
        case Action::ServicesFile:
            command_line.services_file = value;
            break;
        case Action::ResolvConf:
            command_line.resolv_conf = value;
            break;
        case Action::StatusFile:
            command_line.status_file = value;
            break;
        case Action::NoSeccomp:
            command_line.limits_system_calls = false;
            break;
        case Action::Local:
            for (const std::string& part : split_commas(value)) {
                const auto address = base::IpAddress::parse(part);
                if (!address) {
                    return base::fail(
                        bad_option(fmt::format("--local: \"{}\" is not an address", part)));
                }
                command_line.local_addresses.push_back(*address);
            }
            break;
        default:
            break;
    }
    return {};
}

}  // namespace

base::Result<CommandLine> parse_command_line(std::span<char*> arguments) {
    const LongOptions long_options;
    std::string letters = ":";
    for (const OptionRow& row : kRows) {
        if (row.letter != 0) {
            letters += row.letter;
            letters += row.argument != nullptr ? ":" : "";
        }
    }
    CommandLine command_line;
    const int count = static_cast<int>(arguments.size());
    optind = 0;  // glibc: start over
    opterr = 0;
    int found = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): at the start there is one thread
    while ((found = getopt_long(count, arguments.data(), letters.c_str(),
                                long_options.options.data(), nullptr)) != -1) {
        if (found == '?' || found == ':') {
            const char* word = arguments[static_cast<std::size_t>(optind > 0 ? optind - 1 : 0)];
            return base::fail(bad_option(fmt::format(
                "{} \"{}\"; see --help",
                found == ':' ? "an argument is missing for" : "there is no option", word)));
        }
        const auto row = found >= kLongOption
                             ? std::optional(static_cast<std::size_t>(found - kLongOption))
                             : row_of_letter(found);
        if (!row) {
            continue;
        }
        if (found >= kLongOption && !may_be_abbreviated(kRows[*row])) {
            // glibc keeps a long option and its "=value" in one word.
            const std::string_view word = arguments[static_cast<std::size_t>(optind - 1)];
            if (word.substr(2, word.find('=') - 2) != kRows[*row].name) {
                return base::fail(bad_option(fmt::format(
                    "\"{}\": this option sends packets, so it is not abbreviated", word)));
            }
        }
        CommandLine::Option option{*row, optarg != nullptr ? optarg : ""};
        if (auto applied = apply_early(kRows[*row], option.value, command_line); !applied) {
            return base::fail(applied.error());
        }
        command_line.options.push_back(std::move(option));
    }
    if (optind < count) {
        return base::fail(bad_option(fmt::format("unexpected argument \"{}\"; see --help",
                                                 arguments[static_cast<std::size_t>(optind)])));
    }
    return command_line;
}

base::Result<void> apply_command_line(const CommandLine& command_line, SensorSettings& settings,
                                      std::vector<std::string>& notes) {
    bool has_interfaces = false;
    for (const CommandLine::Option& option : command_line.options) {
        const OptionRow& row = kRows[option.row];
        const std::string& value = option.value;
        switch (row.action) {
            case Action::SetSwitch:
                if (auto applied = apply_switch(row, value, settings); !applied) {
                    return applied;
                }
                break;
            case Action::User:
                settings.user = value;
                break;
            case Action::Group:
                settings.group = value;
                break;
            case Action::LogFile:
                if (settings[Switch::Stdout]) {
                    notes.emplace_back("Warning: Overriding --stdout");
                }
                settings[Switch::Stdout] = false;
                settings.log_file = value;
                break;
            case Action::Stdout:
                if (!settings.log_file.empty()) {
                    notes.emplace_back("Warning: Overriding --logfile");
                }
                settings.log_file.clear();
                settings[Switch::Stdout] = true;
                break;
            case Action::PidFile:
                settings.pid_file = value;
                break;
            case Action::Interface:
                if (!has_interfaces) {
                    settings.interfaces.clear();  // instead of those of the file
                    has_interfaces = true;
                }
                for (std::string& name : split_commas(value)) {
                    settings.interfaces.push_back(std::move(name));
                }
                break;
            case Action::Promisc: {
                auto networks = parse_networks(value);
                if (!networks) {
                    return base::fail(bad_option(
                        fmt::format("--promisc: \"{}\" is not a list of networks", value)));
                }
                settings.promisc = std::move(*networks);
                settings[Switch::LogDest] = true;
                break;
            }
            case Action::Facility:
            case Action::Priority: {
                const bool is_facility = row.action == Action::Facility;
                const auto code = is_facility ? find_facility(value) : find_priority(value);
                if (!code) {
                    notes.push_back(fmt::format("Invalid {}: \"{}\" - falling back to default.",
                                                row.name, value));
                }
                (is_facility ? settings.facility : settings.priority) =
                    code.value_or(is_facility ? LOG_DAEMON : LOG_NOTICE);
                break;
            }
            default:  // what parse_command_line() took
                break;
        }
    }
    return {};
}

std::string help_text(const SensorSettings& settings) {
    std::string text =
        "portcullis-sensor: writes what it sees on the wire as iplog lines\n\n"
        "usage: portcullis-sensor [options]\n"
        "       portcullis-sensor -r FILE --local ADDR [options]\n\n"
        "Switches take =true, =false or =toggle; those that are on are marked by a star.\n\n";
    for (const OptionRow& row : kRows) {
        std::string names = row.letter != 0 ? fmt::format("-{}, ", row.letter) : "    ";
        names += fmt::format("--{}{}", row.has_detect_forms ? "detect-" : "", row.name);
        if (row.argument != nullptr) {
            names += fmt::format(" {}", row.argument);
        }
        const bool is_on = row.action == Action::SetSwitch && settings[row.which];
        fmt::format_to(std::back_inserter(text), "  {:<30} {} {}\n", names, is_on ? '*' : ' ',
                       row.help);
    }
    return text;
}

}  // namespace portcullis::sensor_config
