#include "engine/config/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/collect/log_formats.hpp"
#include "engine/config/option_setters.hpp"

namespace portcullis::config {
namespace {

using C = EngineConfig;

constexpr int kMaxLevelNumber = 255;  // OSSEC keeps them in eight bits
constexpr int kMaxBansPerMinute = 1'000'000;
constexpr int kMaxBans = 10'000'000;
constexpr int kMaxAlertsPerMinute = 1'000'000;
constexpr int kMaxLoginDays = 365;
constexpr int kLeastHoldPorts = 2;
constexpr int kMostHoldPorts = 1000;
constexpr int kLeastMemoryBytes = 1 << 20;
constexpr int kMostMemoryBytes = 1 << 30;

constexpr Section kSections[] = {
    {"global", "Options of the engine as a whole.", true, nullptr},
    {"rules",
     "The files of decoders and rules, which are loaded in this order. Several sections add up.",
     true, nullptr},
    {"alerts", "The levels from which an event is an alert.", true, nullptr},
    {"localfile", "A log that the engine follows: one section for each.", true, finish_local_file},
    {"command", "A program that responses may run.", true, finish_command},
    {"active-response",
     "The rules for which a command runs. `level`, `rules_id` and `rules_group` are alternatives: "
     "one that fits is enough.",
     true, finish_active_response},
    {"syscheck", "", false, nullptr},
    {"rootcheck", "", false, nullptr},
    {"email_alerts", "", false, nullptr},
    {"database_output", "", false, nullptr},
    {"syslog_output", "", false, nullptr},
    {"agentless", "", false, nullptr},
    {"remote", "", false, nullptr},
    {"client", "", false, nullptr},
    {"reports", "", false, nullptr},
};

constexpr std::string_view kYesNo = "yes, no";
constexpr std::string_view kIgnored = "accepted, without effect";
constexpr std::string_view kNoMail = "accepted, without effect: there is no mail daemon";
constexpr std::string_view kRefused = "an error: only special builds of OSSEC have it";

constexpr Option kOptions[] = {
    {"global", "white_list", "address, network (both also with `!`) or host name", "",
     "no response is carried out against it; one per element", add_white_list},
    {"global", "allow_list", "the same", "", "the same as `white_list`", add_white_list},
    {"global", "white_list_file", "file", "",
     "file with addresses, networks and host names, one per line, that are spared like "
     "`white_list`; one file per element, relative to the home (Portcullis)",
     add_white_list_file},
    {"global", "spare_outbound_peers", kYesNo, "yes",
     "spare the peer of an established connection that this host opened more than a minute ago, "
     "see docs/never-block.md (Portcullis)",
     set_yes_no<&C::spare_outbound_peers>},
    {"global", "spare_login_days", "0 to 365", "0",
     "days for which an address is spared after a successful login from it; 0 = not spared "
     "(Portcullis)",
     set_number<&C::spare_login_days, 0, kMaxLoginDays>},
    {"global", "ipv6_prefix", "128, 64, 56, 48", "128",
     "length of the prefix by which an IPv6 source is banned, unless the prefix contains an "
     "address that is never blocked or a network of this host (Portcullis)",
     set_ipv6_prefix},
    {"global", "hold", "yes, no, refused", "no",
     "the kernel itself holds a scan for a moment, see docs/hold.md; `refused` counts refused "
     "connections only, for hosts with IPVS services (Portcullis)",
     set_hold},
    {"global", "hold_ports", "2 to 1000", "10",
     "number of distinct closed ports within 3 seconds at which a source of crafted packets is "
     "held (Portcullis)",
     set_hold_number<&base::HoldConfig::ports, kLeastHoldPorts, kMostHoldPorts>},
    {"global", "hold_connect_ports", "2 to 1000", "15",
     "the same for a source that connects as programs do (Portcullis)",
     set_hold_number<&base::HoldConfig::connect_ports, kLeastHoldPorts, kMostHoldPorts>},
    {"global", "hold_seconds", "1 to 60", "2",
     "time for which a source is held, in seconds (Portcullis)", set_hold_seconds},
    {"global", "hold_ipv6_prefix", "48, 56, 64, 128", "64",
     "length of the IPv6 prefix that is one source for the hold (Portcullis)",
     set_hold_ipv6_prefix},
    {"global", "jsonout_output", kYesNo, "no", "write logs/alerts/alerts.json",
     set_output<&alert::OutputOptions::alerts_json>},
    {"global", "logall", kYesNo, "no", "write every event to archives.log",
     set_output<&alert::OutputOptions::archives>},
    {"global", "logall_json", kYesNo, "no", "write every event to archives.json",
     set_output<&alert::OutputOptions::archives_json>},
    {"global", "memory_size", "0 to 1000000", "8192",
     "number of events kept for composite rules; less than 2048 means 2048", set_memory_size},
    {"global", "memory_bytes", "1048576 to 1073741824", "16777216",
     "size of the events kept for composite rules, in bytes; the oldest make room (Portcullis)",
     set_number<&C::memory_bytes, kLeastMemoryBytes, kMostMemoryBytes>},
    {"global", "verify_crawlers", kYesNo, "no",
     "the compiled rule is_valid_crawler asks DNS, in the background; until the answer arrives, "
     "and with `no`, only the known networks are crawlers (Portcullis)",
     set_yes_no<&C::verify_crawlers>},
    {"global", "max_bans_per_minute", "1 to 1000000", "60",
     "new bans in any minute; [further ones "
     "wait](responding-safely.md#what-the-limits-do) (Portcullis)",
     set_number<&C::max_bans_per_minute, 1, kMaxBansPerMinute>},
    {"global", "max_bans", "1 to 10000000", "100000",
     "active bans at a time; further ones wait (Portcullis)",
     set_number<&C::max_bans, 1, kMaxBans>},
    {"global", "dry_run", kYesNo, "no",
     "record which commands would run, and run none (Portcullis)", set_yes_no<&C::dry_run>},
    {"global", "stats", "0 to 255", "4",
     "level of the alert (rule 11) about an unusual number of events in an hour; 0 = none",
     set_number<&C::stats, 0, kMaxLevelNumber>},
    {"global", "custom_alert_output", "format", "",
     "alerts.log has one line of this form for each alert, see docs/alert-formats.md",
     set_alert_format},
    {"global", "drop_repeated_messages", kYesNo, "yes",
     "an event that equals one of the last three syslog messages is dropped, as OSSEC does "
     "(Portcullis)",
     set_yes_no<&C::drop_repeated_messages>},
    {"global", "integrity_checking", "0 to 255", "8", kIgnored, accept_number<0, kMaxLevelNumber>},
    {"global", "rootkit_detection", "0 to 255", "8", kIgnored, accept_number<0, kMaxLevelNumber>},
    {"global", "host_information", "0 to 255", "8", kIgnored, accept_number<0, kMaxLevelNumber>},
    {"global", "compress_alerts", "anything", "", kIgnored, accept_any},
    {"global", "email_notification", kYesNo, "no",
     "accepted, `yes` with a warning: there is no mail daemon", accept_mail_switch},
    {"global", "email_to", "name@host", "", kNoMail, accept_mail_address},
    {"global", "email_from", "anything", "", kNoMail, accept_any},
    {"global", "email_reply_to", "anything", "", kNoMail, accept_any},
    {"global", "email_idsname", "anything", "", kNoMail, accept_any},
    {"global", "email_maxperhour", "1 to 9999", "", kNoMail, accept_number<1, 9999>},
    {"global", "smtp_server", "anything", "", kNoMail, accept_any},
    {"global", "helo_server", "anything", "", kNoMail, accept_any},
    {"global", "smtp_port", "1 to 65535", "", kNoMail, accept_number<1, 65535>},
    {"global", "auth_smtp", kYesNo, "", kNoMail, accept_yes_no},
    {"global", "smtp_user", "anything", "", kNoMail, accept_any},
    {"global", "smtp_password", "anything", "", kNoMail, accept_any},
    {"global", "secure_smtp", kYesNo, "", kNoMail, accept_yes_no},
    {"global", "smtp_tls_verify", kYesNo, "", kNoMail, accept_yes_no},
    {"global", "prelude_output", "anything", "", kIgnored, accept_any},
    {"global", "prelude_profile", "anything", "", kIgnored, accept_any},
    {"global", "prelude_log_level", "anything", "", kIgnored, accept_any},
    {"global", "zeromq_output", "anything", "", kIgnored, accept_any},
    {"global", "zeromq_uri", "anything", "", kIgnored, accept_any},
    {"global", "zeromq_server_cert", "anything", "", kIgnored, accept_any},
    {"global", "zeromq_client_cert", "anything", "", kIgnored, accept_any},
    {"global", "geoipdb", "anything", "", kIgnored, accept_any},
    {"global", "geoip_db_path", "", "", kRefused, refuse},
    {"global", "geoip6_db_path", "", "", kRefused, refuse},
    {"global", "md5_allowlist", "", "", kRefused, refuse},
    {"global", "md5_whitelist", "", "", kRefused, refuse},

    {"rules", "include", "file", "",
     "a rule file; a name without `/` is in rules/, another path is relative to the home",
     add_rule_file},
    {"rules", "rule", "file", "", "the same as `include`", add_rule_file},
    {"rules", "rule_dir", "directory", "",
     "all its rule files that are not named before, in byte order; attribute `pattern`: the "
     "OS_Regex that directory/file must match (`.xml$`)",
     add_rule_dir, "pattern"},
    {"rules", "decoder", "file", "etc/decoder.xml, etc/local_decoder.xml",
     "a decoder file, relative to the home; any `decoder` or `decoder_dir` replaces the default "
     "files. Without etc/decoder.xml the default is decoders/iplog_decoders.xml; "
     "etc/local_decoder.xml may be missing",
     add_decoder_file},
    {"rules", "decoder_dir", "directory", "", "as `rule_dir`, for decoder files", add_decoder_dir,
     "pattern"},
    {"rules", "list", "file", "",
     "a list in which rules look fields up: `key:value` lines, or the CDB file made from them; the "
     "text is read if it exists, otherwise the file with `.cdb`; a name without `/` is in rules/",
     add_list_file},
    {"rules", "full_overwrite", kYesNo, "no",
     "`overwrite=\"yes\"` replaces the whole rule; no = what OSSEC replaces, see "
     "docs/compatibility.md (Portcullis)",
     set_yes_no<&C::full_overwrite>},

    {"alerts", "log_alert_level", "0 to 255", "1", "level from which an event is an alert",
     set_number<&C::log_alert_level, 0, kMaxLevelNumber>},
    {"alerts", "email_alert_level", "0 to 255", "7",
     "level from which an alert is marked for mail (`mail` in alerts.log)",
     set_number<&C::email_alert_level, 0, kMaxLevelNumber>},
    {"alerts", "forgeable_alerts_per_minute", "0 to 1000000", "0",
     "alerts of one rule that are written per minute if packets cause them and their evidence is "
     "forgeable or doubtful; a summary counts the others; 0 = no limit (Portcullis)",
     set_number<&C::forgeable_alerts_per_minute, 0, kMaxAlertsPerMinute>},
    {"alerts", "use_geoip", kYesNo, "", kIgnored, accept_yes_no},

    {"localfile", "location", "path", "",
     "required; may hold `strftime` sequences (`%Y`; local time, computed each second) or a glob "
     "(`*`, `?`, `[`)",
     set_location},
    {"localfile", "log_format", "format", "",
     "required; one of the [log formats](#log-formats) below. A localfile with another format of "
     "OSSEC is skipped, with a warning (eventlog and eventchannel: without)",
     set_log_format},
    {"localfile", "command", "anything", "", "for the formats command and full_command",
     accept_any},
    {"localfile", "alias", "anything", "", "for the formats command and full_command", accept_any},
    {"localfile", "frequency", "seconds, hourly, daily", "360",
     "for the formats command and full_command", set_frequency},
    {"localfile", "only-future-events", "anything", "", kIgnored, accept_any},
    {"localfile", "query", "anything", "", kIgnored, accept_any},

    {"command", "name", "word", "", "required; the name that an active-response uses",
     set_command_name},
    {"command", "executable", "file name", "", "required; a file in active-response/bin",
     set_executable},
    {"command", "expect", "srcip, user (username), filename", "",
     "required, may be empty; fields that the event must have and the command gets", set_expect},
    {"command", "timeout_allowed", kYesNo, "no", "the command can be undone", set_timeout_allowed},
    {"command", "persistent", kYesNo, "no",
     "the program is started once and gets many requests, see docs/responders.md (Portcullis)",
     set_persistent},

    {"active-response", "command", "name", "", "required; a command that is defined before",
     set_response_command},
    {"active-response", "location", "local, server, defined-agent, all", "",
     "required; `local` and `server` mean this host, the others do nothing, with a warning",
     set_response_location},
    {"active-response", "agent_id", "anything", "", "required for defined-agent, without effect",
     accept_any},
    {"active-response", "level", "0 to 20", "", "for rules of this level or higher",
     set_response_level},
    {"active-response", "rules_id", "ids, separated by commas", "", "for these rules",
     set_rules_id},
    {"active-response", "rules_group", "OS_Regex", "",
     "for rules whose groups it matches, `authentication_failed|web`", set_rules_group},
    {"active-response", "timeout", "seconds", "0",
     "time after which the command is undone; 0 = never, with a warning; needs timeout_allowed",
     set_response_timeout},
    {"active-response", "block", "auto, hard, soft", "hard",
     "how a source is blocked: `hard` = everything; `soft` = new connections, datagrams to "
     "service ports and pings; `auto` = hard for proven, soft for forgeable, nothing for doubtful "
     "evidence, see docs/responding-safely.md (Portcullis)",
     set_block},
    {"active-response", "forgeable_timeout", "seconds", "as `timeout`",
     "the same time if the evidence is forgeable; 1 or more; needs timeout_allowed "
     "(Portcullis)",
     set_forgeable_timeout},
    {"active-response", "from_file", "path", "",
     "only for events from this file; a path that a `localfile` reads, or its "
     "`location` as written there; one per element, any of them is enough (Portcullis)",
     add_from_file},
    {"active-response", "disabled", kYesNo, "no", "this block alone is ignored", set_disabled},
    {"active-response", "repeated_offenders", "up to 5 numbers of minutes, separated by commas", "",
     "timeouts of the second, third, … offence; the first such list of the file counts for all",
     set_repeated_offenders},
};

}  // namespace

std::span<const Section> sections() { return kSections; }
std::span<const Option> options() { return kOptions; }

const Section* find_section(std::string_view name) {
    const auto* const found = std::find_if(std::begin(kSections), std::end(kSections),
                                           [&](const Section& row) { return row.name == name; });
    return found != std::end(kSections) ? found : nullptr;
}

const Option* find_option(std::string_view section, std::string_view name) {
    const auto* const found =
        std::find_if(std::begin(kOptions), std::end(kOptions),
                     [&](const Option& row) { return row.section == section && row.name == name; });
    return found != std::end(kOptions) ? found : nullptr;
}

std::string options_as_markdown() {
    const auto cell = [](std::string_view text) {
        std::string out;
        for (const char c : text) {
            out += c == '|' ? std::string("\\|") : std::string(1, c);
        }
        return out;
    };
    std::string out;
    std::string unread;
    for (const auto& section : kSections) {
        if (!section.is_read) {
            unread += fmt::format("{}`<{}>`", unread.empty() ? "" : ", ", section.name);
            continue;
        }
        out += fmt::format("### `<{}>`\n\n{}\n\n", section.name, section.help);
        out += "| option | value | default | meaning |\n|---|---|---|---|\n";
        for (const auto& option : kOptions) {
            if (option.section == section.name) {
                out += fmt::format("| `{}` | {} | {} | {} |\n", option.name, cell(option.value),
                                   cell(option.default_value), cell(option.help));
            }
        }
        out += '\n';
    }
    out += "### Log formats\n\n| `<log_format>` | records |\n|---|---|\n";
    for (const auto& format : collect::log_formats()) {
        out += fmt::format("| `{}` | {} |\n", format.name, cell(format.help));
    }
    out +=
        "\n### Other sections\n\nThese are accepted, and their options are not checked: " + unread +
        ".\n";
    return out;
}

}  // namespace portcullis::config
