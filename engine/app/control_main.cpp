// portcullis-control: the administrator's commands.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <string>

#include "engine/app/bans.hpp"
#include "engine/app/home.hpp"
#include "engine/base/response_message.hpp"
#include "engine/execd/execd_config.hpp"

int main(int argc, char** argv) {
    using namespace portcullis;
    using app::Home;

    CLI::App cli{
        "Shows and undoes what Portcullis blocks. bans, unban and flush also work while "
        "the\ndaemons are down.",
        "portcullis-control"};
    std::string home_path{app::kDefaultHome};
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
    int exit_code = 0;

    auto* bans = cli.add_subcommand("bans", "list what is blocked, and until when");
    bans->callback([&] { exit_code = app::list_bans(home()); });

    std::string address;
    std::int64_t seconds = execd::kManualBanTime.count();
    auto* ban = cli.add_subcommand("ban", "block an address by the command firewall-drop");
    ban->add_option("IP", address, "address")->required();
    ban->add_option("SECONDS", seconds, "for how long")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{base::kMaxBanTime.count()}))
        ->capture_default_str();
    ban->callback([&] { exit_code = app::ban(home(), address, std::chrono::seconds(seconds)); });

    auto* unban = cli.add_subcommand("unban", "unblock an address");
    unban->add_option("IP", address, "address")->required();
    unban->callback([&] { exit_code = app::unban(home(), address); });

    auto* flush = cli.add_subcommand("flush", "unblock everything");
    flush->callback([&] { exit_code = app::flush_bans(home()); });

    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? 0 : 2;
    }
    return exit_code;
}
