#include "tests/unit/rules/rules_fixture.hpp"

namespace portcullis::rules {
namespace {

// Ids tried for the log "nothing", which no rule with <match>x</match> takes, behind the root.
std::vector<int> order_of(const std::string& body) {
    Engine engine(load_group(body));
    engine.process({.log = "nothing"});
    std::vector<int> tried = engine.tried();
    REQUIRE(tried.front() == 1);
    tried.erase(tried.begin());
    return tried;
}

std::string rule(int id, const std::string& attributes, const std::string& elements) {
    return "<rule id=\"" + std::to_string(id) + "\" " + attributes + ">" + elements + "</rule>";
}

TEST_CASE("rule_tree: siblings are tried level 0 first, then by descending level, then as loaded") {
    struct Row {
        std::vector<std::string> attributes;  // of rules 100, 101, …
        std::vector<int> order;
    };
    const std::vector<Row> rows{
        {{"level=\"5\"", "level=\"5\"", "level=\"7\"", "level=\"0\""}, {103, 102, 100, 101}},
        {{"level=\"0\"", "level=\"0\"", "level=\"15\""}, {100, 101, 102}},
        {{"level=\"9\" accuracy=\"0\"", "level=\"2\"", "level=\"0\""}, {102, 101, 100}},
    };
    for (const Row& row : rows) {
        std::string body;
        int id = 100;
        for (const std::string& attributes : row.attributes) {
            body += rule(id++, attributes, "<match>x</match>");
        }
        CAPTURE(body);
        CHECK(order_of(body) == row.order);
    }
}

TEST_CASE("rule_tree: a matching rule ends the search among its siblings, its children refine it") {
    Engine engine(load_group(rule(100, "level=\"9\"", "<match>denied</match>") +
                             rule(101, "level=\"5\"", "<match>denied</match>") +
                             rule(102, "level=\"3\"", "<if_sid>100</if_sid><match>odd</match>") +
                             rule(103, "level=\"0\"", "<if_sid>100</if_sid><match>even</match>")));
    CHECK(engine.process({.log = "denied"}) == 100);
    CHECK(engine.tried() == std::vector<int>{1, 100, 103, 102});
    CHECK(engine.process({.log = "denied odd"}) == 102);
    CHECK(engine.process({.log = "denied even odd"}) == 103);
}

TEST_CASE("rule_tree: a noalert rule is never the result, the rules after it are tried") {
    Engine engine(load_group(rule(100, "level=\"9\" noalert=\"1\"", "<match>denied</match>") +
                             rule(101, "level=\"5\"", "<match>denied</match>") +
                             rule(102, "level=\"3\"", "<if_sid>100</if_sid><match>odd</match>")));
    CHECK(engine.process({.log = "denied"}) == 101);
    CHECK(engine.process({.log = "denied odd"}) == 102);
}

TEST_CASE("rule_tree: if_sid hangs a rule under each of its parents, wherever they stand") {
    Engine engine(
        load_group(rule(100, "level=\"9\"", "<match>one</match>") +
                   rule(101, "level=\"9\"", "<match>two</match>") +
                   rule(102, "level=\"3\"", "<if_sid>100, 101</if_sid><match>both</match>") +
                   rule(103, "level=\"2\"", "<if_sid>102</if_sid><match>deep</match>")));
    CHECK(engine.process({.log = "one both"}) == 102);
    CHECK(engine.process({.log = "two both"}) == 102);
    CHECK(engine.process({.log = "one both deep"}) == 103);
    CHECK(engine.process({.log = "two both deep"}) == 103);
    CHECK(engine.process({.log = "both deep"}) == 0);
}

TEST_CASE("rule_tree: if_level hangs a rule under that level, higher ones and level 0") {
    CHECK(order_of(rule(100, "level=\"5\"", "<match>x</match>") +
                   rule(101, "level=\"9\" noalert=\"1\"", "<match>nothing</match>") +
                   rule(102, "level=\"1\"", "<if_level>7</if_level><match>x</match>")) ==
          std::vector<int>{101, 102, 100, 102});
}

TEST_CASE("rule_tree: if_group finds its word anywhere in a group string") {
    Engine engine(load_group(
        rule(100, "level=\"5\"", "<match>a</match><group>sshd,</group>") +
        rule(101, "level=\"5\"", "<match>b</match><group>authentication_failed,</group>") +
        rule(102, "level=\"3\"", "<if_group>ssh|auth</if_group>")));
    CHECK(engine.process({.log = "a"}) == 102);
    CHECK(engine.process({.log = "b"}) == 102);
}

TEST_CASE("rule_tree: a rule hangs under the root of its category and sees only such events") {
    Engine engine(load_group(rule(100, "level=\"5\"", "<category>ids</category>") +
                             rule(101, "level=\"5\"", "<match>x</match>") +
                             rule(102, "level=\"6\"", "<if_sid>100</if_sid><match>sub</match>")));
    CHECK(engine.process({.log = "x sub", .type = event::EventType::Ids}) == 102);
    CHECK(engine.process({.log = "x sub"}) == 101);
    CHECK(engine.process({.log = "x", .type = event::EventType::HostInformation}) == 0);
}

TEST_CASE("rule_tree: roots in the files replace the built-in ones") {
    const RuleSet stand_in = load_group(rule(100, "level=\"5\"", "<match>x</match>"));
    REQUIRE(stand_in.find(1) != nullptr);
    CHECK(stand_in.find(1)->noalert);
    CHECK(stand_in.find(7) != nullptr);
    const RuleSet own =
        load_group(rule(9, "level=\"0\" noalert=\"1\"", "<category>syslog</category>") +
                   rule(1, "level=\"0\" noalert=\"1\"", "<category>ids</category>") +
                   rule(100, "level=\"5\"", "<match>x</match>"));
    CHECK(own.find(1)->category == event::EventType::Ids);
    CHECK(own.find(3) == nullptr);
    Engine engine(load_group(rule(9, "level=\"0\" noalert=\"1\"", "<category>syslog</category>") +
                             rule(100, "level=\"5\"", "<match>x</match>")));
    CHECK(engine.process({.log = "x"}) == 100);
    CHECK(engine.tried() == std::vector<int>{9, 100});
}

TEST_CASE("rule_tree: overwrite keeps parents, place and PCRE2 patterns, and takes the rest") {
    const std::string original = rule(100, "level=\"8\"", "<match>x</match><group>old,</group>") +
                                 rule(101, "level=\"9\"", "<match>y</match>") +
                                 rule(102, "level=\"3\"", "<pcre2>origpat</pcre2>");
    Engine engine(
        load_group(original +
                   rule(100, "level=\"10\" overwrite=\"yes\"",
                        "<match>z</match><group>new,</group><description>d</description>") +
                   rule(102, "level=\"3\" overwrite=\"yes\"", "<pcre2>newpat</pcre2>")));
    const Rule* overwritten = engine.rules().find(100);
    CHECK(overwritten->level == 10);
    CHECK(overwritten->group == "test,new,");
    CHECK(engine.process({.log = "z"}) == 100);
    CHECK(engine.process({.log = "x"}) == 0);
    CHECK(engine.tried() == std::vector<int>{1, 101, 100, 102});
    CHECK(engine.process({.log = "origpat"}) == 102);
    CHECK(engine.process({.log = "newpat"}) == 0);
}

TEST_CASE("rule_tree: full_overwrite puts the new rule in the place of the old one") {
    RuleOptions options;
    options.replaces_whole_rules = true;
    Engine engine(load_group(
        rule(100, "level=\"8\"", "<match>x</match><if_fts/>") +
            rule(101, "level=\"9\"", "<match>y</match>") +
            rule(102, "level=\"3\"", "<pcre2>origpat</pcre2>") +
            rule(103, "level=\"2\"", "<if_sid>100</if_sid><match>child</match>") +
            rule(100, "level=\"10\" overwrite=\"yes\"", "<match>z</match>") +
            rule(102, "level=\"4\" overwrite=\"yes\"", "<if_sid>101</if_sid><pcre2>newpat</pcre2>"),
        options));
    CHECK(engine.process({.log = "z"}) == 100);
    CHECK(engine.tried() == std::vector<int>{1, 100, 103});
    CHECK(engine.process({.log = "z child"}) == 103);
    CHECK(engine.process({.log = "y newpat"}) == 102);
    CHECK(engine.process({.log = "y origpat"}) == 101);
}

TEST_CASE("rule_tree: full_overwrite still wants a rule to overwrite, and one rule of an id") {
    RuleOptions options;
    options.replaces_whole_rules = true;
    base::Diagnostics diagnostics;
    load({"<group name=\"g,\">" + rule(100, "level=\"5\" overwrite=\"yes\"", "<match>x</match>") +
          rule(101, "level=\"5\"", "<match>x</match>") +
          rule(101, "level=\"5\"", "<match>x</match>") + "</group>"},
         diagnostics, options);
    REQUIRE(diagnostics.error_count() == 2);
    CHECK(diagnostics.all()[0].code == "unknown-rule");
    CHECK(diagnostics.all()[1].code == "duplicate-rule");
}

TEST_CASE("rule_tree: a tree that grows beyond its limits is an error and stays bounded") {
    // each rule hangs under all before it: the number of nodes doubles
    std::string body;
    for (int id = 100; id < 140; ++id) {
        body += rule(id, "level=\"5\"", "<if_level>1</if_level>");
    }
    base::Diagnostics diagnostics;
    const RuleSet rules = load({"<group name=\"g,\">" + body + "</group>"}, diagnostics);
    REQUIRE(diagnostics.has_errors());
    CHECK(diagnostics.all().front().code == "tree-too-large");
    CHECK(rules.nodes().size() <= 500'000);
}

}  // namespace
}  // namespace portcullis::rules
