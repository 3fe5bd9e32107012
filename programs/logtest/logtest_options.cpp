#include "programs/logtest/logtest_options.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace portcullis::programs {
namespace {

void add_input_options(CLI::App& cli, LogtestOptions& options) {
    cli.set_version_flag("-V,--version", "portcullis-logtest " PORTCULLIS_VERSION);
    cli.add_option("-D,--home", options.home,
                   "folder that relative paths of the configuration refer to")
        ->option_text("DIR")
        ->capture_default_str();
    cli.add_option("-c,--config", options.config, "configuration file (DIR/etc/ossec.conf)")
        ->option_text("FILE");
    cli.add_option("--location", options.location,
                   "the file that the engine would have read the lines from, as <localfile> and "
                   "<from_file> name it")
        ->option_text("FILE")
        ->capture_default_str();
    auto* test = cli.add_flag("-t,--test", options.test_only,
                              "only load the configuration, decoders and rules, and say what is "
                              "wrong or looks so; exit 0 if there is no error");
    cli.add_flag(
           "--lint", options.lints,
           "as -t, to standard output; exit 0 if there is nothing to say, 1 for errors, 2 for "
           "warnings alone")
        ->excludes(test);
    cli.add_option("--diagnostics", options.diagnostics_as,
                   "how -t and --lint say it: text, or json for editors, one object a line on "
                   "standard output")
        ->option_text("FORMAT")
        ->check(CLI::IsMember({"text", "json"}));
    cli.add_flag("-q,--quiet", options.is_quiet, "do not announce decoder files");
    cli.add_flag("-d,--debug", options.debug, "say what is loaded and how long lines take");
    cli.add_flag("--fresh", options.is_fresh,
                 "forget composite rules, first-time-seen keys and ignore times before each line");
    cli.add_flag("--live", options.is_live,
                 "do to lines what only the engine does: drop repeated messages and incomplete "
                 "firewall events, normalise firewall actions, re-arm ignore");
}

void add_output_options(CLI::App& cli, LogtestOptions& options, std::string& unit_test,
                        int& why_not) {
    cli.add_flag("-v,--verbose", options.traces,
                 "show which rules were tried, in order; with --run: the tests that pass, too");
    cli.add_flag("--explain", options.explains,
                 "show each decoder and rule tried: matched, or what it lacks, and how far a "
                 "pattern gets");
    cli.add_option("--why-not", why_not, "show why this rule is not the result")
        ->option_text("RULE")
        ->check(CLI::Range(0, 999'999));
    cli.add_flag("--coverage", options.covers,
                 "at the end, show which decoders and rules no line has reached");
    auto* json = cli.add_flag("--json", options.prints_json,
                              "print one JSON object for each line, with --run one for all");
    cli.add_flag("-a,--alerts", options.prints_alerts_only,
                 "print the records of alerts.log and nothing else")
        ->excludes(json);
    cli.add_option("-U,--unit-test", unit_test,
                   "exit 0 if the last line has this rule, level and decoder; else 1 for another "
                   "level, 2 for another rule, 3 for another decoder, 255 for no rule")
        ->option_text("RULE:LEVEL:DECODER");
}

void add_run_options(CLI::App& cli, LogtestOptions& options) {
    auto* run = cli.add_option("--run", options.run,
                               "run tests instead of reading standard input: OSSEC's .ini files, "
                               "golden .logtest files, folders of them; exit 0 if all pass")
                    ->option_text("PATH...")
                    ->expected(1, -1);
    cli.add_option("--junit", options.junit, "write the results of --run as JUnit XML, too")
        ->option_text("FILE")
        ->needs(run);
    cli.add_flag("--update", options.updates,
                 "rewrite golden files to what they give now (also UPDATE_GOLDEN=1)")
        ->envname("UPDATE_GOLDEN")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

int refuse(const CLI::App& cli, const std::string& why) {
    // The reason comes last, where it is not lost above a screen of options.
    fmt::print(stderr, "{}\nportcullis-logtest: {}\n", cli.help(), why);
    return EXIT_FAILURE;
}

}  // namespace

std::optional<int> parse_logtest_options(int argc, char** argv, LogtestOptions& options) {
    CLI::App cli("portcullis-logtest: shows what the engine makes of log lines",
                 "portcullis-logtest");
    std::string unit_test;
    int why_not = -1;
    add_input_options(cli, options);
    add_output_options(cli, options, unit_test, why_not);
    add_run_options(cli, options);
    cli.footer(
        "Reads log lines from standard input and prints, for each, what pre-decoding,\n"
        "decoding and rules make of it: as OSSEC's does, to standard error; JSON, alerts and\n"
        "results of tests to standard output.");
    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
            return cli.exit(error);
        }
        return refuse(cli, error.what());
    }
    if (!unit_test.empty()) {
        options.unit_test = logtest::Expectation::parse(unit_test);
        if (!options.unit_test) {
            return refuse(cli, "-U takes RULE:LEVEL:DECODER");
        }
    }
    if (why_not >= 0) {
        options.why_not = why_not;
    }
    return std::nullopt;
}

}  // namespace portcullis::programs
