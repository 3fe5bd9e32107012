// The command line of portcullis-logtest: OSSEC's flags (spec: logtest, section 1) and its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/logtest/expectation.hpp"
#include "engine/logtest/observed_analyzer.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

struct LogtestOptions {
    std::string home{kDefaultHome};
    std::string config;  // empty = etc/ossec.conf in the home
    bool test_only = false;
    bool lints = false;
    std::string diagnostics_as = "text";  // or "json"; of -t and --lint
    bool is_quiet = false;
    bool traces = false;
    int debug = 0;

    std::string location{logtest::kLocation};  // the file that lines are taken to be from

    bool prints_json = false;
    bool prints_alerts_only = false;
    bool is_fresh = false;
    bool is_live = false;
    std::optional<logtest::Expectation> unit_test;  // -U

    bool explains = false;
    std::optional<int> why_not;  // a rule id
    bool covers = false;
    std::vector<std::string> run;  // files and folders
    std::string junit;             // file
    bool updates = false;

    std::string config_path() const { return config.empty() ? Home(home).config() : config; }
};

// nullopt = run with `options`; otherwise the exit status: 0 for help and version, 1 for a wrong
// command line, which was reported together with the help.
std::optional<int> parse_logtest_options(int argc, char** argv, LogtestOptions& options);

}  // namespace portcullis::programs
