// portcullis-logtest: shows what the engine would make of log lines (spec: logtest;
// docs/logtest.md).
//
// Reads lines from standard input; needs no privilege, touches no file but to read the
// configuration, and analyses with the same Analyzer as the daemon.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/alert/alert.hpp"
#include "engine/alert/record_formats.hpp"
#include "engine/app/configuration.hpp"
#include "engine/app/home.hpp"
#include "engine/app/logtest_output.hpp"
#include "engine/base/clock.hpp"
#include "engine/base/diagnostic.hpp"
#include "engine/config/input_files.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule.hpp"
#include "engine/state/file_state_store.hpp"

namespace {

namespace alert = portcullis::alert;
namespace app = portcullis::app;
namespace base = portcullis::base;
namespace config = portcullis::config;
namespace pipeline = portcullis::pipeline;
namespace rules = portcullis::rules;
namespace state = portcullis::state;

// A longer line is analysed in pieces, a shorter one than the minimum is skipped (spec: logtest,
// section 2).
constexpr std::size_t kMaxLine = 6135;
constexpr std::size_t kMinLine = 2;

struct Options {
    std::string home{app::kDefaultHome};
    std::string config;
    std::string unit_test;
    bool test_only = false;
    bool is_quiet = false;
    bool traces = false;
    bool prints_json = false;
    bool prints_alerts_only = false;
    bool is_fresh = false;
};

// What -U RULE:LEVEL:DECODER expects of an event.
class UnitTest {
  public:
    static std::optional<UnitTest> parse(std::string_view text) {
        const std::size_t first = text.find(':');
        const std::size_t second = text.find(':', std::min(first, text.size() - 1) + 1);
        if (text.empty() || first == std::string_view::npos || second == std::string_view::npos) {
            return std::nullopt;
        }
        UnitTest test;
        test.rule_ = text.substr(0, first);
        test.level_ = text.substr(first + 1, second - first - 1);
        test.decoder_ = text.substr(second + 1);
        return test;
    }

    // The exit status that this event asks for: 0 alike, 1 other level, 2 other rule, 3 other
    // decoder, 255 no rule at all.
    int judge(const pipeline::Outcome& outcome) const {
        const std::string decoder(outcome.event->decoder_name);
        fmt::print("lf->decoder_info->name: '{}'\nut_decoder_name       : '{}'\n",
                   decoder.empty() ? "(null)" : decoder, decoder_);
        if (CLI::detail::to_lower(decoder) != CLI::detail::to_lower(decoder_)) {
            fmt::print("decoder matched : '{}'\n", decoder.empty() ? "NULL" : decoder);
            if (!decoder.empty()) {
                fmt::print("decoder expected: '{}'\n", decoder_);
            }
            return 3;
        }
        if (outcome.rule == nullptr) {
            fmt::print(stderr, "portcullis-logtest: no rule is the result\n");
            return kNoRule;
        }
        if (std::to_string(outcome.rule->id) != rule_) {
            return 2;
        }
        if (std::to_string(outcome.rule->level) != level_) {
            return 1;
        }
        fmt::print("0\n");
        return 0;
    }

    static constexpr int kNoRule = 255;

  private:
    std::string rule_;
    std::string level_;
    std::string decoder_;
};

class Logtest {
  public:
    Logtest(const Options& options, const std::shared_ptr<const app::Configuration>& configuration,
            std::optional<UnitTest> unit_test)
        : options_(options),
          unit_test_(std::move(unit_test)),
          store_(app::Home(options.home).queue()),
          analyzer_(app::Configuration::analysis_of(configuration),
                    analyzer_options(configuration->engine), store_) {
        // What the engine remembers, read and never written; --fresh forgets that, too.
        if (!options.is_fresh) {
            base::Diagnostics diagnostics;
            store_.load(diagnostics);
            fmt::print(stderr, "{}", base::render(diagnostics));
        }
    }

    // Reads standard input to its end; returns the exit status.
    int run() {
        std::array<char, 64 * 1024> buffer{};
        std::string line;
        for (;;) {
            const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
            if (size < 0 && errno == EINTR) {
                continue;
            }
            if (size <= 0) {
                break;
            }
            std::string_view chunk(buffer.data(), static_cast<std::size_t>(size));
            while (!chunk.empty() && !is_over_) {
                take_line(chunk, line);
            }
            if (is_over_ || std::fflush(stdout) != 0) {
                return status_;
            }
        }
        if (!line.empty()) {
            analyse(line);
        }
        return std::fflush(stdout) == 0 ? status_ : EXIT_FAILURE;
    }

  private:
    static pipeline::AnalyzerOptions analyzer_options(const config::EngineConfig& engine) {
        std::array<char, 256> name{};
        gethostname(name.data(), name.size() - 1);
        pipeline::AnalyzerOptions options;
        options.local_hostname = name.data();
        options.limits = app::correlator_limits(engine);
        return options;
    }

    // Moves text from `chunk` to `line` up to the end of the line, and analyses it if that is
    // reached.
    void take_line(std::string_view& chunk, std::string& line) {
        const std::size_t newline = chunk.find('\n');
        const std::size_t wanted = std::min(newline, chunk.size());
        const std::size_t taken = std::min(wanted, kMaxLine - line.size());
        line += chunk.substr(0, taken);
        chunk.remove_prefix(taken);
        const bool is_ended = !chunk.empty() && chunk.front() == '\n';
        if (is_ended) {
            chunk.remove_prefix(1);
        }
        if (is_ended || line.size() == kMaxLine) {
            analyse(line);
            line.clear();
        }
    }

    void analyse(std::string_view line) {
        if (line.size() < kMinLine) {
            return;
        }
        if (options_.is_fresh) {
            analyzer_.reset_state();
            store_.clear();
        }
        const pipeline::Outcome& outcome =
            analyzer_.process(line, "stdin", clock_.now(), options_.traces ? &trace_ : nullptr);
        if (unit_test_) {
            status_ = unit_test_->judge(outcome);
            is_over_ = status_ == UnitTest::kNoRule;
            return;
        }
        const std::string text = text_of(outcome);
        std::fwrite(text.data(), 1, text.size(), stdout);
    }

    std::string text_of(const pipeline::Outcome& outcome) {
        if (options_.prints_alerts_only) {
            if (!outcome.is_logged()) {
                return {};
            }
            alert::Alert alert = *outcome.alert;
            alert.id = ++alert_count_;
            return alert::alert_as_text(alert);
        }
        return options_.prints_json
                   ? app::logtest_json(outcome)
                   : app::logtest_text(outcome, options_.traces ? &trace_ : nullptr);
    }

    const Options& options_;
    std::optional<UnitTest> unit_test_;
    base::SystemClock clock_;
    state::FileStateStore store_;
    pipeline::Analyzer analyzer_;
    rules::Trace trace_;
    std::uint64_t alert_count_ = 0;
    int status_ = EXIT_SUCCESS;
    bool is_over_ = false;
};

void announce(const Options& options, const app::Configuration& configuration) {
    const std::string now = fmt::format("{:%Y/%m/%d %H:%M:%S}", fmt::localtime(std::time(nullptr)));
    if (!options.is_quiet) {
        for (const std::string& file : configuration.decoder_files) {
            fmt::print("{} portcullis-logtest: INFO: Reading decoder file {}.\n", now, file);
        }
    }
    fmt::print("{} portcullis-logtest: INFO: Started (pid: {}).\n", now, getpid());
    fmt::print("portcullis-logtest: Type one log per line.\n\n");
}

// Logtest runs no command, so what would stop the daemons is only a warning here.
void warn_of_missing_executables(const app::Home& home, const app::Configuration& configuration) {
    base::Diagnostics diagnostics;
    config::check_executables(configuration.engine, home.responders(), diagnostics);
    for (base::Diagnostic diagnostic : diagnostics.all()) {
        diagnostic.severity = base::Severity::Warning;
        fmt::print(stderr, "{}", base::render(diagnostic));
    }
}

void add_options(CLI::App& cli, Options& options) {
    cli.set_version_flag("-V,--version", "portcullis-logtest " PORTCULLIS_VERSION);
    cli.add_option("-D,--home", options.home,
                   "folder that relative paths of the configuration "
                   "refer to")
        ->option_text("DIR")
        ->capture_default_str();
    cli.add_option("-c,--config", options.config, "configuration file (DIR/etc/ossec.conf)")
        ->option_text("FILE");
    cli.add_flag("-t,--test", options.test_only,
                 "only load the configuration, decoders and rules; exit 0 if they are right");
    cli.add_flag("-v,--verbose", options.traces, "show which rules were tried, in order");
    cli.add_flag("-q,--quiet", options.is_quiet, "do not announce decoder files");
    auto* json = cli.add_flag("--json", options.prints_json, "print one JSON object for each line");
    cli.add_flag("-a,--alerts", options.prints_alerts_only,
                 "print the records of alerts.log and nothing else")
        ->excludes(json);
    cli.add_flag("--fresh", options.is_fresh,
                 "forget composite rules, first-time-seen keys and ignore times before each line");
    cli.add_option("-U,--unit-test", options.unit_test,
                   "exit 0 if the last line has this rule, level and decoder; else 1 for another "
                   "level, 2 for another rule, 3 for another decoder, 255 for no rule")
        ->option_text("RULE:LEVEL:DECODER");
    cli.footer(
        "Reads log lines from standard input and prints, for each, what pre-decoding,\n"
        "decoding and rules make of it.");
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App cli("portcullis-logtest: shows what the engine makes of log lines",
                 "portcullis-logtest");
    add_options(cli, options);
    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    std::optional<UnitTest> unit_test;
    if (!options.unit_test.empty()) {
        unit_test = UnitTest::parse(options.unit_test);
        if (!unit_test) {
            fmt::print(stderr, "portcullis-logtest: -U takes RULE:LEVEL:DECODER\n");
            return EXIT_FAILURE;
        }
    }

    const app::Home home(options.home);
    base::Diagnostics diagnostics;
    const auto configuration = app::load_configuration(
        home, options.config.empty() ? home.config() : options.config, diagnostics);
    fmt::print(stderr, "{}", base::render(diagnostics));
    if (configuration == nullptr) {
        return EXIT_FAILURE;
    }
    if (options.test_only) {
        warn_of_missing_executables(home, *configuration);
        return EXIT_SUCCESS;
    }
    if (!options.prints_json && !options.prints_alerts_only && !unit_test) {
        announce(options, *configuration);
        std::fflush(stdout);
    }
    return Logtest(options, configuration, std::move(unit_test)).run();
}
