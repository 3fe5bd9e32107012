#include "programs/logtest/logtest_run.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "engine/logtest/coverage.hpp"
#include "engine/logtest/test_runner.hpp"
#include "programs/analysis_options.hpp"
#include "programs/configuration.hpp"
#include "programs/logtest/logtest_messages.hpp"
#include "programs/logtest/terminal.hpp"

namespace portcullis::programs {
namespace {

namespace fs = std::filesystem;
using logtest::TestFileReport;

constexpr std::string_view kOssecSuffix = ".ini";
constexpr std::string_view kGoldenSuffix = ".logtest";
// Beside golden files: the home of the folder's tests.
constexpr std::string_view kOwnHome = "home";

bool is_test_file(const fs::path& path) {
    return path.extension() == kOssecSuffix || path.extension() == kGoldenSuffix;
}

// The test files below `folder`, in order; the folder of a home is skipped.
void collect(const fs::path& folder, std::vector<fs::path>& files) {
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); entry != fs::directory_iterator();
         entry.increment(error)) {
        entries.push_back(entry->path());
    }
    std::sort(entries.begin(), entries.end());
    for (const fs::path& entry : entries) {
        if (fs::is_directory(entry) && entry.filename() != kOwnHome) {
            collect(entry, files);
        } else if (is_test_file(entry) && fs::is_regular_file(entry)) {
            files.push_back(entry);
        }
    }
}

// A configuration that tests run against.
struct LoadedHome {
    std::shared_ptr<const HomeConfiguration> configuration;  // nullptr = it has errors
    std::optional<logtest::Coverage> coverage;
};

class Run {
  public:
    explicit Run(const LogtestOptions& options) : options_(options), out_(stdout) {}

    int run() {
        for (const std::string& path : options_.run) {
            add(path);
        }
        for (const fs::path& file : files_) {
            report(run_file(file));
        }
        if (!options_.junit.empty() && !write_junit()) {
            return EXIT_FAILURE;
        }
        out_.write(options_.prints_json ? json() : text());
        return report_.is_success() ? EXIT_SUCCESS : EXIT_FAILURE;
    }

  private:
    void add(const std::string& path) {
        if (fs::is_directory(path)) {
            collect(path, files_);
        } else {
            files_.emplace_back(path);
        }
    }

    LoadedHome& home_of(const fs::path& file) {
        const fs::path own = file.parent_path() / kOwnHome;
        const bool has_own = file.extension() == kGoldenSuffix && fs::is_directory(own);
        const Home home(has_own ? own.string() : options_.home);
        const auto [known, is_new] = homes_.try_emplace(home.path());
        LoadedHome& loaded = known->second;
        if (is_new) {
            base::Diagnostics diagnostics;
            loaded.configuration = load_configuration(
                home, has_own ? home.config() : options_.config_path(), diagnostics);
            fmt::print(stderr, "{}", base::render(diagnostics));
            if (options_.debug > 0) {
                debug_message(fmt::format("the home {} is loaded", home.path()));
            }
            if (loaded.configuration != nullptr && options_.covers) {
                loaded.coverage.emplace(HomeConfiguration::analysis_of(loaded.configuration));
            }
        }
        return loaded;
    }

    TestFileReport run_file(const fs::path& file) {
        TestFileReport failed;
        failed.file = file.string();
        std::error_code error;
        if (!is_test_file(file) && fs::exists(file, error)) {
            failed.error = fmt::format("{}: is not an .ini or .logtest file\n", file.string());
            return failed;
        }
        const auto text = base::read_text_file(file.string());
        if (!text) {
            failed.error = fmt::format("{}: cannot be read\n", file.string());
            return failed;
        }
        LoadedHome& home = home_of(file);
        if (home.configuration == nullptr) {
            failed.error = fmt::format("{}: its configuration has errors\n", file.string());
            return failed;
        }
        const logtest::TestRunner runner(
            HomeConfiguration::analysis_of(home.configuration),
            analysis_options(home.configuration->engine,
                             options_.is_live ? Behaviour::Live : Behaviour::Test),
            home.configuration->engine.active_responses, clock_,
            home.coverage ? &*home.coverage : nullptr);
        const auto begin = std::chrono::steady_clock::now();
        TestFileReport done = file.extension() == kOssecSuffix
                                  ? runner.run_ossec_tests(file.string(), *text)
                                  : run_golden(runner, file, *text);
        done.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return done;
    }

    TestFileReport run_golden(const logtest::TestRunner& runner, const fs::path& file,
                              const std::string& text) {
        auto golden = runner.run_golden(file.string(), text);
        if (options_.updates && !golden.text.empty() && golden.text != text) {
            std::ofstream out(file, std::ios::binary | std::ios::trunc);
            if (out << golden.text << std::flush) {
                say(fmt::format("{}: rewritten\n", file.string()));
                golden = runner.run_golden(file.string(), golden.text);
            } else {
                golden.report.error = fmt::format("{}: cannot be written\n", file.string());
            }
        }
        return std::move(golden.report);
    }

    void report(TestFileReport file) {
        say(file.error);
        for (const logtest::TestResult& result : file.results) {
            if (!result.has_passed()) {
                say(logtest::failure_text(result));
            } else if (options_.traces) {
                say(logtest::passed_text(result));
            }
        }
        report_.files.push_back(std::move(file));
    }

    void say(const std::string& text) const {
        if (!options_.prints_json && !text.empty()) {
            out_.write(text);
        }
    }

    bool write_junit() const {
        std::ofstream out(options_.junit, std::ios::binary | std::ios::trunc);
        if (out << logtest::junit_xml(report_) << std::flush) {
            return true;
        }
        fmt::print(stderr, "portcullis-logtest: cannot write {}\n", options_.junit);
        return false;
    }

    std::string text() const {
        std::string out = logtest::summary_text(report_);
        for (const auto& [path, home] : homes_) {
            if (home.coverage) {
                out += fmt::format("\nCoverage of {}:\n{}", path,
                                   logtest::coverage_text(*home.coverage));
            }
        }
        return out;
    }

    std::string json() const {
        auto json = logtest::report_json(report_);
        if (options_.covers) {
            json["coverage"] = nlohmann::ordered_json::array();
            for (const auto& [path, home] : homes_) {
                if (home.coverage) {
                    auto one = logtest::coverage_json(*home.coverage);
                    one["home"] = path;
                    json["coverage"].push_back(std::move(one));
                }
            }
        }
        return json.dump() + '\n';
    }

    const LogtestOptions& options_;
    TerminalText out_;
    base::SystemClock clock_;
    std::vector<fs::path> files_;
    std::map<std::string, LoadedHome> homes_;
    logtest::TestReport report_;
};

}  // namespace

int run_tests(const LogtestOptions& options) { return Run(options).run(); }

}  // namespace portcullis::programs
