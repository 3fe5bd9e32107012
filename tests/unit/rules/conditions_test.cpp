#include <algorithm>

#include "engine/rules/key_value_list.hpp"
#include "engine/rules/rule_reader.hpp"
#include "engine/rules/time_window.hpp"
#include "tests/unit/rules/rules_fixture.hpp"

namespace portcullis::rules {
namespace {

using event::EventType;
using event::FieldId;

struct Row {
    std::string elements;
    Line line;
    bool matches;
};

// Line with one field.
Line with(FieldId id, std::string_view value) { return {.fields = {{id, value}}}; }
Line log(std::string_view text) { return {.log = text}; }

void check(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.elements, row.line.log);
        Engine engine(load_group("<rule id=\"100\" level=\"5\">" + row.elements + "</rule>"));
        CHECK((engine.process(row.line) == 100) == row.matches);
    }
}

TEST_CASE("conditions: patterns look at their field, and nothing matches a missing one") {
    check({
        {"<decoded_as>gate</decoded_as>", {}, true},
        {"<decoded_as>gate</decoded_as>", {.decoder_id = 3}, false},
        {"<match>denied|refused</match>", log("was Refused"), true},
        {"<match>^denied</match>", log("was denied"), false},
        {"<match></match>", log("anything"), true},
        {"<match>den</match><match>ied</match>", log("denied"), true},
        {"<regex>port \\d+</regex>", log("port 22"), true},
        {"<regex>port \\d+</regex>", log("port x"), false},
        {"<pcre2>(?-i)Port \\d{2}</pcre2>", log("Port 22"), true},
        {"<match_pcre2>^a.c$</match_pcre2>", log("abc"), true},
        {"<match>a</match><match_pcre2>b</match_pcre2>", log("a"), true},  // the twin is ignored
        {"<regex>a</regex><pcre2>b</pcre2>", log("a"), true},
        {"<program_name>^ssh</program_name>", {.program_name = "sshd"}, true},
        {"<program_name>^ssh</program_name>", {}, false},
        {"<program_name_pcre2>^ssh</program_name_pcre2>", {.program_name = "sshd"}, true},
        {"<hostname>web</hostname>", {.hostname = "web1"}, true},
        {"<hostname>web</hostname>", {.hostname = "db1"}, false},
        {"<id>^5</id>", with(FieldId::Id, "529"), true},
        {"<id>^5</id>", {}, false},
        {"<srcport>^80$</srcport>", with(FieldId::SrcPort, "80"), true},
        {"<srcport>^80$</srcport>", with(FieldId::SrcPort, "8080"), false},
        {"<dstport_pcre2>^80$</dstport_pcre2>", with(FieldId::DstPort, "80"), true},
        {"<url>/a</url><url_pcre2>b$</url_pcre2>", with(FieldId::Url, "/ab"), true},
        {"<url>/a</url><url_pcre2>b$</url_pcre2>", with(FieldId::Url, "/ac"), false},  // both count
        {"<status>^40</status>", with(FieldId::Status, "404"), true},
        {"<extra_data>x</extra_data>", with(FieldId::ExtraData, "xyz"), true},
        {"<action>DROP</action>", with(FieldId::Action, "DROP"), true},
        {"<action>DROP</action>", with(FieldId::Action, "drop"), false},
        {"<user>bob</user>", with(FieldId::SrcUser, "bob"), true},
        {"<user>bob</user>",
         {.fields = {{FieldId::DstUser, "eve"}, {FieldId::SrcUser, "bob"}}},
         false},
        {"<srcgeoip>DE</srcgeoip>", {}, false},
        {"<compiled_rule>check_id_size</compiled_rule>", with(FieldId::Id, "1234567890"), true},
        {"<compiled_rule>check_id_size</compiled_rule>", with(FieldId::Id, "123"), false},
        {"<compiled_rule>is_simple_http_request</compiled_rule>", with(FieldId::Url, "/a"), true},
        {"<compiled_rule>is_simple_http_request</compiled_rule>", with(FieldId::Url, "/a?b"),
         false},
        {"<compiled_rule>comp_mswin_targetuser_calleruser_diff</compiled_rule>",
         log("Target Account Name: bob  Caller User Name: eve"), true},
        {"<compiled_rule>comp_mswin_targetuser_calleruser_diff</compiled_rule>",
         log("Target Account Name: bob  Caller User Name: bob"), false},
    });
}

TEST_CASE("conditions: maxsize is the least length of the log") {
    Engine engine(load_group("<rule id=\"100\" level=\"5\" maxsize=\"5\"><match>a</match></rule>"));
    CHECK(engine.process(log("aaaa")) == 0);
    CHECK(engine.process(log("aaaaa")) == 100);
}

TEST_CASE("conditions: address lists are decided by the first entry that covers the address") {
    const auto source = [](std::string_view value) { return with(FieldId::SrcIp, value); };
    check({
        {"<srcip>192.0.2.0/24</srcip>", source("192.0.2.77"), true},
        {"<srcip>192.0.2.0/24</srcip>", source("192.0.3.77"), false},
        {"<srcip>192.0.2.1</srcip><srcip>2001:db8::/32</srcip>", source("2001:db8::5"), true},
        {"<srcip>!192.0.2.1</srcip>", source("192.0.2.2"), true},
        {"<srcip>!192.0.2.1</srcip>", source("192.0.2.1"), false},
        {"<srcip>!192.0.2.1</srcip><srcip>192.0.2.0/24</srcip>", source("192.0.2.2"), true},
        {"<srcip>!192.0.2.1</srcip><srcip>192.0.2.0/24</srcip>", source("192.0.9.2"), false},
        {"<srcip>any</srcip>", source("::1"), true},
        {"<srcip>0.0.0.0/0</srcip>", source("::1"), true},
        {"<srcip>192.0.2.1</srcip>", source("::ffff:192.0.2.1"), true},
        {"<srcip>1.2.0.3</srcip>", source("1.2.3"), true},
        {"<srcip>!192.0.2.1</srcip>", source("mail.example.org"), false},
        {"<srcip>any</srcip>", source("mail.example.org"), false},
        {"<srcip>any</srcip>", source(""), false},
        {"<srcip>any</srcip>", {}, false},
        {"<dstip>10.0.0.0/8</dstip>", with(FieldId::DstIp, "10.1.2.3"), true},
    });
}

TEST_CASE("conditions: field looks at a dynamic field, its name in any case") {
    Engine engine(
        load_group(R"(<rule id="100" level="5"><field name="Kind">^syn$</field></rule>)"));
    engine.prepare({}).set_dynamic("kind", "syn");
    const auto evaluate = [&] {
        return engine.rules().evaluate(engine.event(), engine.scratch(), engine.correlator(),
                                       nullptr);
    };
    REQUIRE(evaluate() != nullptr);
    engine.prepare({}).set_dynamic("kind", "fin");
    CHECK(evaluate() == nullptr);
    engine.prepare({});
    CHECK(evaluate() == nullptr);
}

TEST_CASE("conditions: if_fts matches once for each key of the fields that fts selects") {
    Engine engine(load_group(R"(<rule id="100" level="5"><if_fts /></rule>)"));
    const auto is_new = [&](std::string_view user, std::string_view address) {
        event::Event& event =
            engine.prepare({.fields = {{FieldId::DstUser, user}, {FieldId::SrcIp, address}}});
        event.fts = event::FtsParts().set(static_cast<std::size_t>(event::FtsPart::DstUser));
        return engine.rules().evaluate(event, engine.scratch(), engine.correlator(), nullptr) !=
               nullptr;
    };
    CHECK(is_new("bob", "192.0.2.1"));
    CHECK_FALSE(is_new("bob", "192.0.2.2"));
    CHECK(is_new("eve", "192.0.2.1"));
    engine.prepare({});  // a decoder without fts
    CHECK(engine.rules().evaluate(engine.event(), engine.scratch(), engine.correlator(), nullptr) ==
          nullptr);
}

TEST_CASE("conditions: from the fifth similar key on an ids event is known") {
    Engine engine(
        load_group(R"(<rule id="100" level="5"><category>ids</category><if_fts /></rule>)"));
    std::vector<bool> results;
    for (const std::string_view id : {"1:1000:1", "1:1000:2", "1:1000:3", "1:1000:4", "1:1000:5"}) {
        event::Event& event =
            engine.prepare({.fields = {{FieldId::Id, id}}, .type = EventType::Ids});
        event.decoder_name = "sensor-with-a-long-name";
        event.fts = event::FtsParts().set(static_cast<std::size_t>(event::FtsPart::Id));
        results.push_back(engine.rules().evaluate(event, engine.scratch(), engine.correlator(),
                                                  nullptr) != nullptr);
    }
    CHECK(results == std::vector<bool>{true, true, true, true, false});
}

TEST_CASE("conditions: check_diff matches when the log of a host changes") {
    Engine engine(load_group(R"(<rule id="100" level="5"><check_diff /></rule>)"));
    CHECK(engine.process({.log = "ports: 22"}) == 0);
    CHECK(engine.process({.log = "ports: 22"}) == 0);
    CHECK(engine.process({.log = "ports: 23", .hostname = "other"}) == 0);
    CHECK(engine.process({.log = "ports: 22 80"}) == 100);
    CHECK(engine.correlator().previous_output() == std::optional<std::string>("ports: 22"));
    CHECK(engine.process({.log = "ports: 22 80"}) == 0);
}

TEST_CASE("conditions: is_valid_crawler knows networks, and only the names that were looked up") {
    struct Told final : CrawlerNames {
        bool look_up_crawler(const base::IpAddress& address) override {
            asked.push_back(address.to_string());
            return address.to_string() == "192.0.2.1";
        }
        std::vector<std::string> asked;
    };
    Engine engine(load_group(R"(<rule id="100" level="5">
        <compiled_rule>is_valid_crawler</compiled_rule></rule>)"));
    CHECK(engine.process({.log = "66.249.1.1 GET /"}) == 0);
    CHECK(engine.process({.log = "72.14.1.1 GET /"}) == 100);
    Told told;
    engine.correlator().set_crawler_names(&told);
    CHECK(engine.process({.log = "72.14.1.1 GET /"}) == 100);
    CHECK(told.asked.empty());
    CHECK(engine.process({.log = "192.0.2.1 GET /"}) == 100);
    CHECK(engine.process({.log = "192.0.2.2 GET /"}) == 0);
    CHECK(engine.process(
              {.log = "192.0.2.2 GET /", .fields = {{event::FieldId::SrcIp, "192.0.2.1"}}}) == 100);
    CHECK(engine.process({.log = "no address"}) == 0);
    CHECK(told.asked == std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.1"});
}

TEST_CASE("conditions: lists are looked up by key, value and address prefix") {
    RuleOptions options;
    options.find_list = [](std::string_view path) -> std::shared_ptr<const KeyValueList> {
        if (path != "rules/hosts") {
            return nullptr;
        }
        return std::make_shared<const KeyValueList>(KeyValueList::parse(
            "192.0.2.1:bad\n10.0.:good ### ours\nno colon\n192.0.2.1:second wins not\n"));
    };
    struct ListRow {
        std::string attributes;
        std::string_view address;
        bool matches;
    };
    const std::vector<ListRow> rows{
        {R"(field="srcip")", "192.0.2.1", true},
        {R"(field="srcip")", "192.0.2.2", false},
        {R"(field="srcip" lookup="not_match_key")", "192.0.2.2", true},
        {R"(field="srcip" lookup="match_key_value" check_value="^bad")", "192.0.2.1", true},
        {R"(field="srcip" lookup="match_key_value" check_value="^good")", "192.0.2.1", false},
        {R"(field="srcip" lookup="address_match_key")", "10.0.7.1", true},
        {R"(field="srcip" lookup="address_match_key")", "10.1.7.1", false},
        {R"(field="srcip" lookup="not_address_match_key")", "10.1.7.1", true},
        {R"(field="srcip" lookup="address_match_key_value" check_value="good")", "10.0.7.1", true},
        {R"(field="srcport")", "192.0.2.1", false},
    };
    for (const ListRow& row : rows) {
        CAPTURE(row.attributes, row.address);
        Engine engine(load_group(
            "<rule id=\"100\" level=\"5\"><list " + row.attributes + ">rules/hosts</list></rule>",
            options));
        CHECK((engine.process(with(FieldId::SrcIp, row.address)) == 100) == row.matches);
    }
    Engine unknown(load_group(
        R"(<rule id="100" level="5"><list field="srcip">rules/none</list></rule>)", options));
    CHECK(unknown.process(with(FieldId::SrcIp, "192.0.2.1")) == 0);
}

TEST_CASE("conditions: a negated look-up needs a value and a list") {
    RuleOptions options;
    options.find_list = [](std::string_view path) {
        return path == "rules/hosts"
                   ? std::make_shared<const KeyValueList>(KeyValueList::parse("192.0.2.1:bad\n"))
                   : nullptr;
    };
    const auto result = [&](const std::string& path, const Line& line) {
        return Engine(load_group("<rule id=\"100\" level=\"5\"><list field=\"srcip\" "
                                 "lookup=\"not_match_key\">" +
                                     path + "</list></rule>",
                                 options))
            .process(line);
    };
    CHECK(result("rules/hosts", with(FieldId::SrcIp, "192.0.2.2")) == 100);
    CHECK(result("rules/hosts", {}) == 0);
    CHECK(result("rules/none", with(FieldId::SrcIp, "192.0.2.2")) == 0);
}

TEST_CASE("conditions: a stateful one is evaluated at its place between the others") {
    const auto result = [](const std::string& before, const std::string& behind) {
        Engine engine(load_group("<rule id=\"100\" level=\"5\">" + before + "<if_fts />" + behind +
                                 "</rule><rule id=\"101\" level=\"5\"><if_fts /></rule>"));
        event::Event& event = engine.prepare({});
        event.fts = event::FtsParts().set(static_cast<std::size_t>(event::FtsPart::Location));
        const Rule* rule =
            engine.rules().evaluate(event, engine.scratch(), engine.correlator(), nullptr);
        return rule == nullptr ? 0 : rule->id;
    };
    CHECK(result("<hostname>host</hostname>", "") == 100);
    CHECK(result("<hostname>other</hostname>", "") == 101);        // rule 100 does not take the key
    CHECK(result("", R"(<list field="srcip">none</list>)") == 0);  // it does: a list comes later
}

TEST_CASE("conditions: an element that is ignored beside its twin is not reported either") {
    for (const std::string place : {"srcgeoip", "dstgeoip"}) {
        base::Diagnostics diagnostics;
        const RuleSet rules =
            load({"<group name=\"test,\"><rule id=\"100\" level=\"5\"><" + place + "_pcre2>DE</" +
                  place + "_pcre2><" + place + ">DE</" + place + "></rule></group>"},
                 diagnostics);
        CHECK(diagnostics.all().size() == 1);
        REQUIRE(rules.find(100)->conditions.size() == 1);
        CHECK(rules.find(100)->conditions.front().name == place);
    }
}

TEST_CASE("conditions: each row of the table has a help text, and a pattern has a subject") {
    const auto rows = condition_rows();
    for (const ConditionRow& row : rows) {
        CAPTURE(row.name);
        CHECK_FALSE(row.help.empty());
        const bool is_geoip = row.name.find("geoip") != std::string_view::npos;
        CHECK((!row.language || is_geoip || row.subject.kind != Subject::Kind::None));
        CHECK((row.ignored_beside.empty() ||
               std::any_of(rows.begin(), rows.end(), [&](const ConditionRow& other) {
                   return other.name == row.ignored_beside;
               })));
        CHECK(row.name.ends_with("pcre2") == (row.language == pattern::Language::Pcre2));
    }
}

TEST_CASE("time_window: both ends belong to it, also with am and pm; over midnight they do not") {
    struct TimeRow {
        std::string_view text;
        int minute;
        bool contains;
    };
    const std::vector<TimeRow> rows{
        {"8:30 - 17", 510, true},     {"8:30 - 17", 1020, true},   {"8:30 - 17", 1021, false},
        {"8:30 - 17", 509, false},    {"9 am - 5 pm", 1020, true}, {"!8 - 17", 600, false},
        {"!8 - 17", 60, true},        {"6 pm - 8 am", 60, true},   {"6 pm - 8 am", 1081, true},
        {"6 pm - 8 am", 1080, false}, {"6 pm - 8 am", 480, false}, {"!6 pm - 8 am", 600, true},
        {"12 am - 1 am", 30, true},   {"12 pm - 1 pm", 750, true},
    };
    for (const TimeRow& row : rows) {
        CAPTURE(row.text, row.minute);
        const auto window = TimeWindow::parse(row.text);
        REQUIRE(window);
        CHECK(window->contains(row.minute) == row.contains);
    }
    for (const std::string_view bad :
         {"", "8", "8 -", "25 - 3", "8:60 - 9", "13 pm - 2 pm", "8 - 9 x", "x"}) {
        CAPTURE(bad);
        CHECK_FALSE(TimeWindow::parse(bad));
    }
}

TEST_CASE("weekdays: names, short names and the two groups, in any case") {
    struct DayRow {
        std::string_view text;
        std::string_view days;  // Sunday first
    };
    const std::vector<DayRow> rows{
        {"monday", ".x....."},   {"Mon,TUE wed", ".xxx..."}, {"weekdays", ".xxxxx."},
        {"weekends", "x.....x"}, {"!weekends", ".xxxxx."},   {"sun, saturday", "x.....x"},
    };
    for (const DayRow& row : rows) {
        CAPTURE(row.text);
        const auto weekdays = Weekdays::parse(row.text);
        REQUIRE(weekdays);
        for (int day = 0; day < 7; ++day) {
            CHECK(weekdays->contains(day) == (row.days[static_cast<std::size_t>(day)] == 'x'));
        }
    }
    for (const std::string_view bad : {"", "!", "mo", "weekday", "monday;tuesday"}) {
        CAPTURE(bad);
        CHECK_FALSE(Weekdays::parse(bad));
    }
}

}  // namespace
}  // namespace portcullis::rules
