// portcullis-control: the administrator's commands.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <string>

#include "base/response_message.hpp"
#include "engine/execd/execd_config.hpp"
#include "programs/control/bans.hpp"
#include "programs/control/daemons.hpp"
#include "programs/control/why.hpp"
#include "programs/home.hpp"
#include "programs/list_file.hpp"

int main(int argc, char** argv) {
    namespace programs = portcullis::programs;
    using programs::Home;

    CLI::App cli{
        "Starts and stops the daemons of a home, shows and ends bans, and checks lists of rules.\n"
        "bans, why, protected, unban and flush also work while the daemons are down.\n"
        "Exit codes: 0 done; 1 failed, and the message says why; 2 wrong usage; 3 a daemon does\n"
        "not run (status).",
        "portcullis-control"};
    std::string home_path{programs::kDefaultHome};
    std::string config_path;
    cli.add_option("-D", home_path, "home of the installation")
        ->type_name("HOME")
        ->capture_default_str();
    cli.add_option("-c", config_path, "configuration (default: HOME/etc/ossec.conf)")
        ->type_name("CONF");
    cli.set_version_flag("--version", "portcullis-control " PORTCULLIS_VERSION);
    cli.require_subcommand(1);

    const auto home = [&] {
        return Home(std::filesystem::absolute(home_path).lexically_normal().string());
    };
    const auto config = [&] {
        return config_path.empty()
                   ? home().config()
                   : std::filesystem::absolute(config_path).lexically_normal().string();
    };
    int exit_code = 0;

    cli.add_subcommand("start", "check the configuration, then start execd, engine and sensor")
        ->callback([&] { exit_code = programs::start_daemons(home(), config()); });
    cli.add_subcommand("stop", "stop the daemons; each ban lasts until its end")->callback([&] {
        exit_code = programs::stop_daemons(home());
    });
    cli.add_subcommand("restart", "check the configuration, then stop and start the daemons")
        ->callback([&] { exit_code = programs::restart_daemons(home(), config()); });
    cli.add_subcommand("reload", "check the configuration, then have the running daemons load it")
        ->callback([&] { exit_code = programs::reload_daemons(home(), config()); });
    cli.add_subcommand("status", "show which daemons run, the number of bans, and the counters")
        ->callback([&] { exit_code = programs::show_status(home()); });

    auto* bans = cli.add_subcommand(
        "bans", "list the bans, and blocked addresses that no ban of this home explains");
    bool is_json = false;
    bans->add_flag("--json", is_json, "print one JSON object per line");
    bans->callback([&] {
        exit_code = programs::list_bans(home(), config(),
                                        is_json ? programs::Output::Json : programs::Output::Text);
    });

    std::string address;
    auto* why = cli.add_subcommand(
        "why", "show whether an address is blocked, and why: log lines, alert, each decision");
    why->add_option("IP", address, "address")->required();
    why->callback([&] { exit_code = programs::explain(home(), config(), address); });

    auto* spared = cli.add_subcommand(
        "protected", "list the addresses that are never blocked, each with its reason");
    spared->add_option("IP", address, "show only whether this address or network is protected");
    spared->callback([&] { exit_code = programs::list_protected(home(), config(), address); });

    std::int64_t seconds = portcullis::execd::kManualBanTime.count();
    auto* ban = cli.add_subcommand("ban", "block an address with the command firewall-drop");
    ban->add_option("IP", address, "address")->required();
    ban->add_option("SECONDS", seconds, "time until the ban ends, in seconds")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{portcullis::base::kMaxBanTime.count()}))
        ->capture_default_str();
    ban->callback(
        [&] { exit_code = programs::ban(home(), address, std::chrono::seconds(seconds)); });

    auto* unban = cli.add_subcommand(
        "unban", "unblock an address, also if no ban of this home explains the block");
    unban->add_option("IP", address, "address")->required();
    unban->callback([&] { exit_code = programs::unban(home(), config(), address); });

    auto* flush = cli.add_subcommand(
        "flush", "unblock all addresses, also those that no ban of this home explains");
    flush->callback([&] { exit_code = programs::flush_bans(home(), config()); });

    std::string list_path;
    std::string list_key;
    auto* list = cli.add_subcommand("list", "check the lists that rules look up");
    list->require_subcommand(1);
    auto* check = list->add_subcommand(
        "check", "show the entries of a list, or the value of one key; reports damaged files");
    check->add_option("FILE", list_path, "text, or CDB if it ends in .cdb")->required();
    check->add_option("KEY", list_key, "key whose value is shown");
    check->callback([&] {
        // As ossec.conf names it, if there is no such file here.
        std::error_code ignored;
        const bool is_here = std::filesystem::exists(list_path, ignored);
        exit_code = programs::check_list(is_here ? list_path : home().resolve(list_path), list_key);
    });

    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? 0 : 2;
    }
    return exit_code;
}
