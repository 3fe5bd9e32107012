// TestRunner: runs test files against a loaded configuration (--run). One load serves any number of
// files; each file, and of an OSSEC file each entry, begins without any state.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "engine/logtest/coverage.hpp"
#include "engine/logtest/test_report.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::logtest {

class TestRunner {
  public:
    // `options` are those of OSSEC's test files: golden files have a host and a time of their own.
    // `responses`: the blocks that Outcome::responses counts. `coverage`: nullptr = not wanted.
    // What is referred to must outlive the runner.
    TestRunner(std::shared_ptr<const pipeline::AnalyzerConfig> configuration,
               pipeline::AnalyzerOptions options,
               const std::vector<respond::ActiveResponseConfig>& responses,
               const base::Clock& clock, Coverage* coverage);

    TestFileReport run_ossec_tests(const std::string& file, std::string_view text) const;

    // A golden file as it should be.
    struct Golden {
        TestFileReport report;
        std::string text;  // empty if the file could not be run
    };
    Golden run_golden(const std::string& file, std::string_view text) const;

  private:
    std::vector<std::string> shown(const pipeline::Outcome& outcome, const rules::Trace* trace,
                                   std::string_view location) const;

    std::shared_ptr<const pipeline::AnalyzerConfig> configuration_;
    pipeline::AnalyzerOptions options_;
    const std::vector<respond::ActiveResponseConfig>& responses_;
    const base::Clock& clock_;
    Coverage* coverage_;
};

}  // namespace portcullis::logtest
