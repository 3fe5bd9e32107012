// TestReport: the results of --run, and their rendering as text, JUnit XML and JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/diagnostic.hpp"
#include "engine/logtest/expectation.hpp"

namespace portcullis::logtest {

struct TestResult {
    std::string name;                     // within its file
    base::SourcePlace place;              // of the test
    std::string line;                     // that was analysed; of several the one that decides
    std::vector<Difference> differences;  // empty = passed

    bool has_passed() const { return differences.empty(); }
};

struct TestFileReport {
    std::string file;
    std::string error;  // why its tests could not be run; empty = they were
    std::vector<TestResult> results;
    double seconds = 0;
};

struct TestReport {
    std::vector<TestFileReport> files;

    std::size_t test_count() const;
    std::size_t failure_count() const;
    std::size_t error_count() const;  // files that could not be run
    // There were tests, and all of them passed.
    bool is_success() const;
};

//   tests/sshd.ini:7: failed: password, log 1 pass
//       line     Nov 14 18:09:12 …
//       rule     expected 5716, got 5715
std::string failure_text(const TestResult& result);
// "sshd.ini:7: passed: …", for -v.
std::string passed_text(const TestResult& result);
// "261 tests in 40 files: 239 passed, 22 failed"
std::string summary_text(const TestReport& report);
// JUnit's XML as Jenkins and GitLab read it: a testsuite for each file, a testcase for each test.
std::string junit_xml(const TestReport& report);
// {"tests", "passed", "failed", "errors": [{file, error}], "failures": [{file, line_number, name,
// line, mismatches: [{what, expected, actual}]}]}
nlohmann::ordered_json report_json(const TestReport& report);

}  // namespace portcullis::logtest
