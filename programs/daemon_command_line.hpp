// DaemonCommandLine: the options that portcullis-engine and portcullis-execd share, which are
// those of OSSEC's daemons. Only for their main files, so that CLI11 stays in these.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "programs/home.hpp"

namespace portcullis::programs {

struct DaemonCommandLine {
    std::string home{kDefaultHome};
    std::string config;  // empty until parse(): HOME/etc/ossec.conf
    std::string user{kDefaultEngineUser};
    bool in_foreground = false;
    bool debug = false;
    bool test_only = false;

    void add_to(CLI::App& cli, const std::string& program, const std::string& user_help) {
        cli.add_option("-D", home, "home of the installation")
            ->type_name("HOME")
            ->capture_default_str();
        cli.add_option("-c", config, "configuration file (default: HOME/etc/ossec.conf)")
            ->type_name("CONF");
        cli.add_option("-u", user, user_help)->type_name("USER")->capture_default_str();
        cli.add_flag("-f", in_foreground, "stay in the foreground");
        cli.add_flag("-d", debug, "log debug messages too");
        cli.add_flag("-t", test_only, "test the configuration and exit");
        cli.set_version_flag("--version", program + " " PORTCULLIS_VERSION);
    }

    // nullopt = continue; otherwise the exit code. Makes paths absolute, because a daemon leaves
    // its folder.
    std::optional<int> parse(CLI::App& cli, int argc, char** argv) {
        try {
            cli.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return cli.exit(error) == 0 ? 0 : 2;
        }
        home = std::filesystem::absolute(home).lexically_normal().string();
        config = config.empty() ? Home(home).config()
                                : std::filesystem::absolute(config).lexically_normal().string();
        return std::nullopt;
    }
};

}  // namespace portcullis::programs
