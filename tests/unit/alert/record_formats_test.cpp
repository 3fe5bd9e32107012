#include "engine/alert/record_formats.hpp"

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

using namespace portcullis;
using namespace portcullis::alert;
using event::FieldId;
using Json = nlohmann::ordered_json;

namespace {

void use_utc() {
    setenv("TZ", "UTC", 1);
    tzset();
}

void set(Alert& alert, FieldId id, std::string value) {
    alert.fields[static_cast<std::size_t>(id)] = std::move(value);
}

// The alert of the samples in the specification (alerts, sections 2 and 3).
Alert sample() {
    use_utc();
    Alert alert;
    alert.time = base::Timestamp(std::chrono::seconds(1'795'511'134));
    alert.id = 1;
    alert.rule.id = 5716;
    alert.rule.level = 5;
    alert.rule.description = "SSHD authentication failed.";
    alert.rule.group = "syslog,sshd,authentication_failed,";
    alert.rule.fired_times = 1;
    alert.hostname = "host";
    alert.program_name = "sshd";
    alert.location = "/var/log/test.log";
    alert.full_log =
        "Nov 14 18:09:12 host sshd[123]: Failed password for root from 1.2.3.4 port 22 ssh2";
    alert.decoder_name = "sshd";
    alert.decoder_parent = "sshd";
    set(alert, FieldId::SrcIp, "1.2.3.4");
    set(alert, FieldId::DstUser, "root");
    return alert;
}

std::vector<std::string> keys_of(const Json& object) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) {
        keys.push_back(key);
    }
    return keys;
}

}  // namespace

TEST_CASE("record_formats: alerts.json is the sample of the specification, byte for byte") {
    CHECK(alert_as_json(sample()) ==
          R"({"rule":{"level":5,"comment":"SSHD authentication failed.","sidid":5716,)"
          R"("firedtimes":1,"group":"syslog,sshd,authentication_failed,",)"
          R"("groups":["syslog","sshd","authentication_failed"]},"id":"1795511134.1",)"
          R"("TimeStamp":1795511134000,"decoder":"sshd","decoder_parent":"sshd",)"
          R"("srcip":"1.2.3.4","dstuser":"root","location":"/var/log/test.log",)"
          R"("full_log":"Nov 14 18:09:12 host sshd[123]: Failed password for root from 1.2.3.4)"
          R"( port 22 ssh2","hostname":"host","program_name":"sshd",)"
          R"("decoder_desc":{"parent":"sshd","name":"sshd"},"agent_name":"host",)"
          R"("timestamp":"2026 Nov 24 09:05:34","logfile":"/var/log/test.log"})"
          "\n");
}

TEST_CASE("record_formats: alerts.log is the sample of the specification, byte for byte") {
    use_utc();
    Alert alert;
    alert.time = base::Timestamp(std::chrono::seconds(1'795'511'136));
    alert.id = 2;
    alert.mail = true;
    alert.rule.id = 5403;
    alert.rule.level = 4;
    alert.rule.description = "First time user executed sudo.";
    alert.rule.group = "syslog,sudo";
    alert.hostname = "host";
    alert.location = "/var/log/auth.log";
    alert.full_log = "Nov 14 18:09:13 host sudo:     bob : TTY=pts/0 ; ...";
    set(alert, FieldId::SrcIp, "1.2.3.4");
    set(alert, FieldId::DstUser, "bob");
    set(alert, FieldId::SrcUser, "not shown");
    CHECK(alert_as_text(alert) ==
          "** Alert 1795511136.2: mail  - syslog,sudo\n"
          "2026 Nov 24 09:05:36 host->/var/log/auth.log\n"
          "Rule: 5403 (level 4) -> 'First time user executed sudo.'\n"
          "Src IP: 1.2.3.4\n"
          "User: bob\n"
          "Nov 14 18:09:13 host sudo:     bob : TTY=pts/0 ; ...\n"
          "\n");
}

TEST_CASE("record_formats: alerts.log in its other shapes") {
    SECTION("without mail, with all fields, from an agent, without a description") {
        Alert alert = sample();
        alert.rule.description.clear();
        alert.location = "(web) 10.0.0.2->/var/log/auth.log";
        set(alert, FieldId::SrcPort, "22");
        set(alert, FieldId::DstIp, "5.6.7.8");
        set(alert, FieldId::DstPort, "80");
        CHECK(alert_as_text(alert) ==
              "** Alert 1795511134.1: - syslog,sshd,authentication_failed,\n"
              "2026 Nov 24 09:05:34 (web) 10.0.0.2->/var/log/auth.log\n"
              "Rule: 5716 (level 5) -> '(null)'\n"
              "Src IP: 1.2.3.4\n"
              "Src Port: 22\n"
              "Dst IP: 5.6.7.8\n"
              "Dst Port: 80\n"
              "User: root\n" +
                  alert.full_log + "\n\n");
    }
    SECTION("of a composite rule: the remembered lines follow, each cut") {
        Alert alert = sample();
        alert.full_log = std::string(2000, 'x');
        alert.previous_lines = {"newest", std::string(1257, 'y'), "oldest"};
        const std::string text = alert_as_text(alert);
        const std::string expected = "User: root\n" + std::string(1256, 'x') + "\nnewest\n" +
                                     std::string(1256, 'y') + "\noldest\n\n";
        CHECK(text.substr(text.find("User: ")) == expected);
    }
    SECTION("of check_diff: the previous output") {
        Alert alert = sample();
        alert.previous_output = "old";
        const std::string text = alert_as_text(alert);
        CHECK(text.substr(text.size() - 23) == "\nPrevious output:\nold\n\n");
    }
}

TEST_CASE("record_formats: alerts.json keeps the order of members and leaves empty ones out") {
    Alert alert = sample();
    alert.rule.frequency = 6;
    alert.rule.cve = "CVE-2026-1";
    alert.rule.info = {"a", "b"};
    alert.rule.group = "pci_dss_10.2.4,sshd,cis_5.2,pci_dss_10.2.5,";
    for (const auto& field : event::kFields) {
        set(alert, field.id, std::string(field.key));
    }
    alert.previous_lines = {"first", "second", "third"};
    alert.dynamic_fields = {{"extra.one", "1"}, {"empty", ""}};
    const Json json = Json::parse(alert_as_json(alert));
    CHECK(keys_of(json) ==
          std::vector<std::string>{"rule",           "id",           "TimeStamp", "decoder",
                                   "decoder_parent", "action",       "protocol",  "srcip",
                                   "srcport",        "srcuser",      "dstip",     "dstport",
                                   "dstuser",        "location",     "full_log",  "previous_output",
                                   "hostname",       "program_name", "status",    "url",
                                   "data",           "systemname",   "extra.one", "decoder_desc",
                                   "agent_name",     "timestamp",    "logfile"});
    CHECK(keys_of(json["rule"]) == std::vector<std::string>{"level", "comment", "sidid", "cve",
                                                            "info", "frequency", "firedtimes",
                                                            "group", "groups", "PCI_DSS", "CIS"});
    CHECK(json["rule"]["groups"] == Json{"sshd"});
    CHECK(json["rule"]["PCI_DSS"] == Json{"10.2.4", "10.2.5"});
    CHECK(json["rule"]["CIS"] == Json{"5.2"});
    CHECK(json["previous_output"] == "second");
    CHECK(json["id"] == "1795511134.1");

    alert.location = "(web) 10.0.0.2->/var/log/auth.log";
    const Json of_agent = Json::parse(alert_as_json(alert));
    CHECK(of_agent["agent_name"] == "web");
    CHECK(of_agent["agentip"] == "10.0.0.2");
    CHECK(of_agent["logfile"] == "/var/log/auth.log");
}

TEST_CASE("record_formats: archives hold every event, with its alert if there is one") {
    use_utc();
    event::Event event;
    event.reset("Nov 14 18:09:12 host sshd[1]: text", "/var/log/auth.log",
                base::Timestamp(std::chrono::seconds(1'795'511'134)));
    event.hostname = "host";
    event.program_name = "sshd";
    event.decoder_name = "sshd";
    event.set_field(FieldId::SrcIp, "1.2.3.4");
    event.set_field(FieldId::Id, "42");
    event.set_dynamic("colour", "red");
    CHECK(event_as_text(event, nullptr) ==
          "2026 Nov 24 09:05:34 host->/var/log/auth.log Nov 14 18:09:12 host sshd[1]: text\n");

    const Json alone = Json::parse(event_as_json(event, nullptr));
    CHECK(keys_of(alone) == std::vector<std::string>{"program_name", "log", "srcip", "id", "colour",
                                                     "decoder", "full_log", "timestamp",
                                                     "agent_name", "logfile"});
    event.fts = event::FtsParts();
    event.accumulates = true;
    const Alert alert = sample();
    const Json with_alert = Json::parse(event_as_json(event, &alert));
    CHECK(with_alert["rule"]["sidid"] == 5716);
    CHECK(with_alert["decoder"] == Json{{"fts", 1}, {"accumulate", 1}, {"name", "sshd"}});
}
