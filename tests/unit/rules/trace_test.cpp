#include "tests/unit/rules/rules_fixture.hpp"

namespace {

using namespace portcullis;
using namespace portcullis::rules;
using event::FieldId;

TEST_CASE("trace: the first condition that fails is named, with what it saw") {
    Engine engine(load_group(R"(
        <rule id="100" level="1"><decoded_as>gate</decoded_as><match>denied</match>
          <regex>by \w+</regex><regex> with</regex><srcip>192.0.2.1</srcip><srcip>10.0.0.0/8</srcip></rule>
        <rule id="101" level="1"><field name="zone">^inner</field></rule>
        <rule id="102" level="1" maxsize="100"><match>denied</match></rule>
        <rule id="103" level="1"><user>root</user></rule>)"));
    REQUIRE(engine.process({.log = "denied by hand with no address"}) == 0);

    const Mismatch by_address = engine.mismatch(100);
    REQUIRE(by_address.what == Mismatch::What::Condition);
    const Condition& address = engine.rules().find(100)->conditions.at(by_address.condition);
    CHECK(address.element == "srcip");
    CHECK(address.demand == "192.0.2.1, 10.0.0.0/8");
    CHECK(value_text(address, engine.event()) == std::nullopt);

    const Condition& regex = engine.rules().find(100)->conditions.at(1);
    CHECK(regex.element == "regex");
    CHECK(regex.demand == "by \\w+ with");
    REQUIRE(pattern_of(regex) != nullptr);
    CHECK(value_text(regex, engine.event()) == "denied by hand with no address");

    const Mismatch by_field = engine.mismatch(101);
    REQUIRE(by_field.what == Mismatch::What::Condition);
    CHECK(engine.rules().find(101)->conditions.at(by_field.condition).element ==
          "field name=\"zone\"");
    CHECK(engine.mismatch(102).what == Mismatch::What::Size);
    CHECK(engine.mismatch(103).what == Mismatch::What::Condition);

    engine.process({.log = "denied", .fields = {{FieldId::DstUser, "bob"}}, .decoder_id = 0});
    CHECK(engine.mismatch(100).what == Mismatch::What::DecodedAs);
    CHECK(engine.rules().find(100)->decoded_as == "gate");
    CHECK(value_text(engine.rules().find(103)->conditions.at(0), engine.event()) == "bob");
}

TEST_CASE("trace: a composite rule says how many events counted and why others did not") {
    Engine engine(load_group(R"(
        <rule id="100" level="5"><match>denied</match></rule>
        <rule id="101" level="10" frequency="2" timeframe="60">
          <if_matched_sid>100</if_matched_sid><same_source_ip /></rule>)"));
    const auto denied = [&](std::string_view from, int second) {
        return engine.process({.fields = {{FieldId::SrcIp, from}}, .second = second});
    };
    CHECK(denied("192.0.2.1", 0) == 100);
    CHECK(engine.mismatch(101).search.seen == 0);
    CHECK(denied("192.0.2.2", 1) == 100);
    CHECK(denied("192.0.2.1", 2) == 100);
    Mismatch mismatch = engine.mismatch(101);
    CHECK(mismatch.what == Mismatch::What::EarlierEvents);
    CHECK(mismatch.search.end == SearchReport::End::Exhausted);
    CHECK(mismatch.search.seen == 2);
    CHECK(mismatch.search.counted == 1);
    CHECK(mismatch.search.differing[static_cast<std::size_t>(Shared::SrcIp)] == 1);

    CHECK(denied("192.0.2.1", 3) == 100);
    CHECK(denied("192.0.2.1", 4) == 101);
    CHECK(engine.mismatch(101).what == Mismatch::What::Nothing);
    CHECK(engine.mismatch(101).search.end == SearchReport::End::Fired);
    CHECK(denied("192.0.2.1", 5) == 100);
    CHECK(engine.mismatch(101).search.end == SearchReport::End::UsedUp);
    CHECK(denied("192.0.2.1", 500) == 100);
    CHECK(engine.mismatch(101).search.end == SearchReport::End::TooOld);
}

TEST_CASE("trace: the path to each node leads from its root through its parents") {
    const RuleSet rules = load_group(R"(
        <rule id="100" level="5"><match>a</match></rule>
        <rule id="101" level="5"><match>b</match></rule>
        <rule id="102" level="5"><if_sid>100, 101</if_sid><match>c</match></rule>
        <rule id="103" level="5"><if_sid>102</if_sid><match>d</match></rule>)");
    std::vector<std::vector<int>> paths;
    for (std::uint32_t node = 0; node < rules.nodes().size(); ++node) {
        if (rules.rules()[rules.nodes()[node].rule].id == 103) {
            std::vector<int> ids;
            for (const std::uint32_t step : rules.path_to(node)) {
                ids.push_back(rules.rules()[rules.nodes()[step].rule].id);
            }
            paths.push_back(ids);
        }
    }
    CHECK(paths == std::vector<std::vector<int>>{{1, 100, 102, 103}, {1, 101, 102, 103}});
}

TEST_CASE("rule_set: what a rule lacks can be asked wherever it hangs, without a change of state") {
    Engine engine(load_group(R"(
        <rule id="100" level="5"><match>denied</match></rule>
        <rule id="101" level="4"><match>denied</match><check_diff /><hostname>vault</hostname></rule>
        <rule id="102" level="4"><match>denied</match><if_fts /></rule>)"));
    REQUIRE(engine.process({}) == 100);
    const auto mismatch_of = [&](int id) {
        return engine.rules().find_mismatch(*engine.rules().find(id), engine.event(),
                                            engine.scratch(), engine.correlator());
    };
    CHECK(mismatch_of(101).what == Mismatch::What::Condition);
    CHECK(engine.rules().find(101)->conditions.at(mismatch_of(101).condition).element ==
          "hostname");
    CHECK(mismatch_of(102).what == Mismatch::What::Nothing);
}

}  // namespace
