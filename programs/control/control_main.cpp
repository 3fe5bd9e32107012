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
        "Starts and stops the daemons of a home, shows and undoes what Portcullis blocks, and "
        "looks\n"
        "at lists.\n"
        "bans, why, protected, unban and flush also work while the daemons are down.\n"
        "Exit codes: 0 done; 1 failed, the message says why; 2 wrong usage; 3 (status) not all\n"
        "daemons run.",
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
    cli.add_subcommand("stop", "stop the daemons; blocks stay until their time is over")
        ->callback([&] { exit_code = programs::stop_daemons(home()); });
    cli.add_subcommand("restart", "check the configuration, then stop and start the daemons")
        ->callback([&] { exit_code = programs::restart_daemons(home(), config()); });
    cli.add_subcommand("reload", "check the configuration, then put it in force")->callback([&] {
        exit_code = programs::reload_daemons(home(), config());
    });
    cli.add_subcommand("status", "what runs, how much is blocked, and what was counted")
        ->callback([&] { exit_code = programs::show_status(home()); });

    auto* bans = cli.add_subcommand(
        "bans", "list what is blocked, and until when, also what no ban of this home explains");
    bool is_json = false;
    bans->add_flag("--json", is_json, "one JSON object a line, for programs");
    bans->callback([&] {
        exit_code = programs::list_bans(home(), config(),
                                        is_json ? programs::Output::Json : programs::Output::Text);
    });

    std::string address;
    auto* why = cli.add_subcommand(
        "why", "whether an address is blocked, and what led to that: lines, alert, each decision");
    why->add_option("IP", address, "address")->required();
    why->callback([&] { exit_code = programs::explain(home(), config(), address); });

    auto* spared = cli.add_subcommand(
        "protected", "the addresses that are never blocked now, each with its reason");
    spared->add_option("IP", address, "only what is said of this address or network");
    spared->callback([&] { exit_code = programs::list_protected(home(), config(), address); });

    std::int64_t seconds = portcullis::execd::kManualBanTime.count();
    auto* ban = cli.add_subcommand("ban", "block an address by the command firewall-drop");
    ban->add_option("IP", address, "address")->required();
    ban->add_option("SECONDS", seconds, "for how long")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{portcullis::base::kMaxBanTime.count()}))
        ->capture_default_str();
    ban->callback(
        [&] { exit_code = programs::ban(home(), address, std::chrono::seconds(seconds)); });

    auto* unban = cli.add_subcommand(
        "unban", "unblock an address, whether a ban of this home explains it or not");
    unban->add_option("IP", address, "address")->required();
    unban->callback([&] { exit_code = programs::unban(home(), config(), address); });

    auto* flush =
        cli.add_subcommand("flush", "unblock everything, also what no ban of this home explains");
    flush->callback([&] { exit_code = programs::flush_bans(home(), config()); });

    std::string list_path;
    std::string list_key;
    auto* list = cli.add_subcommand("list", "look at the lists of rules");
    list->require_subcommand(1);
    auto* check = list->add_subcommand(
        "check", "what a list holds, and what it says of a key; a damaged one is told");
    check->add_option("FILE", list_path, "text, or CDB if it ends in .cdb")->required();
    check->add_option("KEY", list_key, "what rules would look up");
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
