// TestRunner: runs test files against a loaded configuration (--run). One load serves any number of
// files. Each golden file and each entry of an OSSEC file begins without any state.
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
    // `options` are for OSSEC's test files: golden files have their own host and time.
    // Outcome::responses holds indices into `responses`. `coverage`: nullptr = not wanted. The
    // references must outlive the runner.
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
