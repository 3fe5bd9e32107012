// The command line: iplog's options (spec section 7) from one table, and the new long ones.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sensor/config/settings.hpp"

namespace portcullis::sensor_config {

struct CommandLine {
    // What to do and with which files; these are not settings.
    bool wants_help = false;
    bool wants_version = false;
    bool wants_kill = false;     // -k
    bool wants_restart = false;  // -R
    bool wants_check = false;
    std::string config_file = "/etc/iplog.conf";
    bool names_config_file = false;  // --config: the file must be there
    std::string capture_file;        // -r; empty = live
    std::vector<base::IpAddress> local_addresses;
    std::string hosts_file = "/etc/hosts";
    std::string services_file = "/etc/services";
    std::string resolv_conf = "/etc/resolv.conf";
    std::string status_file;  // empty = none
    bool limits_system_calls = true;

    // The other options, to be applied over the configuration file.
    struct Option {
        std::size_t row;  // of the table
        std::string value;
    };
    std::vector<Option> options;
};

// Error "bad-option"; the message names the option.
base::Result<CommandLine> parse_command_line(std::span<char*> arguments);

// Applies the settings among the options. Error "bad-option"; notes for the user, such as one
// option overriding another, are added to `notes`.
base::Result<void> apply_command_line(const CommandLine& command_line, SensorSettings& settings,
                                      std::vector<std::string>& notes);

// The text of --help; switches that are on are marked by a star.
std::string help_text(const SensorSettings& settings);

}  // namespace portcullis::sensor_config
