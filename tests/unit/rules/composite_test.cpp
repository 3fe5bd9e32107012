#include "tests/unit/rules/rules_fixture.hpp"

namespace portcullis::rules {
namespace {

using event::EventType;
using event::FieldId;

const std::string kGate = R"(
    <rule id="100100" level="5"><decoded_as>gate</decoded_as><match>denied</match>
      <group>deny,</group></rule>)";

// Ids of the results of `count` denials from `address`, one a second from `second` on.
std::vector<int> deny(Engine& engine, int count, std::string_view address = "192.0.2.1",
                      int second = 0) {
    std::vector<int> results;
    for (int i = 0; i < count; ++i) {
        results.push_back(
            engine.process({.fields = {{FieldId::SrcIp, address}}, .second = second + i}));
    }
    return results;
}

TEST_CASE("composite: frequency F fires at event F + 2, and again after F + 2 more") {
    struct Row {
        std::string frequency;
        int period;
    };
    const std::vector<Row> rows{
        {"", 2}, {R"(frequency="0")", 2}, {R"(frequency="2")", 4}, {R"(frequency="3")", 5}};
    for (const Row& row : rows) {
        CAPTURE(row.frequency);
        Engine engine(load_group(kGate + R"(<rule id="100101" level="10" timeframe="60" )" +
                                 row.frequency +
                                 "><if_matched_sid>100100</if_matched_sid></rule>"));
        for (int i = 1; i <= 3 * row.period; ++i) {
            CAPTURE(i);
            CHECK(engine.process({.second = i}) == (i % row.period == 0 ? 100101 : 100100));
        }
    }
}

TEST_CASE("composite: events older than the timeframe do not count, one just as old does") {
    const std::string rules = kGate + R"(<rule id="100101" level="10" frequency="0" timeframe="10">
          <if_matched_sid>100100</if_matched_sid></rule>)";
    Engine at_the_limit(load_group(rules));
    CHECK(at_the_limit.process({.second = 0}) == 100100);
    CHECK(at_the_limit.process({.second = 10}) == 100101);
    Engine beyond(load_group(rules));
    CHECK(beyond.process({.second = 0}) == 100100);
    CHECK(beyond.process({.second = 11}) == 100100);
}

TEST_CASE("composite: same_source_ip counts each address alone, and a firing resets all of them") {
    Engine engine(load_group(kGate + R"(<rule id="100101" level="10" frequency="1" timeframe="60">
        <if_matched_sid>100100</if_matched_sid><same_source_ip /></rule>)"));
    CHECK(deny(engine, 2, "192.0.2.1") == std::vector<int>{100100, 100100});
    CHECK(deny(engine, 2, "192.0.2.2") == std::vector<int>{100100, 100100});
    CHECK(deny(engine, 1, "192.0.2.1") == std::vector<int>{100101});
    // OSSEC-COMPAT: the two denials of the other address are lost (spec: rules, 7.3)
    CHECK(deny(engine, 3, "192.0.2.2") == std::vector<int>{100100, 100100, 100101});
    // without an address nothing is the same
    CHECK(engine.process({}) == 100100);
    CHECK(engine.process({}) == 100100);
    CHECK(engine.process({}) == 100100);
}

TEST_CASE("composite: a group history is fed by the groups that rules had when it was loaded") {
    const std::string composite = R"(<rule id="100101" level="10" timeframe="60">
        <if_matched_group>deny</if_matched_group></rule>)";
    const std::string new_group =
        R"(<rule id="100100" level="5" overwrite="yes"><group>calm,</group></rule>)";
    Engine overwritten_later(load_group(kGate + composite + new_group));
    CHECK(deny(overwritten_later, 2) == std::vector<int>{100100, 100101});
    Engine overwritten_before(
        load_group(kGate + R"(<rule id="100102" level="3"><group>deny,</group></rule>)" +
                   new_group + composite));
    CHECK(deny(overwritten_before, 2) == std::vector<int>{100100, 100100});
}

TEST_CASE("composite: each shared field must be there and equal") {
    struct Row {
        std::string element;
        Line first;
        Line alike;
        Line other;
    };
    const std::vector<Row> rows{
        {"<same_source_ip />",
         {.fields = {{FieldId::SrcIp, "192.0.2.1"}}},
         {.fields = {{FieldId::SrcIp, "192.0.2.1"}}},
         {.fields = {{FieldId::SrcIp, "192.0.2.2"}}}},
        {"<same_src_port />",
         {.fields = {{FieldId::SrcPort, "1"}}},
         {.fields = {{FieldId::SrcPort, "1"}}},
         {.fields = {{FieldId::SrcPort, "2"}}}},
        {"<same_dst_port />",
         {.fields = {{FieldId::DstPort, "1"}}},
         {.fields = {{FieldId::DstPort, "1"}}},
         {}},
        {"<same_id />", {.fields = {{FieldId::Id, "1"}}}, {.fields = {{FieldId::Id, "1"}}}, {}},
        {"<same_user />",
         {.fields = {{FieldId::DstUser, "bob"}}},
         {.fields = {{FieldId::DstUser, "bob"}}},
         {.fields = {{FieldId::SrcUser, "bob"}}}},
        {"<same_location />", {.hostname = "a"}, {.hostname = "a"}, {.hostname = "b"}},
        {"<different_url />",
         {.fields = {{FieldId::Url, "/a"}}},
         {.fields = {{FieldId::Url, "/b"}}},
         {.fields = {{FieldId::Url, "/a"}}}},
        {"<same_user /><not_same_user />",
         {.fields = {{FieldId::DstUser, "bob"}}},
         {},
         {.log = "allowed"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.element);
        const std::string rules = kGate +
                                  R"(<rule id="100101" level="10" timeframe="60">
            <if_matched_sid>100100</if_matched_sid>)" +
                                  row.element + "</rule>";
        Engine alike(load_group(rules));
        CHECK(alike.process(row.first) == 100100);
        CHECK(alike.process(row.alike) == 100101);
        Engine other(load_group(rules));
        CHECK(other.process(row.first) == 100100);
        CHECK(other.process(row.other) != 100101);
    }
}

TEST_CASE("composite: a mark of a higher level stops a lower rule, not the other way round") {
    // 20 fires first and uses the history up; 30 would need two events of its own
    Engine engine(load_group(R"(<rule id="10" level="3"><match>denied</match></rule>
        <rule id="20" level="9" frequency="1" timeframe="60"><if_matched_sid>10</if_matched_sid>
        </rule>
        <rule id="30" level="8" frequency="0" timeframe="60"><if_matched_sid>10</if_matched_sid>
        </rule>)"));
    std::vector<int> results;
    for (int i = 0; i < 6; ++i) {
        results.push_back(engine.process({.second = i}));
    }
    // 10; 30 (10 + this); 10 (30 marked the first one, 20 sees only it); 20 fires: two of 10
    CHECK(results == std::vector<int>{10, 30, 10, 20, 10, 30});
}

TEST_CASE("composite: if_matched_group counts results of that group, also its own") {
    Engine engine(load_group(R"(
        <rule id="10" level="3"><match>one</match><group>deny,</group></rule>
        <rule id="11" level="3"><match>two</match><group>deny,</group></rule>
        <rule id="12" level="3"><match>six</match><group>other,</group></rule>
        <rule id="20" level="9" frequency="0" timeframe="60">
          <if_matched_group>deny</if_matched_group></rule>
        <rule id="13" level="3"><match>later</match><group>deny,</group></rule>)"));
    CHECK(engine.process({.log = "one"}) == 10);
    CHECK(engine.process({.log = "six"}) == 12);  // not of the group: no child of it either
    CHECK(engine.process({.log = "two"}) == 20);
    Engine after(load_group(R"(
        <rule id="10" level="3"><match>one</match><group>deny,</group></rule>
        <rule id="20" level="9" frequency="0" timeframe="60">
          <if_matched_group>deny</if_matched_group></rule>
        <rule id="13" level="3"><match>later</match><group>deny,</group></rule>)"));
    CHECK(after.process({.log = "later"}) == 13);  // loaded after 20: does not feed it
    CHECK(after.process({.log = "one"}) == 10);
}

TEST_CASE("composite: targets of if_matched_sid do not feed if_matched_group") {
    Engine engine(load_group(R"(
        <rule id="10" level="3"><match>one</match><group>deny,</group></rule>
        <rule id="11" level="3"><match>two</match><group>deny,</group></rule>
        <rule id="20" level="9" frequency="0" timeframe="60">
          <if_matched_group>deny</if_matched_group></rule>
        <rule id="21" level="8" frequency="50" timeframe="60">
          <if_matched_sid>10</if_matched_sid></rule>)"));
    CHECK(engine.process({.log = "one"}) == 10);
    CHECK(engine.process({.log = "two"}) == 11);
    CHECK(engine.process({.log = "one"}) == 20);
}

TEST_CASE("composite: if_matched_regex searches all events of the same type") {
    Engine engine(load_group(R"(
        <rule id="10" level="3"><match>denied</match></rule>
        <rule id="20" level="9" frequency="0" timeframe="60"><match>denied</match>
          <if_matched_regex>^denied \d+</if_matched_regex></rule>)"));
    CHECK(engine.process({.log = "denied 1"}) == 10);
    CHECK(engine.process({.log = "denied x"}) == 20);
    Engine types(load_group(R"(
        <rule id="10" level="3"><match>denied</match></rule>
        <rule id="11" level="3"><category>ids</category><match>denied</match></rule>
        <rule id="20" level="9" frequency="0" timeframe="60"><match>denied</match>
          <if_matched_regex>^denied</if_matched_regex></rule>)"));
    CHECK(types.process({.log = "denied 1", .type = EventType::Ids}) == 11);
    CHECK(types.process({.log = "denied 2"}) == 10);
}

TEST_CASE("composite: level 0 results are not remembered") {
    Engine engine(load_group(R"(<rule id="10" level="0"><match>denied</match></rule>
        <rule id="20" level="9" frequency="0" timeframe="60"><if_matched_sid>10</if_matched_sid>
        </rule>)"));
    CHECK(engine.process({}) == 10);
    CHECK(engine.process({}) == 10);
}

TEST_CASE("composite: earlier lines are shown newest first, F + 1 for a sid and F for a group") {
    Engine by_sid(load_group(kGate + R"(<rule id="20" level="9" frequency="1" timeframe="60">
        <if_matched_sid>100100</if_matched_sid></rule>)"));
    CHECK(by_sid.process({.log = "denied 1"}) == 100100);
    CHECK(by_sid.process({.log = "denied 2"}) == 100100);
    CHECK(by_sid.process({.log = "denied 3"}) == 20);
    CHECK(by_sid.previous_lines() == std::vector<std::string>{"denied 2", "denied 1"});
    Engine by_group(load_group(kGate + R"(<rule id="20" level="9" frequency="1" timeframe="60">
        <if_matched_group>deny</if_matched_group></rule>)"));
    CHECK(by_group.process({.log = "denied 1"}) == 100100);
    CHECK(by_group.process({.log = "denied 2"}) == 100100);
    CHECK(by_group.process({.log = "denied 3"}) == 20);
    CHECK(by_group.previous_lines() == std::vector<std::string>{"denied 2"});
}

TEST_CASE("composite: at most eleven earlier lines are shown") {
    Engine engine(load_group(kGate + R"(<rule id="20" level="9" frequency="20" timeframe="60">
        <if_matched_sid>100100</if_matched_sid></rule>)"));
    for (int i = 0; i < 21; ++i) {
        CHECK(engine.process({.second = i}) == 100100);
    }
    CHECK(engine.process({.second = 22}) == 20);
    CHECK(engine.previous_lines().size() == Correlator::kMaxPreviousLines);
}

TEST_CASE("correlator: the memory is bounded and forgets the oldest") {
    Engine engine(load_group(kGate + R"(<rule id="20" level="9" frequency="0" timeframe="99999">
        <if_matched_group>deny</if_matched_group><same_source_ip /></rule>)"));
    deny(engine, 1, "192.0.2.1");
    deny(engine, static_cast<int>(Correlator::kMinMemory), "", 1);
    CHECK(engine.correlator().forgotten() == 1);
    CHECK(deny(engine, 1, "192.0.2.1", 5000) == std::vector<int>{100100});
    const std::string long_line = "denied " + std::string(1 << 20, 'x');
    for (int i = 0; i < 40; ++i) {
        engine.process({.log = long_line, .second = 6000 + i});
    }
    CHECK(engine.correlator().forgotten() > Correlator::kMinMemory);
    CHECK(engine.correlator().remembered_bytes() <= CorrelatorLimits{}.bytes);
    CHECK(engine.correlator().remembered() > 4);
    CHECK(engine.correlator().remembered() < 16);
    // the record of an event counts as well as its text
    engine.correlator().set_limits({.events = 100'000, .bytes = 100'000});
    deny(engine, 10'000, "", 7000);
    CHECK(engine.correlator().remembered_bytes() <= 100'000);
    CHECK(engine.correlator().remembered() < 1'000);
    engine.correlator().set_limits({.bytes = 1});  // one is kept
    deny(engine, 2, "", 30'000);
    CHECK(engine.correlator().remembered() == 1);
    engine.correlator().clear();
    CHECK(engine.correlator().remembered_bytes() == 0);
}

TEST_CASE("correlator: a reload keeps what is remembered by rule id") {
    const std::string composite = R"(<rule id="20" level="9" frequency="1" timeframe="60">
        <if_matched_sid>100100</if_matched_sid></rule>)";
    Engine engine(load_group(kGate + composite));
    CHECK(deny(engine, 2) == std::vector<int>{100100, 100100});
    engine.replace(load_group(R"(<rule id="5" level="0" noalert="1"><description>r</description>
        </rule>)" + kGate + composite));
    CHECK(deny(engine, 1) == std::vector<int>{20});
}

}  // namespace
}  // namespace portcullis::rules
