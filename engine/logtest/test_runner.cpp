#include "engine/logtest/test_runner.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/decode/decoder_set.hpp"
#include "engine/logtest/golden_file.hpp"
#include "engine/logtest/observed_analyzer.hpp"
#include "engine/logtest/ossec_tests.hpp"
#include "engine/logtest/phases.hpp"
#include "engine/logtest/responses.hpp"
#include "engine/rules/state_store.hpp"

namespace portcullis::logtest {
namespace {

// Shorter lines are not events (spec: logtest, section 2).
constexpr std::size_t kMinLine = 2;

// The first line in which `expected` and `actual` differ.
Difference first_difference(const std::vector<std::string>& expected,
                            const std::vector<std::string>& actual) {
    const auto [want, got] =
        std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
    const auto text = [](auto line, auto end) {
        return line == end ? std::string("nothing more") : "'" + *line + "'";
    };
    if (expected.empty()) {
        return {"output", "nothing: the file has only the line (--update writes what it gives)",
                text(got, actual.end())};
    }
    return {"output", text(want, expected.end()), text(got, actual.end())};
}

bool has_program_decoders(const pipeline::AnalyzerConfig& configuration) {
    return !configuration.decoders->program_decoders().empty();
}

}  // namespace

TestRunner::TestRunner(std::shared_ptr<const pipeline::AnalyzerConfig> configuration,
                       pipeline::AnalyzerOptions options,
                       const std::vector<respond::ActiveResponseConfig>& responses,
                       const base::Clock& clock, Coverage* coverage)
    : configuration_(std::move(configuration)),
      options_(std::move(options)),
      responses_(responses),
      clock_(clock),
      coverage_(coverage) {}

TestFileReport TestRunner::run_ossec_tests(const std::string& file, std::string_view text) const {
    TestFileReport report;
    report.file = file;
    base::Diagnostics diagnostics;
    const std::vector<OssecTest> tests = parse_ossec_tests(file, text, diagnostics);
    if (diagnostics.has_errors()) {
        report.error = base::render(diagnostics);
        return report;
    }
    rules::MemoryStateStore store;
    ObservedAnalyzer analyzer(configuration_, options_, store, {.coverage = coverage_});
    for (const OssecTest& test : tests) {
        analyzer.reset_state();
        store.clear();
        TestResult result;
        result.name = test.name();
        result.place = test.place;
        // As a run of -U judges: the last line decides, unless one before it has no rule at all.
        auto verdict = Verdict::Alike;
        for (const std::string& line : test.lines) {
            if (line.size() < kMinLine || verdict == Verdict::NoRule) {
                continue;
            }
            const pipeline::Outcome& outcome = analyzer.process(line, clock_.now());
            verdict = judge(test.expected, outcome);
            result.line = line;
            result.differences = find_differences(test.expected, outcome);
        }
        if (test.must_differ) {
            result.differences.clear();
            if (verdict == Verdict::Alike) {
                result.differences.push_back(
                    {"entry", "another decoder, rule or level",
                     fmt::format("decoder {}, rule {}, level {}", test.expected.decoder,
                                 test.expected.rule, test.expected.level)});
            }
        }
        report.results.push_back(std::move(result));
    }
    return report;
}

TestRunner::Golden TestRunner::run_golden(const std::string& file, std::string_view text) const {
    Golden golden;
    golden.report.file = file;
    const auto parsed = GoldenFile::parse(file, text);
    if (!parsed) {
        golden.report.error = base::render(parsed.error());
        return golden;
    }
    pipeline::AnalyzerOptions options;
    options.local_hostname = kGoldenHost;
    rules::MemoryStateStore store;
    ObservedAnalyzer analyzer(configuration_, options, store,
                              {.rules = parsed->is_traced, .coverage = coverage_});
    const std::string_view location =
        parsed->location.empty() ? kLocation : std::string_view(parsed->location);
    base::Timestamp now = kGoldenStart;
    std::vector<std::string> lines = parsed->header;
    for (const GoldenFile::Step& step : parsed->steps) {
        lines.emplace_back();
        lines.push_back(step.input);
        if (!step.is_line()) {
            now += step.pause();
            continue;
        }
        const pipeline::Outcome& outcome = analyzer.process(step.line(), now, location);
        const std::vector<std::string> actual =
            shown(outcome, parsed->is_traced ? &analyzer.trace() : nullptr, location);
        lines.insert(lines.end(), actual.begin(), actual.end());
        TestResult result{std::string(step.line()), step.place, std::string(step.line()), {}};
        if (actual != step.expected) {
            result.differences.push_back(first_difference(step.expected, actual));
            // Where the lines begin to differ.
            const auto at = std::mismatch(actual.begin(), actual.end(), step.expected.begin(),
                                          step.expected.end());
            result.place.line += 1 + static_cast<int>(at.first - actual.begin());
        }
        golden.report.results.push_back(std::move(result));
    }
    for (const std::string& line : lines) {
        golden.text += line + "\n";
    }
    if (golden.text != text &&
        std::all_of(golden.report.results.begin(), golden.report.results.end(),
                    [](const auto& each) { return each.has_passed(); })) {
        TestResult whole{"the file as a whole", {file, 1, 0}, {}, {}};
        whole.differences.push_back(first_difference(lines_of(text), lines));
        golden.report.results.push_back(std::move(whole));
    }
    return golden;
}

std::vector<std::string> TestRunner::shown(const pipeline::Outcome& outcome,
                                           const rules::Trace* trace,
                                           std::string_view location) const {
    std::string text = phases_text(outcome, trace, has_program_decoders(*configuration_));
    text.erase(0, text.find_first_not_of('\n'));
    text.erase(text.find_last_not_of('\n') + 1);
    std::vector<std::string> lines = lines_of(text);
    for (std::string& line : response_lines(outcome, responses_, location)) {
        lines.push_back(std::move(line));
    }
    return lines;
}

}  // namespace portcullis::logtest
