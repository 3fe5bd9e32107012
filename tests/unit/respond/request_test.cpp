#include "engine/respond/request.hpp"

#include "base/response_message.hpp"

using namespace portcullis;
using namespace portcullis::respond;
using event::FieldId;

namespace {

struct Row {
    const char* what;
    bool expects_user;
    bool expects_srcip;
    bool expects_filename;
    std::vector<std::pair<FieldId, const char*>> fields;
    const char* code;  // nullptr = there is a request
    const char* user;
    const char* srcip;
    const char* filename;
};

alert::Alert alert_of(const Row& row) {
    alert::Alert alert;
    alert.time = base::Timestamp(std::chrono::seconds(1'795'511'134));
    alert.id = 7;
    alert.rule.id = 99990;
    alert.location = "/var/log/iplog";
    for (const auto& [id, value] : row.fields) {
        alert.fields[static_cast<std::size_t>(id)] = value;
    }
    return alert;
}

}  // namespace

TEST_CASE("request: it has the fields that the command expects, or there is none") {
    constexpr auto kIp = FieldId::SrcIp;
    constexpr auto kDst = FieldId::DstUser;
    constexpr auto kSrc = FieldId::SrcUser;
    constexpr auto kFile = FieldId::Filename;
    const Row rows[] = {
        {"nothing expected", false, false, false, {{kIp, "1.2.3.4"}}, nullptr, "-", "-", "-"},
        {"srcip", false, true, false, {{kIp, "1.2.3.4"}}, nullptr, "-", "1.2.3.4", "-"},
        {"IPv6, made canonical",
         false,
         true,
         false,
         {{kIp, "2001:DB8:0:0::1"}},
         nullptr,
         "-",
         "2001:db8::1",
         "-"},
        {"IPv4-mapped",
         false,
         true,
         false,
         {{kIp, "::ffff:1.2.3.4"}},
         nullptr,
         "-",
         "1.2.3.4",
         "-"},
        {"a host name is for execd to refuse",
         false,
         true,
         false,
         {{kIp, "scanner.example"}},
         nullptr,
         "-",
         "scanner.example",
         "-"},
        {"no srcip", false, true, false, {}, "missing-field", "", "", ""},
        {"srcip -", false, true, false, {{kIp, "-"}}, "missing-field", "", "", ""},
        {"crafted srcip",
         false,
         true,
         false,
         {{kIp, "1.2.3.4;reboot"}},
         "crafted-field",
         "",
         "",
         ""},
        {"srcip with a blank",
         false,
         true,
         false,
         {{kIp, "1.2.3.4 5"}},
         "crafted-field",
         "",
         "",
         ""},
        {"dstuser first",
         true,
         false,
         false,
         {{kDst, "root"}, {kSrc, "bob"}},
         nullptr,
         "root",
         "-",
         "-"},
        {"srcuser if dstuser is empty",
         true,
         false,
         false,
         {{kDst, ""}, {kSrc, "bob"}},
         nullptr,
         "bob",
         "-",
         "-"},
        {"srcuser if dstuser is -",
         true,
         false,
         false,
         {{kDst, "-"}, {kSrc, "b.o_b@x?-9"}},
         nullptr,
         "b.o_b@x?-9",
         "-",
         "-"},
        {"no user", true, true, false, {{kIp, "1.2.3.4"}}, "missing-field", "", "", ""},
        {"crafted user", true, false, false, {{kDst, "$(id)"}}, "crafted-field", "", "", ""},
        {"filename",
         false,
         false,
         true,
         {{kFile, "/etc/pass wd"}},
         nullptr,
         "-",
         "-",
         "/etc/pass wd"},
        {"no filename", false, false, true, {}, "missing-field", "", "", ""},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CommandConfig command;
        command.name = "command";
        command.expects_user = row.expects_user;
        command.expects_srcip = row.expects_srcip;
        command.expects_filename = row.expects_filename;
        ActiveResponseConfig response;
        response.timeout = std::chrono::seconds(600);
        const auto request = make_request(alert_of(row), response, command, "/var/log/iplog");
        if (row.code != nullptr) {
            REQUIRE_FALSE(request);
            CHECK(request.error().code == row.code);
            continue;
        }
        REQUIRE(request);
        CHECK(request->command == "command");
        CHECK(request->timeout == std::chrono::seconds(600));
        CHECK(request->user == row.user);
        CHECK(request->srcip == row.srcip);
        CHECK(request->filename == row.filename);
        CHECK(request->alert_id == "1795511134.7");
        CHECK(request->rule_id == 99990);
        CHECK(request->location == "/var/log/iplog");
    }
}

TEST_CASE("request: only blocks that run on this host give one") {
    struct LocationRow {
        ResponseLocation where;
        const char* location;
        bool runs;
    };
    const LocationRow rows[] = {
        {ResponseLocation::Local, "/var/log/iplog", true},
        {ResponseLocation::Local, "(web) 10.0.0.2->/var/log/iplog", false},
        {ResponseLocation::Server, "(web) 10.0.0.2->/var/log/iplog", true},
        {ResponseLocation::DefinedAgent, "/var/log/iplog", false},
        {ResponseLocation::All, "/var/log/iplog", false},
    };
    for (const LocationRow& row : rows) {
        INFO(row.location);
        alert::Alert alert;
        alert.location = row.location;
        ActiveResponseConfig response;
        response.location = row.where;
        const auto request = make_request(alert, response, CommandConfig{}, row.location);
        CHECK(request.has_value() == row.runs);
        CHECK((row.runs || request.error().code == "elsewhere"));
    }
}

TEST_CASE("request: a location of any length and bytes costs no response") {
    alert::Alert alert;
    alert.location = "/var/log/relay|" + std::string(5800, '\xff');
    const auto request =
        make_request(alert, ActiveResponseConfig{}, CommandConfig{}, "/var/log/relay");
    REQUIRE(request);
    CHECK(base::decode_message(base::encode(base::ResponseMessage(*request))));
}

TEST_CASE("request: it has the grade and the time of the evidence, and the options of its block") {
    alert::Alert alert;
    alert.time = base::Timestamp(std::chrono::milliseconds(1'795'511'134'999));
    ActiveResponseConfig response;
    response.timeout = std::chrono::seconds(600);
    const auto ask = [&] {
        return make_request(alert, response, CommandConfig{}, "/var/log/iplog").value();
    };
    // A log line of a program, and a block as OSSEC's.
    CHECK(ask().evidence == base::Evidence::Proven);
    CHECK(ask().evidence_time == 1'795'511'134);
    CHECK(ask().block == base::BlockChoice::Hard);
    CHECK(ask().forgeable_timeout == std::chrono::seconds(0));

    alert.evidence = base::Evidence::Doubtful;
    response.block = base::BlockChoice::Auto;
    response.forgeable_timeout = std::chrono::seconds(120);
    CHECK(ask().evidence == base::Evidence::Doubtful);
    CHECK(ask().block == base::BlockChoice::Auto);
    CHECK(ask().forgeable_timeout == std::chrono::seconds(120));
    CHECK(ask().timeout == std::chrono::seconds(600));
    CHECK(ask().ports == 0);
    for (const auto& [list, count] :
         {std::pair{"21", 1}, {"21,1", 2}, {"1,2,3,4,...", 4}, {"-", 0}}) {
        alert.fields[static_cast<std::size_t>(FieldId::DstPort)] = list;
        CHECK(ask().ports == count);
    }
    alert.fields[static_cast<std::size_t>(FieldId::DstPort)] = "21,1";
    const auto decoded = base::decode_message(base::encode(base::ResponseMessage(ask())));
    REQUIRE(decoded);
    CHECK(std::get<base::RespondRequest>(*decoded).evidence == base::Evidence::Doubtful);
    CHECK(std::get<base::RespondRequest>(*decoded).ports == 2);
    alert.evidence.reset();  // of a service's log: the port is not one that was probed
    CHECK(ask().ports == 0);
}

TEST_CASE("request: <from_file> compares the file that was read, not a text of the line") {
    alert::Alert alert;
    alert.location = "/var/log/iplog";  // as a forwarded alert could claim
    ActiveResponseConfig response;
    response.from_files = {"/var/log/iplog"};
    CHECK(make_request(alert, response, CommandConfig{}, "/var/log/iplog"));
    const auto refused = make_request(alert, response, CommandConfig{}, "/var/log/syslog");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == "other-source");
    CHECK(refused.error().message == "not from /var/log/iplog");
}
