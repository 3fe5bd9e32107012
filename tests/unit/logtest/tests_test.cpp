#include <nlohmann/json.hpp>

#include "engine/logtest/golden_file.hpp"
#include "engine/logtest/ossec_tests.hpp"
#include "engine/logtest/test_runner.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/unit/logtest/logtest_fixture.hpp"

namespace portcullis::logtest {
namespace {

TEST_CASE("ossec_tests: read as Python 2 reads them") {
    base::Diagnostics diagnostics;
    const auto tests = parse_ossec_tests("a.ini",
                                         "; comment\n"
                                         "[denied: password]\n"
                                         "LOG 1 Pass = Nov 14 a=b: c  \n"
                                         "   second line\n"
                                         "# comment\n"
                                         "\n"
                                         "\tthird\n"
                                         "log 2 fail: x ; a comment\n"
                                         "log 3 maybe = y;no comment ; this neither\n"
                                         "rem a comment\n"
                                         "rule = 100\nalert=5\ndecoder:gate\n"
                                         "[empty]\nrule=1\nalert=0\ndecoder=x\n",
                                         diagnostics);
    INFO(base::render(diagnostics));
    CHECK(diagnostics.all().empty());
    REQUIRE(tests.size() == 3);
    CHECK(tests[0].name() == "denied: password, log 1 pass");
    CHECK(tests[0].place.line == 3);
    CHECK(tests[0].lines == std::vector<std::string>{"Nov 14 a=b: c", "second line", "third"});
    CHECK(tests[0].expected.rule == "100");
    CHECK(tests[0].expected.level == "5");
    CHECK(tests[0].expected.decoder == "gate");
    CHECK_FALSE(tests[0].must_differ);
    CHECK(tests[1].lines == std::vector<std::string>{"x"});
    CHECK(tests[1].must_differ);
    CHECK(tests[2].lines == std::vector<std::string>{"y;no comment ; this neither"});
    CHECK_FALSE(tests[2].must_differ);
}

TEST_CASE("ossec_tests: what is wrong with a file is said with its line") {
    base::Diagnostics diagnostics;
    parse_ossec_tests("a.ini",
                      "log 1 pass = x\n[a]\nlgo 1 pass = x\nrule = 1\nrule = 2\nnonsense\n",
                      diagnostics);
    CHECK(base::render(diagnostics) ==
          "a.ini:1: error: is before the first [section] [bad-test]\n"
          "a.ini:5: warning: \"rule\" is given a second time: only this one counts [bad-test]\n"
          "a.ini:6: error: is not \"name = value\" [bad-test]\n"
          "a.ini:2: error: [a] has no alert [bad-test]\n"
          "a.ini:2: error: [a] has no decoder [bad-test]\n"
          "a.ini:3: error: \"lgo 1 pass\" is none of rule, alert, decoder and log N pass or fail "
          "[bad-test]\n");
}

struct Runner {
    test::FakeClock clock;
    std::vector<respond::ActiveResponseConfig> responses;
    std::shared_ptr<const pipeline::AnalyzerConfig> configuration = make_configuration();
    Coverage coverage{configuration};
    TestRunner runner{configuration, {.local_hostname = "host"}, responses, clock, &coverage};
};

TEST_CASE("test_runner: an entry passes as -U would, without state from the one before") {
    Runner bench;
    const std::string denied(kDenied);
    const auto report = bench.runner.run_ossec_tests(
        "a.ini", "[denied]\nrule=100\nalert=5\ndecoder=GATE\nlog 1 pass = " + denied +
                     "\nlog 2 pass = " + denied + "\nlog 3 pass = " + denied +
                     "\nlog 4 pass = hello\nlog 5 fail = hello\nlog 6 fail = " + denied +
                     "\n[many]\nrule=101\nalert=09\ndecoder=gate\nlog 1 pass = " + denied + "\n " +
                     denied + "\n " + denied +
                     "\n[text]\nrule=101\nalert=9\ndecoder=gate\nlog 1 pass = " + denied + "\n " +
                     denied + "\n " + denied + "\n");
    REQUIRE(report.error.empty());
    std::vector<bool> passed;
    for (const TestResult& result : report.results) {
        passed.push_back(result.has_passed());
    }
    CHECK(passed == std::vector<bool>{true, true, true, false, true, false, false, true});
    CHECK(failure_text(report.results[3]) ==
          "a.ini:8: failed: denied, log 4 pass\n    line     hello\n"
          "    decoder  expected GATE, got none\n    rule     expected 100, got none\n"
          "    level    expected 5, got none\n");
    CHECK(failure_text(report.results[5]).find("another decoder, rule or level") !=
          std::string::npos);
    CHECK(report.results[6].differences.at(0).what == "level");

    CHECK(bench.coverage.decoders().reached == 2);
    const Coverage::Kind rules = bench.coverage.rules();
    CHECK(rules.total == 8);
    CHECK(rules.reached == 2);
    CHECK(rules.unreached.at(0).id == 102);
    CHECK(rules.unreached.at(0).place.line == 6);
}

TEST_CASE("test_runner: a golden file is what it gives, and the first difference has a place") {
    Runner bench;
    const std::string input = "# description: two denials\n# trace: no\n\n> door\n\n@ +10\n\n> " +
                              std::string(kDenied) + "\n";
    const auto written = bench.runner.run_golden("a.logtest", input);
    REQUIRE(written.report.error.empty());
    CHECK(written.report.results.size() == 2);
    CHECK(written.report.results[0].place.line == 5);

    const auto again = bench.runner.run_golden("a.logtest", written.text);
    CHECK(again.text == written.text);
    CHECK(std::all_of(again.report.results.begin(), again.report.results.end(),
                      [](const TestResult& result) { return result.has_passed(); }));

    std::string changed = written.text;
    changed.replace(changed.find("Level: '5'"), 10, "Level: '6'");
    const auto report = bench.runner.run_golden("a.logtest", changed).report;
    CHECK(report.results[0].has_passed());
    const auto line_of_level =
        std::count(changed.begin(),
                   changed.begin() + static_cast<std::ptrdiff_t>(changed.find("Level: '6'")),
                   '\n') +
        1;
    CHECK(failure_text(report.results[1]) ==
          "a.logtest:" + std::to_string(line_of_level) + ": failed: " + std::string(kDenied) +
              "\n    line     " + std::string(kDenied) +
              "\n    output   expected '       Level: '6'', got '       Level: '5''\n");

    const auto junk = bench.runner.run_golden(
        "a.logtest", written.text.substr(0, written.text.find("\n> ")) + "\nnot a comment" +
                         written.text.substr(written.text.find("\n> ")));
    CHECK(junk.report.results.back().name == "the file as a whole");
    CHECK_FALSE(bench.runner.run_golden("a.logtest", "> no description\n").report.error.empty());
}

TEST_CASE("test_report: JUnit XML escapes what a log line may have") {
    TestReport report;
    report.files.push_back({"a&b.ini",
                            {},
                            {{"ok", {"a&b.ini", 1, 0}, "x", {}},
                             {"<bad>", {"a&b.ini", 2, 0}, "\"\x01\xff", {{"rule", "1", "none"}}}},
                            0.5});
    report.files.push_back({"c.ini", "c.ini: cannot be read\n", {}, 0});
    CHECK(junit_xml(report) ==
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<testsuites tests=\"3\" failures=\"1\" errors=\"1\">\n"
          "  <testsuite name=\"a&amp;b.ini\" tests=\"2\" failures=\"1\" errors=\"0\" "
          "time=\"0.500\">\n"
          "    <testcase name=\"ok\" classname=\"a&amp;b.ini\" file=\"a&amp;b.ini\" line=\"1\"/>\n"
          "    <testcase name=\"&lt;bad&gt;\" classname=\"a&amp;b.ini\" file=\"a&amp;b.ini\" "
          "line=\"2\"><failure message=\"rule: expected 1, got none\">a&amp;b.ini:2: failed: "
          "&lt;bad&gt;&#10;    line     &quot; \xef\xbf\xbd&#10;    rule     expected 1, got "
          "none&#10;</failure></testcase>\n"
          "  </testsuite>\n"
          "  <testsuite name=\"c.ini\" tests=\"1\" failures=\"0\" errors=\"1\" time=\"0.000\">\n"
          "    <testcase name=\"c.ini\" classname=\"c.ini\"><error message=\"c.ini: cannot be "
          "read&#10;\"/></testcase>\n"
          "  </testsuite>\n</testsuites>\n");
    CHECK(summary_text(report) ==
          "2 tests in 2 files: 1 passed, 1 failed, 1 file could not be run\n");
    CHECK_FALSE(report.is_success());
    CHECK_FALSE(TestReport{}.is_success());
    CHECK(nlohmann::json::accept(report_json(report).dump()));
}

}  // namespace
}  // namespace portcullis::logtest
