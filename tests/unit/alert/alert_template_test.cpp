#include "engine/alert/alert_template.hpp"

using namespace portcullis;
using namespace portcullis::alert;

namespace {

Alert full_alert() {
    Alert alert;
    alert.time = base::Timestamp(std::chrono::seconds(1'795'511'136));
    alert.id = 2;
    alert.rule = {5403, 4, 0, 1, "First time user executed sudo.", "syslog,sudo", "", {}};
    alert.mail = true;
    alert.hostname = "host";
    alert.location = "/var/log/auth.log";
    alert.full_log = "sudo: bob\nran $RULEID";
    alert.fields[static_cast<std::size_t>(event::FieldId::SrcIp)] = "1.2.3.4";
    alert.fields[static_cast<std::size_t>(event::FieldId::DstUser)] = "bob";
    return alert;
}

struct Row {
    const char* format;
    const char* full;   // of full_alert()
    const char* empty;  // of an alert that has nothing
};
// One row for each word of the specification, and what surrounds them.
constexpr Row kRows[] = {
    {"$TIMESTAMP", "1795511136", "0"},
    {"$FTELL", "2", "0"},
    {"$RULEALERT.", "mail .", "."},
    {"$HOSTNAME", "host", "None"},
    {"$LOCATION", "/var/log/auth.log", "None"},
    {"$RULEID", "5403", "0"},
    {"$RULELEVEL", "4", "0"},
    {"$SRCIP", "1.2.3.4", "None"},
    {"$DSTUSER", "bob", "None"},
    {"$FULLLOG", "sudo: bob\\nran $RULEID", "None"},
    {"$RULECOMMENT", "First time user executed sudo.", "None"},
    {"$RULEGROUP", "syslog,sudo", "None"},
    {"[$RULEID/$RULELEVEL]", "[5403/4]", "[0/0]"},
    {"$RULEIDS", "5403S", "0S"},
    {"$FOO $ruleid $", "$FOO $ruleid $", "$FOO $ruleid $"},
    {"plain", "plain", "plain"},
};

}  // namespace

TEST_CASE("alert_template: each token is replaced once, and a missing value is None") {
    for (const Row& row : kRows) {
        CAPTURE(row.format);
        CHECK(alert_from_template(row.format, full_alert()) == std::string(row.full) + "\n");
        CHECK(alert_from_template(row.format, Alert{}) == std::string(row.empty) + "\n");
    }
}

TEST_CASE("alert_template: words in capitals that are not tokens are found") {
    const auto unknown = unknown_tokens("$RULEID $RULELEVL a$B $ $5 $RULEIDX");
    REQUIRE(unknown.size() == 2);
    CHECK(unknown[0].text == "$RULELEVL");
    CHECK(unknown[0].offset == 8);
    CHECK(unknown[1].text == "$B");
}
