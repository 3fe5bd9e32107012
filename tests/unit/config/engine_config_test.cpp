#include "engine/config/engine_config.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace portcullis;
using config::EngineConfig;

namespace {

struct Loaded {
    EngineConfig config;
    base::Diagnostics diagnostics;
    std::string codes() const {
        std::string out;
        for (const auto& each : diagnostics.all()) {
            out += (out.empty() ? "" : " ") + each.code;
        }
        return out;
    }
};

// `body` within the root element.
Loaded load(const std::string& body) {
    Loaded loaded;
    loaded.config = config::parse_engine_config(
        "ossec.conf", "<ossec_config>" + body + "</ossec_config>", loaded.diagnostics);
    return loaded;
}

const std::string kCommand =
    "<command><name>drop</name><executable>drop.sh</executable><expect>srcip</expect>"
    "<timeout_allowed>yes</timeout_allowed></command>";

std::string response(const std::string& options) {
    return kCommand + "<active-response><command>drop</command><location>local</location>" +
           options + "</active-response>";
}

}  // namespace

TEST_CASE("engine_config: an empty configuration has the defaults") {
    base::Diagnostics diagnostics;
    for (const char* text : {"", "<ossec_config/>", "<!-- nothing -->"}) {
        const auto config = config::parse_engine_config("ossec.conf", text, diagnostics);
        CHECK(diagnostics.all().empty());
        CHECK(config.decoder_files_are_default);
        CHECK(config.log_alert_level == 1);
        CHECK(config.email_alert_level == 7);
        CHECK(config.memory_size == 8192);
        CHECK(config.max_bans_per_minute == 60);
        CHECK(config.max_bans == 100'000);
        CHECK(config.forgeable_alerts_per_minute == 0);
        CHECK_FALSE(config.dry_run);
        CHECK_FALSE(config.outputs.archives);
        CHECK_FALSE(config.outputs.archives_json);
        CHECK_FALSE(config.outputs.alerts_json);
    }
}

TEST_CASE("engine_config: scalars of any section and root, the last one counts") {
    base::Diagnostics diagnostics;
    const auto config = config::parse_engine_config(
        "ossec.conf",
        "<ossec_config><global><logall>yes</logall><max_bans>5</max_bans></global>"
        "<alerts><log_alert_level>3</log_alert_level><forgeable_alerts_per_minute>500"
        "</forgeable_alerts_per_minute></alerts></ossec_config>\n"
        "text between roots\n"
        "<ossec_config><global><logall>no</logall><logall_json>yes</logall_json>"
        "<jsonout_output>yes</jsonout_output><dry_run>yes</dry_run><memory_size>5</memory_size>"
        "<max_bans_per_minute>7</max_bans_per_minute></global>"
        "<alerts><log_alert_level>4</log_alert_level><email_alert_level>12</email_alert_level>"
        "</alerts></ossec_config>",
        diagnostics);
    CHECK(diagnostics.all().empty());
    CHECK_FALSE(config.outputs.archives);
    CHECK(config.outputs.archives_json);
    CHECK(config.outputs.alerts_json);
    CHECK(config.dry_run);
    CHECK(config.memory_size == 2048);
    CHECK(config.max_bans == 5);
    CHECK(config.forgeable_alerts_per_minute == 500);
    CHECK(config.max_bans_per_minute == 7);
    CHECK(config.log_alert_level == 4);
    CHECK(config.email_alert_level == 12);
}

TEST_CASE("engine_config: every option that changes nothing is accepted with a fitting value") {
    const auto loaded = load(
        "<global><email_notification>no</email_notification><email_to>a@b</email_to>"
        "<email_from>x</email_from><email_reply_to>x</email_reply_to><email_idsname>x"
        "</email_idsname><email_maxperhour>12</email_maxperhour><smtp_server>x</smtp_server>"
        "<helo_server>x</helo_server><smtp_port>25</smtp_port><auth_smtp>yes</auth_smtp>"
        "<smtp_user>x</smtp_user><smtp_password>x</smtp_password><secure_smtp>no</secure_smtp>"
        "<smtp_tls_verify>no</smtp_tls_verify><stats>4</stats><integrity_checking>8"
        "</integrity_checking><rootkit_detection>8</rootkit_detection><host_information>8"
        "</host_information><compress_alerts>yes</compress_alerts><prelude_output>yes"
        "</prelude_output><zeromq_output>no</zeromq_output><geoipdb>x</geoipdb></global>"
        "<alerts><use_geoip>no</use_geoip></alerts>"
        "<syscheck><frequency>x</frequency></syscheck><rootcheck><a/></rootcheck>"
        "<remote><connection>secure</connection></remote><client><a/></client>"
        "<email_alerts><a/></email_alerts><syslog_output><a/></syslog_output>"
        "<database_output><a/></database_output><agentless><a/></agentless><reports><a/></"
        "reports>");
    CHECK(loaded.codes() == "");
}

TEST_CASE("engine_config: white_list takes addresses, networks, their opposite, and host names") {
    const auto loaded = load(
        "<global><white_list>192.0.2.1</white_list><allow_list>10.0.0.0/8</allow_list></global>"
        "<global><white_list>2001:db8::/32</white_list><white_list>localhost.localdomain"
        "</white_list><white_list>my-host</white_list></global>");
    CHECK(loaded.codes() == "");
    const auto contains = [&](const char* text) {
        return loaded.config.white_list.contains(*base::IpAddress::parse(text));
    };
    CHECK(contains("192.0.2.1"));
    CHECK_FALSE(contains("192.0.2.2"));
    CHECK(contains("10.255.255.255"));
    CHECK_FALSE(contains("11.0.0.0"));
    CHECK(contains("2001:db8:ffff::1"));
    CHECK_FALSE(contains("2001:db9::1"));
    CHECK(loaded.config.white_list_hosts ==
          std::vector<std::string>{"localhost.localdomain", "my-host"});
}

TEST_CASE("engine_config: several <rules> sections add up in their order") {
    const auto loaded = load(
        "<rules><include>a.xml</include><rule>sub/b.xml</rule><list>lists/l</list></rules>"
        "<rules><decoder>etc/d.xml</decoder><include>/abs/c.xml</include>"
        "<rule_dir pattern=\"local_\\.+.xml$\">rules/</rule_dir><decoder_dir>etc/more</decoder_dir>"
        "</rules>");
    REQUIRE(loaded.codes() == "");
    const auto& rules = loaded.config.rule_files;
    REQUIRE(rules.size() == 4);
    CHECK(rules[0].path == "rules/a.xml");
    CHECK(rules[0].place.column == 31);
    CHECK(rules[1].path == "sub/b.xml");
    CHECK(rules[2].path == "/abs/c.xml");
    CHECK(rules[3].path == "rules");
    CHECK(rules[3].is_directory);
    CHECK(rules[3].pattern == "local_\\.+.xml$");
    REQUIRE(loaded.config.decoder_files.size() == 2);
    CHECK_FALSE(loaded.config.decoder_files_are_default);
    CHECK(loaded.config.decoder_files[1].pattern == ".xml$");
    CHECK(loaded.config.list_files.at(0).path == "lists/l");
}

TEST_CASE(
    "engine_config: a localfile in either order of its options, formats of Windows left out") {
    const auto loaded = load(
        "<localfile><log_format>syslog</log_format><location>/a</location></localfile>"
        "<localfile><location>/b-%Y</location><log_format>apache</log_format></localfile>"
        "<localfile><location>Security</location><log_format>eventlog</log_format></localfile>");
    CHECK(loaded.codes() == "");
    REQUIRE(loaded.config.local_files.size() == 2);
    CHECK(loaded.config.local_files[0].location == "/a");
    CHECK(loaded.config.local_files[0].log_format == "syslog");
    CHECK(loaded.config.local_files[0].place.line == 1);
    CHECK(loaded.config.local_files[1].location == "/b-%Y");
}

TEST_CASE("engine_config: log formats of OSSEC are known by their names") {
    struct Row {
        const char* format;
        const char* codes;
    };
    const Row rows[] = {
        {"generic", ""},
        {"snort-fast", ""},
        {"squid", ""},
        {"syslog-pipe", ""},
        {"journald", "unsupported-log-format"},
        {"multi-line: 3", ""},
        {"multi-line :3 ", ""},
        {"multi-line: 0", "unknown-log-format"},
        {"multi-line: 1001", "unknown-log-format"},
        {"snort-full", ""},
        {"mysql_log", ""},
        {"modsec-audit", ""},
        {"multi-line_indented", "unsupported-log-format"},
        {"multi-line", "unknown-log-format"},
        {"multi-line:", "unknown-log-format"},
        {"multi-line: 3x", "unknown-log-format"},
        {"Syslog", "unknown-log-format"},
        {"", "unknown-log-format"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.format);
        const auto loaded = load("<localfile><location>/a</location><log_format>" +
                                 std::string(row.format) + "</log_format></localfile>");
        CHECK(loaded.codes() == row.codes);
        CHECK(loaded.config.local_files.size() == (row.codes[0] == '\0' ? 1U : 0U));
    }
}

TEST_CASE("engine_config: multi-line has a number of lines, djb-multilog the path of a program") {
    const auto multi_line = load(
        "<localfile><location>/a</location><log_format>multi-line: 12</log_format></localfile>");
    REQUIRE(multi_line.config.local_files.size() == 1);
    CHECK(multi_line.config.local_files[0].log_format == "multi-line");
    CHECK(multi_line.config.local_files[0].line_count == 12);
    const auto multilog = [](const std::string& location) {
        return load("<localfile><log_format>djb-multilog</log_format><location>" + location +
                    "</location></localfile>")
            .codes();
    };
    CHECK(multilog("/service/dns/current") == "");
    CHECK(multilog("/service/dns/log") == "bad-location");
    CHECK(multilog("/current") == "bad-location");
    CHECK(multilog("current") == "bad-location");
}

TEST_CASE("engine_config: a command with the fields that it expects") {
    struct Row {
        const char* expect;
        bool srcip, user, filename;
    };
    const Row rows[] = {
        {"", false, false, false},
        {"srcip", true, false, false},
        {"SrcIP,user", true, true, false},
        {"username, filename", false, true, true},
        {" srcip  filename ", true, false, true},
    };
    for (const auto& row : rows) {
        CAPTURE(row.expect);
        const auto loaded =
            load("<command><name>a</name><executable>a.sh</executable><expect>" +
                 std::string(row.expect) + "</expect><persistent>yes</persistent></command>");
        CHECK(loaded.codes() == "");
        REQUIRE(loaded.config.commands.size() == 1);
        const auto& command = loaded.config.commands[0];
        CHECK(command.expects_srcip == row.srcip);
        CHECK(command.expects_user == row.user);
        CHECK(command.expects_filename == row.filename);
        CHECK(command.persistent);
        CHECK_FALSE(command.timeout_allowed);
        CHECK(loaded.config.executables.at(0).path == "a.sh");
    }
}

TEST_CASE("engine_config: an active-response with all of its options") {
    const auto loaded =
        load(response("<level>6</level><rules_id>99990, 5712 100</rules_id>"
                      "<rules_group>authentication_failed|web</rules_group><timeout>600</timeout>"
                      "<repeated_offenders>30, 60,120</repeated_offenders>") +
             response("").substr(kCommand.size()).replace(0, 17, "<active-response>"));
    REQUIRE(loaded.codes().empty());
    const auto& block = loaded.config.active_responses.at(0);
    CHECK(block.command == "drop");
    CHECK(block.location == respond::ResponseLocation::Local);
    CHECK(block.level == 6);
    CHECK(block.rules_id == std::vector<int>{99990, 5712, 100});
    CHECK(block.rules_group == "authentication_failed|web");
    CHECK(block.timeout == std::chrono::seconds(600));
    CHECK(loaded.config.repeated_offenders ==
          std::vector<std::chrono::minutes>{std::chrono::minutes(30), std::chrono::minutes(60),
                                            std::chrono::minutes(120)});
}

TEST_CASE("engine_config: which block a response makes, for how long, and of which files") {
    const std::string files =
        "<localfile><location>/var/log/iplog</location><log_format>syslog</log_format></localfile>"
        "<localfile><location>/l/%Y/a*</location><log_format>syslog</log_format></localfile>";
    const auto with = [&](const std::string& options) {
        return load(response("<rules_id>1</rules_id><timeout>600</timeout>" + options) + files);
    };
    struct Row {
        const char* options;
        const char* codes;
        base::BlockChoice block;
        std::optional<std::chrono::seconds> forgeable_timeout;
        std::vector<std::string> from_files;
    };
    using base::BlockChoice;
    using std::chrono::seconds;
    const Row rows[] = {
        {"", "", BlockChoice::Hard, std::nullopt, {}},
        {"<block>auto</block>", "", BlockChoice::Auto, std::nullopt, {}},
        {"<block>soft</block>", "", BlockChoice::Soft, std::nullopt, {}},
        {"<block>hard</block>", "", BlockChoice::Hard, std::nullopt, {}},
        {"<block>Soft</block>", "bad-word", BlockChoice::Hard, std::nullopt, {}},
        {"<block></block>", "bad-word", BlockChoice::Hard, std::nullopt, {}},
        {"<forgeable_timeout>120</forgeable_timeout>", "", BlockChoice::Hard, seconds(120), {}},
        {"<forgeable_timeout>600</forgeable_timeout>", "", BlockChoice::Hard, seconds(600), {}},
        {"<forgeable_timeout>601</forgeable_timeout>",
         "long-forgeable-timeout",
         BlockChoice::Hard,
         seconds(601),
         {}},
        {"<forgeable_timeout>0</forgeable_timeout>",
         "bad-number",
         BlockChoice::Hard,
         std::nullopt,
         {}},
        {"<forgeable_timeout>2m</forgeable_timeout>",
         "bad-number",
         BlockChoice::Hard,
         std::nullopt,
         {}},
        {"<from_file>/var/log/iplog</from_file><from_file>/l/2026/ab</from_file>",
         "",
         BlockChoice::Hard,
         std::nullopt,
         {"/var/log/iplog", "/l/2026/ab"}},
        {"<from_file>/l/%Y/a*</from_file>", "", BlockChoice::Hard, std::nullopt, {"/l/%Y/a*"}},
        {"<from_file>/l/now/ab</from_file>",
         "unread-from-file",
         BlockChoice::Hard,
         std::nullopt,
         {"/l/now/ab"}},
        {"<from_file>/l/2026/b</from_file>",
         "unread-from-file",
         BlockChoice::Hard,
         std::nullopt,
         {"/l/2026/b"}},
        {"<from_file>/l/2026/a/b</from_file>",
         "unread-from-file",
         BlockChoice::Hard,
         std::nullopt,
         {"/l/2026/a/b"}},
        {"<from_file></from_file>", "empty-value", BlockChoice::Hard, std::nullopt, {}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.options);
        const auto loaded = with(row.options);
        CHECK(loaded.codes() == row.codes);
        const auto& block = loaded.config.active_responses.at(0);
        CHECK(block.block == row.block);
        CHECK(block.forgeable_timeout == row.forgeable_timeout);
        CHECK(block.from_files == row.from_files);
    }
}

TEST_CASE("engine_config: a forgeable_timeout needs timeout_allowed") {
    const auto loaded = load(
        "<command><name>drop</name><executable>drop.sh</executable><expect>srcip</expect></command>"
        "<active-response><command>drop</command><location>local</location><level>6</level>"
        "<forgeable_timeout>60</forgeable_timeout></active-response>");
    CHECK(loaded.codes() == "timeout-not-allowed");
    CHECK(loaded.config.active_responses.empty());
}

TEST_CASE("engine_config: spared addresses, the prefix of an IPv6 source, and the hold") {
    struct Row {
        const char* options;
        const char* codes;
        bool (*is_set)(const EngineConfig& config);
    };
    using base::HoldMode;
    using C = EngineConfig;
    const Row rows[] = {
        {"<dry_run>no</dry_run>", "",
         [](const C& c) {
             return c.white_list_files.empty() && c.spare_outbound_peers &&
                    c.spare_login_days == 0 && c.ipv6_prefix == 128 &&
                    c.hold == base::HoldConfig{} && c.hold.mode == HoldMode::No;
         }},
        {"<white_list_file>etc/a</white_list_file><white_list_file>/b</white_list_file>", "",
         [](const C& c) {
             return c.white_list_files == std::vector<std::string>{"etc/a", "/b"} &&
                    c.white_list_references.size() == 2 && c.white_list_references[1].path == "/b";
         }},
        {"<white_list_file></white_list_file>", "empty-value",
         [](const C& c) { return c.white_list_files.empty(); }},
        {"<spare_outbound_peers>no</spare_outbound_peers>", "",
         [](const C& c) { return !c.spare_outbound_peers; }},
        {"<spare_outbound_peers>0</spare_outbound_peers>", "bad-yes-no",
         [](const C& c) { return c.spare_outbound_peers; }},
        {"<spare_login_days>365</spare_login_days>", "",
         [](const C& c) { return c.spare_login_days == 365; }},
        {"<spare_login_days>366</spare_login_days>", "bad-number",
         [](const C& c) { return c.spare_login_days == 0; }},
        {"<ipv6_prefix>64</ipv6_prefix>", "", [](const C& c) { return c.ipv6_prefix == 64; }},
        {"<ipv6_prefix>56</ipv6_prefix>", "", [](const C& c) { return c.ipv6_prefix == 56; }},
        {"<ipv6_prefix>48</ipv6_prefix>", "", [](const C& c) { return c.ipv6_prefix == 48; }},
        {"<ipv6_prefix>/64</ipv6_prefix>", "bad-prefix",
         [](const C& c) { return c.ipv6_prefix == 128; }},
        {"<ipv6_prefix>32</ipv6_prefix>", "bad-prefix",
         [](const C& c) { return c.ipv6_prefix == 128; }},
        {"<hold>yes</hold>", "", [](const C& c) { return c.hold.mode == HoldMode::Yes; }},
        {"<hold>refused</hold>", "", [](const C& c) { return c.hold.mode == HoldMode::Refused; }},
        {"<hold>yes</hold><hold>no</hold>", "",
         [](const C& c) { return c.hold.mode == HoldMode::No; }},
        {"<hold>on</hold>", "bad-word", [](const C& c) { return c.hold.mode == HoldMode::No; }},
        {"<hold_ports>2</hold_ports><hold_connect_ports>1000</hold_connect_ports>", "",
         [](const C& c) { return c.hold.ports == 2 && c.hold.connect_ports == 1000; }},
        {"<hold_ports>1</hold_ports><hold_connect_ports>1001</hold_connect_ports>",
         "bad-number bad-number",
         [](const C& c) { return c.hold.ports == 10 && c.hold.connect_ports == 15; }},
        {"<hold_seconds>60</hold_seconds>", "",
         [](const C& c) { return c.hold.seconds == std::chrono::seconds(60); }},
        {"<hold_seconds>0</hold_seconds>", "bad-number",
         [](const C& c) { return c.hold.seconds == std::chrono::seconds(2); }},
        {"<hold_ipv6_prefix>48</hold_ipv6_prefix>", "",
         [](const C& c) { return c.hold.ipv6_prefix == 48; }},
        {"<hold_ipv6_prefix>0</hold_ipv6_prefix>", "bad-prefix",
         [](const C& c) { return c.hold.ipv6_prefix == 64; }},
    };
    for (const auto& row : rows) {
        CAPTURE(row.options);
        const auto loaded = load("<global>" + std::string(row.options) + "</global>");
        CHECK(loaded.codes() == row.codes);
        CHECK(row.is_set(loaded.config));
    }
}

TEST_CASE("engine_config: rules_id ends at text that is not an id") {
    const auto loaded = load(response("<rules_id>1, 2; 3</rules_id><timeout>1</timeout>"));
    CHECK(loaded.codes() == "rules-id-cut");
    CHECK(loaded.config.active_responses.at(0).rules_id == std::vector<int>{1, 2});
}

TEST_CASE("engine_config: a disabled response is left out and takes nothing else with it") {
    const auto loaded = load(
        "<active-response><disabled>yes</disabled><command>unknown</command></active-response>" +
        response("<level>6</level><timeout>1</timeout>") +
        response("<level>7</level><disabled>yes</disabled>").substr(kCommand.size()));
    CHECK(loaded.codes() == "");
    REQUIRE(loaded.config.active_responses.size() == 1);
    CHECK(loaded.config.active_responses[0].level == 6);
}

TEST_CASE("engine_config: a block may set the repeated offenders alone, the first list counts") {
    const auto loaded = load(
        "<active-response><repeated_offenders>1,2</repeated_offenders></active-response>"
        "<active-response><repeated_offenders>3</repeated_offenders></active-response>");
    CHECK(loaded.codes() == "");
    CHECK(loaded.config.active_responses.empty());
    CHECK(loaded.config.repeated_offenders.size() == 2);
}

TEST_CASE("engine_config: a wrong file gives all options that could be read, and all errors") {
    const auto loaded = load("<global><logall>maybe</logall><dry_run>yes</dry_run></global><x/>");
    CHECK(loaded.codes() == "bad-yes-no unknown-section");
    CHECK(loaded.config.dry_run);
}

TEST_CASE("engine_config: a file that cannot be read is an error") {
    base::Diagnostics diagnostics;
    config::load_engine_config("/nonexistent/ossec.conf", diagnostics);
    REQUIRE(diagnostics.error_count() == 1);
    CHECK(diagnostics.all()[0].code == "unreadable-file");
}

TEST_CASE("engine_config: the shipped ossec.conf has no defect") {
    base::Diagnostics diagnostics;
    const auto config =
        config::load_engine_config(PORTCULLIS_SOURCE_DIR "/etc/ossec.conf", diagnostics);
    CHECK(base::render(diagnostics) == "");
    REQUIRE(config.active_responses.size() == 1);
    const auto& response = config.active_responses[0];
    CHECK(response.block == base::BlockChoice::Auto);
    CHECK(response.timeout == std::chrono::seconds(600));
    CHECK(response.forgeable_timeout == std::chrono::seconds(120));
    CHECK(response.from_files == std::vector<std::string>{"/var/log/iplog"});
    CHECK(config.hold.mode == base::HoldMode::Yes);
    CHECK(config.ipv6_prefix == 64);
    CHECK(config.forgeable_alerts_per_minute == 1000);
}

TEST_CASE("engine_config: the published recipe loads, with a warning that it blocks for ever") {
    const std::string path = PORTCULLIS_CONFORMANCE_DIR "/published/ossec.conf";
    if (!std::filesystem::exists(path)) {
        WARN("SKIPPED: the published recipe is not here");
        return;
    }
    base::Diagnostics diagnostics;
    const auto config = config::load_engine_config(path, diagnostics);
    REQUIRE(diagnostics.all().size() == 1);
    CHECK(diagnostics.all()[0].code == "permanent-response");
    CHECK_FALSE(diagnostics.has_errors());
    CHECK(config.rule_files.at(0).path == "rules/iplog_rules.xml");
    CHECK(config.local_files.at(0).location == "/var/log/iplog");
    const auto& response = config.active_responses.at(0);
    CHECK(response.rules_id == std::vector<int>{99990});
    CHECK(response.block == base::BlockChoice::Hard);
    CHECK_FALSE(response.forgeable_timeout);
    CHECK(response.from_files.empty());
    CHECK(config.hold.mode == base::HoldMode::No);
    CHECK(config.ipv6_prefix == 128);
}
