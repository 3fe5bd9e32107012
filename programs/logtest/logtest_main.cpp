// portcullis-logtest: shows how the engine would decode and judge log lines (spec: logtest;
// docs/logtest.md).
//
// It needs no privilege, only reads files of the configuration, and analyses with the same Analyzer
// as the daemon.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/diagnostic.hpp"
#include "engine/rules/rule_set.hpp"
#include "programs/configuration.hpp"
#include "programs/home.hpp"
#include "programs/lint.hpp"
#include "programs/logtest/diagnostics_json.hpp"
#include "programs/logtest/logtest_messages.hpp"
#include "programs/logtest/logtest_options.hpp"
#include "programs/logtest/logtest_run.hpp"
#include "programs/logtest/logtest_session.hpp"

namespace {

namespace programs = portcullis::programs;
namespace base = portcullis::base;
namespace rules = portcullis::rules;

void say_what_is_loaded(const programs::LogtestOptions& options,
                        const programs::HomeConfiguration& configuration,
                        std::chrono::steady_clock::duration taken) {
    programs::debug_message(fmt::format("configuration file {}", options.config_path()));
    for (const std::string& file : configuration.decoder_files) {
        programs::debug_message(fmt::format("decoder file {}", file));
    }
    programs::debug_message(fmt::format(
        "{} rules at {} places, loaded in {} ms", configuration.analysis.rules->rules().size(),
        configuration.analysis.rules->nodes().size(),
        std::chrono::duration_cast<std::chrono::milliseconds>(taken).count()));
}

// -t and --lint: prints the errors and warnings of the configuration. Only --lint has an exit
// status for warnings.
int show_diagnostics(const programs::LogtestOptions& options,
                     const base::Diagnostics& diagnostics) {
    if (options.diagnostics_as == "json") {
        fmt::print("{}", programs::diagnostics_json(diagnostics));
    } else {
        fmt::print(options.lints ? stdout : stderr, "{}", base::render(diagnostics));
    }
    if (options.lints) {
        return static_cast<int>(programs::status_of(diagnostics));
    }
    return diagnostics.has_errors() ? EXIT_FAILURE : EXIT_SUCCESS;
}

int read_lines(const programs::LogtestOptions& options,
               const std::shared_ptr<const programs::HomeConfiguration>& configuration) {
    const rules::Rule* why_not = nullptr;
    if (options.why_not) {
        why_not = configuration->analysis.rules->find(*options.why_not);
        if (why_not == nullptr) {
            fmt::print(stderr, "portcullis-logtest: there is no rule {}\n", *options.why_not);
            return EXIT_FAILURE;
        }
    }
    if (!options.prints_json && !options.prints_alerts_only) {
        programs::announce(*configuration, options.is_quiet);
    }
    return programs::LogtestSession(options, configuration, why_not).run();
}

}  // namespace

int main(int argc, char** argv) {
    programs::LogtestOptions options;
    if (const auto status = programs::parse_logtest_options(argc, argv, options)) {
        return *status;
    }
    if (!options.run.empty()) {
        return programs::run_tests(options);
    }
    const auto begin = std::chrono::steady_clock::now();
    const programs::Home home(options.home);
    base::Diagnostics diagnostics;
    const bool looks_closely = options.test_only || options.lints;
    const auto configuration =
        looks_closely ? programs::lint_configuration(home, options.config_path(), diagnostics)
                      : programs::load_configuration(home, options.config_path(), diagnostics);
    if (options.debug > 0 && configuration != nullptr) {
        say_what_is_loaded(options, *configuration, std::chrono::steady_clock::now() - begin);
    }
    if (looks_closely) {
        return show_diagnostics(options, diagnostics);
    }
    fmt::print(stderr, "{}", base::render(diagnostics));
    if (configuration == nullptr) {
        return EXIT_FAILURE;
    }
    return read_lines(options, configuration);
}
