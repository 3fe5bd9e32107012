#include <future>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/alert/record_formats.hpp"
#include "engine/event/event.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/analysis.hpp"

namespace portcullis::pipeline {
namespace {

using event::FieldId;

constexpr std::string_view kDecoders = R"(
<decoder name="gate"><program_name>^gate$</program_name></decoder>
<decoder name="gate-denied"><parent>gate</parent>
  <regex>^denied (\S+) from (\S+)</regex><order>user, srcip</order></decoder>
<decoder name="text"><prematch>^text </prematch>
  <regex offset="after_prematch">^\w+ (\w+)</regex><order>data</order></decoder>
<decoder name="fw"><type>firewall</type><prematch>^fw </prematch>
  <regex offset="after_prematch">^(\w+) (\w+) (\S+) (\S+)</regex>
  <order>action, protocol, srcip, dstip</order></decoder>
<decoder name="fw-short"><type>firewall</type><prematch>^half </prematch>
  <regex offset="after_prematch">^(\w+)</regex><order>action</order></decoder>
<decoder name="ossec"><program_name>^ossec$</program_name>
  <plugin_decoder>OSSECAlert_Decoder</plugin_decoder></decoder>)";

constexpr std::string_view kRules = R"(
<group name="gate,">
  <rule id="100" level="5"><decoded_as>gate</decoded_as><match>denied</match>
    <description>denied</description><info>ask the guard</info></rule>
  <rule id="101" level="9" frequency="1" timeframe="60"><if_matched_sid>100</if_matched_sid>
    <same_source_ip /><description>many</description></rule>
  <rule id="102" level="0"><decoded_as>gate</decoded_as><match>admitted</match></rule>
  <rule id="103" level="4"><category>firewall</category><action>DROP</action></rule>
  <rule id="104" level="4" ignore="60"><match>burnt</match></rule>
  <rule id="105" level="4"><match>secret</match><options>no_log</options></rule>
  <rule id="106" level="4"><match>noise</match><ignore>location</ignore></rule>
  <rule id="107" level="3"><match>echo</match><check_if_ignored>location</check_if_ignored></rule>
  <rule id="108" level="3"><decoded_as>text</decoded_as><match>first</match><ignore>data</ignore></rule>
  <rule id="109" level="3"><decoded_as>text</decoded_as><match>both</match><ignore>data</ignore>
    <check_if_ignored>data</check_if_ignored></rule>
  <rule id="110" level="3"><decoded_as>text</decoded_as><match>alone</match>
    <check_if_ignored>data</check_if_ignored></rule>
</group>)";

std::shared_ptr<const AnalyzerConfig> configuration(std::string_view rules = kRules) {
    base::Diagnostics diagnostics;
    auto made = test::make_analysis({{"decoders.xml", std::string(kDecoders)}},
                                    {{"rules.xml", std::string(rules)}}, diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(made != nullptr);
    return made;
}

base::Timestamp at(int second) { return base::Timestamp(std::chrono::seconds(1'000 + second)); }

struct Bench {
    explicit Bench(AnalyzerOptions options = {}) : analyzer(configuration(), options, store) {}

    const Outcome& process(std::string_view line, int second = 0) {
        return analyzer.process(line, "/var/log/gate", at(second));
    }

    rules::MemoryStateStore store;
    Analyzer analyzer;
};

constexpr std::string_view kDenied = "Nov 14 18:09:12 host gate[1]: denied bob from 192.0.2.1";

TEST_CASE("analyzer: an alert carries the event, the rule and the earlier lines") {
    Bench bench;
    bench.process(kDenied, 0);
    bench.process(kDenied, 1);
    const Outcome& outcome = bench.process(kDenied, 2);
    REQUIRE(outcome.alert);
    const alert::Alert& alert = *outcome.alert;
    CHECK(outcome.rule->id == 101);
    CHECK(alert.rule.id == 101);
    CHECK(alert.rule.level == 9);
    CHECK(alert.rule.frequency == 1);
    CHECK(alert.rule.fired_times == 1);
    CHECK(alert.rule.description == "many");
    CHECK(alert.rule.group == "gate,");
    CHECK(alert.mail);
    CHECK(alert.log);
    CHECK(alert.time == at(2));
    CHECK(alert.hostname == "host");
    CHECK(alert.program_name == "gate");
    CHECK(alert.location == "/var/log/gate");
    CHECK(alert.full_log == kDenied);
    CHECK(alert.decoder_name == "gate");
    CHECK(alert.field(FieldId::SrcIp) == std::optional<std::string>("192.0.2.1"));
    CHECK(alert.field(FieldId::Url) == std::nullopt);
    CHECK(alert.previous_lines == std::vector<std::string>(2, std::string(kDenied)));
    CHECK(bench.analyzer.counters().alerts == 3);
}

TEST_CASE("analyzer: level 0 is a result without an alert, no_log an alert that is not logged") {
    Bench bench;
    const Outcome& quiet = bench.process("Nov 14 18:09:12 host gate[1]: admitted bob");
    REQUIRE(quiet.rule != nullptr);
    CHECK(quiet.rule->id == 102);
    CHECK_FALSE(quiet.alert);
    const Outcome& unlogged = bench.process("secret");
    REQUIRE(unlogged.alert);
    CHECK_FALSE(unlogged.is_logged());
    CHECK(bench.process("nothing at all").rule == nullptr);
}

TEST_CASE("analyzer: ignore silences; live it stamps again, in logtest the next event alerts too") {
    struct Row {
        AnalyzerOptions options;
        std::vector<bool> alerts;
    };
    AnalyzerOptions live;
    live.rearm_ignore_after_alert = true;
    for (const Row& row :
         {Row{{}, {true, false, true, true}}, Row{live, {true, false, true, false}}}) {
        Bench bench(row.options);
        std::vector<bool> alerts;
        for (const int second : {0, 59, 60, 61}) {
            alerts.push_back(bench.process("burnt", second).alert.has_value());
        }
        CHECK(alerts == row.alerts);
    }
}

TEST_CASE("analyzer: check_if_ignored drops what an ignore element remembered, live only") {
    Bench live(live_options("here"));
    CHECK(live.process("echo 1").alert);
    CHECK(live.process("noise").alert);
    CHECK(live.process("echo 2").ignored);
    Bench logtest;
    logtest.process("noise");
    CHECK(logtest.process("echo").alert);
}

TEST_CASE("analyzer: check_if_ignored takes the data only if <ignore> names it") {
    Bench live(live_options("here"));
    CHECK(live.process("text first abc").alert);
    CHECK(live.process("text both abc").ignored);
    CHECK(live.process("text both xyz").alert);
    CHECK(live.process("text both xyz 2").ignored);
    CHECK(live.process("text alone abc").alert);
    CHECK(live.process("text first " + std::string(1'000, 'a')).alert);
    CHECK(live.process("text both " + std::string(1'001, 'a')).ignored);  // keys end at 255 bytes
}

TEST_CASE("analyzer: live, a message equal to one of the last three is dropped") {
    Bench live(live_options("here"));
    for (const std::string_view line : {"one", "two", "three"}) {
        CHECK_FALSE(live.process(line).dropped);
    }
    CHECK(live.process("one").dropped);
    CHECK_FALSE(live.process("four").dropped);  // pushes "one" out
    CHECK_FALSE(live.process("one").dropped);
    CHECK(live.analyzer.counters().dropped == 1);
    Bench logtest;
    logtest.process("one");
    CHECK_FALSE(logtest.process("one").dropped);
}

TEST_CASE("analyzer: live, firewall events get a normal action and must be complete") {
    Bench live(live_options("here"));
    const Outcome& outcome = live.process("fw deny tcp 192.0.2.1 192.0.2.2");
    REQUIRE(outcome.rule != nullptr);
    CHECK(outcome.rule->id == 103);
    CHECK(live.process("fw teardown tcp 192.0.2.1 192.0.2.2").event->field(FieldId::Action) ==
          std::optional<std::string_view>("CLOSED"));
    CHECK(live.process("fw xyzzy tcp 192.0.2.1 192.0.2.2").event->field(FieldId::Action) ==
          std::optional<std::string_view>("UNKNOWN"));
    CHECK(live.process("half deny").dropped);
    Bench logtest;
    CHECK(logtest.process("fw deny tcp 192.0.2.1 192.0.2.2").rule == nullptr);
}

TEST_CASE("analyzer: a replaced configuration decides from the next line on, state stays") {
    Bench bench;
    bench.process(kDenied, 0);
    bench.process(kDenied, 1);
    std::string changed(kRules);
    changed.replace(changed.find("many"), 4, "MANY");
    bench.analyzer.replace(configuration(changed));
    const Outcome& outcome = bench.process(kDenied, 2);
    REQUIRE(outcome.alert);
    CHECK(outcome.alert->rule.description == "MANY");
    CHECK(bench.analyzer.counters().lines == 3);
}

TEST_CASE("analyzer: odd lines are analysed and counted") {
    Bench bench;
    const std::string nul("a\0b", 3);
    bench.process(nul);
    bench.process("\xff\xfe");
    bench.process("");
    bench.process(std::string(64 * 1024, 'x'));
    CHECK(bench.analyzer.counters().lines == 4);
    CHECK(bench.analyzer.counters().lines_with_control_characters == 1);
    CHECK(bench.analyzer.counters().lines_with_invalid_utf8 == 1);
}

TEST_CASE("analyzer: in the steady state a line without an alert allocates nothing") {
    Bench bench;
    const std::string_view lines[] = {"Nov 14 18:09:12 host gate[1]: admitted bob from 192.0.2.1",
                                      "Nov 14 18:09:12 host other[1]: nothing to see", "no header"};
    for (const std::string_view line : lines) {
        bench.process(line);
        bench.process(line);
    }
    const std::uint64_t before = test::allocation_count();
    for (const std::string_view line : lines) {
        bench.process(line);
    }
    CHECK(test::allocation_count() == before);
}

TEST_CASE("analyzer: an alert of another host is one of the rule of that number here") {
    auto with_responses = std::make_shared<AnalyzerConfig>(*configuration());
    with_responses->responses_of_rule.assign(with_responses->rules->rules().size(), {0});
    rules::MemoryStateStore store;
    Analyzer analyzer(with_responses, {}, store);
    const auto forwarded = [&](std::string_view rule) -> const Outcome& {
        return analyzer.process(
            "Nov 14 18:09:12 gate ossec: Alert Level: 12; Rule: " + std::string(rule) +
                " - any; Location: web->/var/log/a; srcip: 192.0.2.1; user: "
                "bob;  denied there",
            "/var/log/fw", at(0));
    };
    const Outcome& outcome = forwarded("105");  // does not match that text itself
    REQUIRE(outcome.alert);
    CHECK(outcome.alert->rule.id == 105);
    CHECK(outcome.alert->rule.level == 4);  // this host's
    CHECK(outcome.alert->full_log == "denied there");
    CHECK(outcome.alert->location == "/var/log/fw|web->/var/log/a");
    CHECK(outcome.alert->field(FieldId::SrcIp) == "192.0.2.1");
    CHECK(outcome.responses.empty());  // a forged line could name any address

    CHECK(forwarded("102").rule->id == 102);
    CHECK_FALSE(forwarded("102").alert);         // level 0
    CHECK(forwarded("999999").rule == nullptr);  // no such rule here
    CHECK(analyzer.process("Nov 14 18:09:12 gate gate: denied bob from 192.0.2.1", "x", at(1))
              .responses.size() == 1);
}

TEST_CASE("analyzer: options of a reload take effect with the next line") {
    Bench bench(live_options("here"));
    CHECK_FALSE(bench.process("fw deny tcp 1.2.3.4 5.6.7.8").dropped);
    CHECK(bench.process("half deny").dropped);
    bench.process("a line that is repeated");
    CHECK(bench.process("a line that is repeated").dropped);
    auto options = live_options("here");
    options.normalize_firewall = false;
    options.drop_repeated_messages = false;
    bench.analyzer.set_options(options);
    CHECK_FALSE(bench.process("half deny").dropped);
    CHECK(bench.process("fw deny tcp 1.2.3.4 5.6.7.8").event->field(FieldId::Action) == "deny");
    CHECK_FALSE(bench.process("a line that is repeated").dropped);
}

TEST_CASE("analyzer: nothing refers to a replaced configuration or replaced options") {
    Bench bench(live_options("a host name that is too long for the string itself"));
    const Outcome& outcome = bench.process("no header");
    REQUIRE(outcome.event != nullptr);
    bench.analyzer.set_options(live_options("there"));
    CHECK(outcome.event == nullptr);
    CHECK(bench.process("no header").event->hostname == "there");
    bench.analyzer.replace(configuration());
    CHECK(outcome.event == nullptr);
}

// Lines whose outcomes depend on the lines before them.
const std::vector<std::string_view> kDependentLines{
    kDenied,
    "burnt",
    "text first abc",
    kDenied,
    "fw deny tcp 192.0.2.1 192.0.2.2",
    "half deny",
    "text both abc",
    kDenied,
    "Nov 14 18:09:13 host gate[1]: denied eve from 192.0.2.2",
    "burnt",
    "noise",
    "echo 1",
    "Nov 14 18:09:14 host gate[1]: denied bob from 192.0.2.1",
    "Nov 14 18:09:15 host gate[1]: denied bob from 192.0.2.1",
    "Nov 14 18:09:16 host gate[1]: denied bob from 192.0.2.1",
    "secret \xff",
    "Nov 14 18:09:16 host gate[1]: admitted bob",
};

std::string text_of(const Outcome& outcome) {
    return fmt::format("{} {} {} {}", outcome.rule == nullptr ? 0 : outcome.rule->id,
                       outcome.dropped ? "dropped" : "kept", outcome.ignored ? "ignored" : "-",
                       outcome.alert ? alert::alert_as_text(*outcome.alert) : "no alert");
}

std::vector<std::string> processed_outcomes() {
    Bench bench(live_options("here"));
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < kDependentLines.size(); ++i) {
        texts.push_back(text_of(bench.process(kDependentLines[i], static_cast<int>(i))));
    }
    return texts;
}

void prepare_line(const Analyzer& analyzer, std::size_t index, PreparedLine& into) {
    analyzer.prepare(kDependentLines[index], "/var/log/gate", at(static_cast<int>(index)), into);
}

TEST_CASE("analyzer: lines prepared backwards and committed in order have the same outcomes") {
    Bench bench(live_options("here"));
    std::vector<PreparedLine> lines(kDependentLines.size());
    for (std::size_t i = lines.size(); i-- > 0;) {
        prepare_line(bench.analyzer, i, lines[i]);
    }
    std::vector<std::string> texts;
    for (PreparedLine& line : lines) {
        texts.push_back(text_of(bench.analyzer.commit(line)));
    }
    CHECK(texts == processed_outcomes());
    CHECK(bench.analyzer.counters().lines == kDependentLines.size());
    CHECK(bench.analyzer.counters().lines_with_invalid_utf8 == 1);
}

TEST_CASE("analyzer: lines prepared on other threads during commits have the same outcomes") {
    Bench bench(live_options("here"));
    std::vector<PreparedLine> lines(kDependentLines.size());
    std::vector<std::promise<void>> ready(lines.size());
    const auto prepare_every_third = [&](std::size_t first) {
        for (std::size_t i = first; i < lines.size(); i += 3) {
            prepare_line(bench.analyzer, i, lines[i]);
            ready[i].set_value();
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t first = 0; first < 3; ++first) {
        threads.emplace_back(prepare_every_third, first);
    }
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        ready[i].get_future().wait();
        texts.push_back(text_of(bench.analyzer.commit(lines[i])));
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(texts == processed_outcomes());
}

TEST_CASE("analyzer: a line that was prepared before a reload is decided as after it") {
    Bench bench(live_options("here"));
    PreparedLine line;
    PreparedLine incomplete;
    bench.analyzer.prepare(kDenied, "/var/log/gate", at(0), line);
    bench.analyzer.prepare("half deny", "/var/log/gate", at(1), incomplete);
    std::string changed(kRules);
    changed.replace(changed.find("<description>denied"), 19, "<description>DENIED");
    bench.analyzer.replace(configuration(changed));
    auto options = live_options("there");
    options.normalize_firewall = false;
    bench.analyzer.set_options(options);
    const Outcome& outcome = bench.analyzer.commit(line);
    REQUIRE(outcome.alert);
    CHECK(outcome.alert->rule.description == "DENIED");
    CHECK(outcome.alert->decoder_name == "gate");
    CHECK(outcome.alert->location == "/var/log/gate");
    CHECK(outcome.alert->time == at(0));
    CHECK(outcome.alert->full_log == kDenied);
    CHECK_FALSE(bench.analyzer.commit(incomplete).dropped);
    CHECK(incomplete.event().hostname == "there");
}

}  // namespace
}  // namespace portcullis::pipeline
