// portcullis-logtest: shows what the engine would make of log lines (spec: logtest;
// docs/logtest.md).
//
// Needs no privilege, touches no file but to read the configuration, and analyses with the same
// Analyzer as the daemon.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "engine/app/configuration.hpp"
#include "engine/app/home.hpp"
#include "engine/app/logtest_messages.hpp"
#include "engine/app/logtest_options.hpp"
#include "engine/app/logtest_run.hpp"
#include "engine/app/logtest_session.hpp"
#include "engine/base/diagnostic.hpp"
#include "engine/config/input_files.hpp"
#include "engine/rules/rule_set.hpp"

namespace {

namespace app = portcullis::app;
namespace base = portcullis::base;
namespace config = portcullis::config;
namespace rules = portcullis::rules;

// Logtest runs no command, so what would stop the daemons is only a warning here.
void warn_of_missing_executables(const app::Home& home, const app::Configuration& configuration) {
    base::Diagnostics diagnostics;
    config::check_executables(configuration.engine, home.responders(), diagnostics);
    for (base::Diagnostic diagnostic : diagnostics.all()) {
        diagnostic.severity = base::Severity::Warning;
        fmt::print(stderr, "{}", base::render(diagnostic));
    }
}

void say_what_is_loaded(const app::LogtestOptions& options, const app::Configuration& configuration,
                        std::chrono::steady_clock::duration taken) {
    app::debug_message(fmt::format("configuration file {}", options.config_path()));
    for (const std::string& file : configuration.decoder_files) {
        app::debug_message(fmt::format("decoder file {}", file));
    }
    app::debug_message(fmt::format(
        "{} rules at {} places, loaded in {} ms", configuration.analysis.rules->rules().size(),
        configuration.analysis.rules->nodes().size(),
        std::chrono::duration_cast<std::chrono::milliseconds>(taken).count()));
}

int read_lines(const app::LogtestOptions& options,
               const std::shared_ptr<const app::Configuration>& configuration) {
    const rules::Rule* why_not = nullptr;
    if (options.why_not) {
        why_not = configuration->analysis.rules->find(*options.why_not);
        if (why_not == nullptr) {
            fmt::print(stderr, "portcullis-logtest: there is no rule {}\n", *options.why_not);
            return EXIT_FAILURE;
        }
    }
    if (!options.prints_json && !options.prints_alerts_only) {
        app::announce(*configuration, options.is_quiet);
    }
    return app::LogtestSession(options, configuration, why_not).run();
}

}  // namespace

int main(int argc, char** argv) {
    app::LogtestOptions options;
    if (const auto status = app::parse_logtest_options(argc, argv, options)) {
        return *status;
    }
    if (!options.run.empty()) {
        return app::run_tests(options);
    }
    const auto begin = std::chrono::steady_clock::now();
    const app::Home home(options.home);
    base::Diagnostics diagnostics;
    const auto configuration = app::load_configuration(home, options.config_path(), diagnostics);
    fmt::print(stderr, "{}", base::render(diagnostics));
    if (configuration == nullptr) {
        return EXIT_FAILURE;
    }
    if (options.debug > 0) {
        say_what_is_loaded(options, *configuration, std::chrono::steady_clock::now() - begin);
    }
    if (options.test_only) {
        warn_of_missing_executables(home, *configuration);
        return EXIT_SUCCESS;
    }
    return read_lines(options, configuration);
}
