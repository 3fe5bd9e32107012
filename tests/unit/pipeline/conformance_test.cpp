// The recorded decisions of OSSEC 4.3 (conformance/ossec) against the Analyzer.
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "engine/alert/record_formats.hpp"
#include "engine/event/event.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/analysis.hpp"
#include "tests/support/conformance.hpp"

namespace {

using namespace portcullis;
using nlohmann::json;

constexpr base::Timestamp kStart{std::chrono::seconds(1'795'510'794)};

std::shared_ptr<const pipeline::AnalyzerConfig> load_stock(const std::string& list) {
    const auto folder = test::conformance_path("ossec/ruleset");
    std::vector<test::XmlSource> rule_files;
    for (const std::string& name :
         test::read_lines(test::conformance_path("ossec/include-" + list + ".txt"))) {
        if (!name.empty()) {
            rule_files.push_back({name, test::read_file(folder / "rules" / name)});
        }
    }
    base::Diagnostics diagnostics;
    auto configuration = test::make_analysis(
        {{"decoder.xml", test::read_file(folder / "decoder.xml")}}, rule_files, diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(configuration != nullptr);
    return configuration;
}

std::vector<json> read_cases(const std::string& name) {
    auto cases = test::read_ossec_cases(name);
    REQUIRE(cases.size() > 1000);
    return cases;
}

json or_null(std::optional<std::string_view> text) {
    return text ? json(std::string(*text)) : json(nullptr);
}

// A record of alerts.log without what differs from run to run:
// "** Alert 1.1: - groups\n2026 Nov 24 09:05:34 host->stdin\n…"
std::string without_times(std::string record) {
    constexpr std::string_view kMark = "** Alert ";
    constexpr std::size_t kTime = 21;
    record.erase(kMark.size(), record.find(':') - kMark.size());
    const std::size_t second = record.find('\n') + 1;
    record.erase(second, kTime);
    // Some recordings end with output of OSSEC's logtest about later lines.
    record.resize(std::min(record.find("\n**ACCUMULATOR"), record.size()));
    // What is cut at 1256 bytes may end in the middle of a character.
    return json::parse(json(record).dump(-1, ' ', false, json::error_handler_t::replace));
}

json outcome_json(const pipeline::Outcome& outcome) {
    const event::Event& event = *outcome.event;
    json fields = json::object();
    for (const event::DecodedField& field : event.decoded()) {
        fields[std::string(field.label)] = std::string(field.value);
    }
    const rules::Rule* rule = outcome.rule;
    return {
        {"hostname", or_null(event.hostname)},
        {"program_name", or_null(event.program_name)},
        {"log", std::string(event.log)},
        {"decoder",
         event.decoder_name.empty() ? json(nullptr) : json(std::string(event.decoder_name))},
        {"fields", fields},
        {"rule", rule != nullptr ? json(rule->id) : json(nullptr)},
        {"level", rule != nullptr ? json(rule->level) : json(nullptr)},
        {"alert", outcome.is_logged()},
        {"mail", outcome.is_logged() && outcome.alert->mail},
        {"record", outcome.is_logged() ? json(without_times(alert::alert_as_text(*outcome.alert)))
                                       : json(nullptr)}};
}

json expected_json(const json& expected) {
    const json& full = expected["full_event_fields"];
    return {{"hostname", full["hostname"]},
            {"program_name", full["program_name"]},
            {"log", full["log"]},
            {"decoder", expected["decoder"]},
            {"fields", expected["fields"]},
            {"rule", expected["rule"]},
            {"level", expected["level"]},
            {"alert", expected["alert"]},
            {"mail", expected.value("mail", false)},
            {"record", expected.contains("alert_text")
                           ? json(without_times(expected["alert_text"].get<std::string>()))
                           : json(nullptr)}};
}

struct Tally {
    int right = 0;
    int all = 0;
    std::string wrong;

    void compare(const std::string& log, const json& expected, const json& actual) {
        ++all;
        if (expected == actual) {
            ++right;
            return;
        }
        if (all - right > 15) {
            return;
        }
        wrong += log + "\n";
        for (const auto& [key, value] : expected.items()) {
            if (actual[key] != value) {
                wrong +=
                    "  " + key + ": expected " + value.dump() + ", is " + actual[key].dump() + "\n";
            }
        }
    }
};

void check_cases(const std::string& list, const std::string& mode) {
    rules::MemoryStateStore store;
    pipeline::AnalyzerOptions options;
    options.local_hostname = "oraclehost";
    pipeline::Analyzer analyzer(load_stock(list), options, store);
    std::string source;
    Tally tally;
    for (const json& expected : read_cases(list + "." + mode + ".jsonl")) {
        if (mode == "isolated" || source != expected["source"]) {
            analyzer.reset_state();
            store.clear();
            source = expected["source"];
        }
        const auto log = expected["log"].get<std::string>();
        const pipeline::Outcome& outcome = analyzer.process(log, "stdin", kStart);
        json actual = outcome_json(outcome);
        const json wanted = expected_json(expected);
        // Plugin decoders set fields that OSSEC's logtest does not print.
        if (wanted["fields"].empty()) {
            actual["fields"] = wanted["fields"];
        }
        tally.compare(log, wanted, actual);
    }
    INFO(tally.wrong);
    CHECK(tally.right == tally.all);
}

TEST_CASE("conformance: stock rules, each line in a fresh engine") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    check_cases("stock", "isolated");
}

TEST_CASE("conformance: stock rules, the lines of a source as a stream") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    check_cases("stock", "stream");
}

TEST_CASE("conformance: all rules, each line in a fresh engine") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    check_cases("full", "isolated");
}

TEST_CASE("conformance: all rules, the lines of a source as a stream") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    check_cases("full", "stream");
}

void check_traces(const std::string& list) {
    rules::MemoryStateStore store;
    pipeline::AnalyzerOptions options;
    options.local_hostname = "oraclehost";
    pipeline::Analyzer analyzer(load_stock(list), options, store);
    rules::Trace trace;
    Tally tally;
    for (const json& expected : read_cases(list + ".trace.jsonl")) {
        analyzer.reset_state();
        store.clear();
        const auto log = expected["log"].get<std::string>();
        analyzer.process(log, "stdin", kStart, &trace);
        json tried = json::array();
        for (const rules::Trace::Step& step : trace.steps) {
            if (step.what == rules::Trace::What::Tried) {
                tried.push_back(step.rule->id);
            } else if (step.what == rules::Trace::What::Matched) {
                tried.push_back(-step.rule->id);
            }
        }
        tally.compare(log, {{"tried", expected["tried"]}}, {{"tried", tried}});
    }
    INFO(tally.wrong);
    CHECK(tally.right == tally.all);
}

TEST_CASE("conformance: stock rules are tried in the recorded order") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    check_traces("stock");
}

TEST_CASE("conformance: all rules are tried in the recorded order") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    check_traces("full");
}

TEST_CASE("conformance: the published recipe decodes 17 lines and alerts on the 11 scans") {
    SKIP_WITHOUT_CONFORMANCE_DATA();
    base::Diagnostics diagnostics;
    const auto configuration = test::make_analysis(
        {{"decoders.xml", test::read_file(test::conformance_path("published/decoders.xml"))}},
        {{"rules.xml", test::read_file(test::conformance_path("published/rules.xml"))}},
        diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(configuration != nullptr);
    rules::MemoryStateStore store;
    pipeline::Analyzer analyzer(configuration, {}, store);
    std::map<std::string, int> decoded;
    int alerts = 0;
    int lines = 0;
    for (const std::string& line :
         test::read_lines(test::conformance_path("published/lines.log"))) {
        const pipeline::Outcome& outcome = analyzer.process(line, "stdin", kStart);
        ++lines;
        if (!outcome.event->decoder_name.empty()) {
            ++decoded[std::string(outcome.event->decoder_name)];
        }
        if (outcome.rule != nullptr) {
            CHECK(outcome.rule->id == 99990);
            CHECK(outcome.event->decoder_name == "iplog-scan");
            CHECK(outcome.is_logged());
            ++alerts;
        }
    }
    CHECK(lines == 85);
    CHECK(alerts == 11);
    CHECK(decoded == std::map<std::string, int>{{"iplog-scan", 11},
                                                {"iplog-flood", 2},
                                                {"iplog-pingflood", 2},
                                                {"iplog-bogustcp", 2}});
}

}  // namespace
