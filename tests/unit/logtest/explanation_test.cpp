#include "engine/logtest/explanation.hpp"

#include <nlohmann/json.hpp>

#include "engine/logtest/why_not.hpp"
#include "tests/unit/logtest/logtest_fixture.hpp"

namespace portcullis::logtest {
namespace {

TEST_CASE("explanation: every decoder and rule tried, and what the first one that fails lacks") {
    Bench bench;
    const auto& outcome = bench.process("Nov 14 18:09:12 host gate[1]: denied bob form 192.0.2.1");
    CHECK(explanation_text(bench.analyzer.decoding(), bench.rules(), bench.analyzer.trace(),
                           outcome, bench.scratch) == R"(
**Decoders tried:
    gate (d.xml:1): program_name '^gate$' matches 'gate'
    gate-denied (d.xml:2): prematch '^denied ' matches 'denied '
    gate-denied (d.xml:2): regex does not match; this is how far it gets:
           pattern  ^(\S+) from (\S+)
                            ^
           text     bob form 192.0.2.1
                    ~~~~~^
       *Decoder gate-denied (d.xml:2) takes the event; its name is that of its parent, gate.

**Rules tried:
    1 (built in): matches
      106 (r.xml:10): match 'smoke' does not match 'denied bob form 192.0.2.1'
      100 (r.xml:2): matches
        101 (r.xml:4): needs 2 earlier events of rule 100 within 60 s; 0 of 0 count (frequency="1"), and there are no more
        102 (r.xml:6): user 'root': the event has no such value
        103 (r.xml:7): srcip '10.0.0.0/8': the event has no such value
       *Rule 100 is the result.
)");
}

TEST_CASE("explanation: as an object, with the places in bytes") {
    Bench bench;
    const auto& outcome = bench.process("Nov 14 18:09:12 host gate[1]: deny \xff");
    const nlohmann::json json = nlohmann::json::parse(
        explanation_json(bench.analyzer.decoding(), bench.analyzer.trace(), outcome, bench.scratch)
            .dump());
    const auto& prematch = json["decoders_tried"].at(1);
    CHECK(prematch["decoder"] == "gate-denied");
    CHECK(prematch["step"] == "prematch");
    CHECK(prematch["matched"] == false);
    CHECK(prematch["reach"]["pattern_begin"] == 4);
    CHECK(prematch["reach"]["text_end"] == 3);
    const auto& rule = json["rules_tried"].at(1);
    CHECK(rule["rule"] == 106);
    CHECK(rule["miss"]["condition"] == "match");
    CHECK(rule["miss"]["demand"] == "smoke");
}

TEST_CASE("why_not: each way in which a rule is not the result") {
    struct Row {
        int rule;
        std::vector<std::string_view> lines;  // the last one is asked about
        std::string_view says;
    };
    constexpr std::string_view kRoot = "Nov 14 18:09:12 host gate[1]: denied root from 10.0.0.1";
    const std::vector<Row> rows{
        {100, {kDenied}, "It is the result.\n"},
        {100, {kRoot}, "so does rule 102 (r.xml:6) below it, which is the result"},
        {101, {kDenied, kDenied}, "1 of 1 count (frequency=\"1\"), and there are no more"},
        {102, {kDenied}, "user 'root' does not match 'bob'"},
        {102,
         {"hello there"},
         "Its parent, rule 100 (r.xml:2), does not match: decoded_as 'gate': "
         "no decoder took the event"},
        {103,
         {kRoot},
         "It is not tried: rule 102 (r.xml:6) comes before it (level 7 before level "
         "3, else in the order of the files) and matches, which ends the search among "
         "siblings.\n    Its own conditions on this event hold."},
        {104, {"burnt"}, "noalert keeps it from being a result"},
        {105,
         {kDenied},
         "Only events of type web-log come there; this one is of type syslog "
         "(decoder gate)."},
        {105, {"GET /index"}, "url does not match; this is how far it gets"},
        {106, {"smoke", "smoke"}, "It is the result. Its ignore=\"60\" silences it"},
        {107, {"smoke and fire"}, "It is not tried: rule 106"},
        {107,
         {"smoke"},
         "Its own conditions do not hold either: match does not match; this is how"},
    };
    for (const Row& row : rows) {
        Bench bench;
        const pipeline::Outcome* outcome = nullptr;
        for (const std::string_view line : row.lines) {
            outcome = &bench.process(line);
        }
        const rules::Rule& rule = *bench.rules().find(row.rule);
        const WhyNot why_not = find_why_not(rule, bench.rules(), bench.analyzer.trace(), *outcome,
                                            bench.analyzer.find_mismatch(rule));
        const std::string text =
            why_not_text(why_not, rule, bench.rules(), *outcome, bench.scratch);
        CAPTURE(row.rule, row.lines.back(), text);
        CHECK(text.find(row.says) != std::string::npos);
        CHECK(nlohmann::json::accept(
            why_not_json(why_not, rule, bench.rules(), *outcome, bench.scratch).dump()));
    }
}

}  // namespace
}  // namespace portcullis::logtest
