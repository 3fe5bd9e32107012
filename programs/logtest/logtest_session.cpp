#include "programs/logtest/logtest_session.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/alert/record_formats.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/logtest/explanation.hpp"
#include "engine/logtest/phases.hpp"
#include "engine/logtest/responses.hpp"
#include "engine/logtest/why_not.hpp"
#include "programs/analysis_options.hpp"
#include "programs/logtest/line_editor.hpp"
#include "programs/logtest/logtest_messages.hpp"

namespace portcullis::programs {
namespace {

using logtest::Verdict;

pipeline::AnalyzerOptions analyzer_options(const LogtestOptions& options,
                                           const HomeConfiguration& configuration) {
    return analysis_options(configuration.engine,
                            options.is_live ? Behaviour::Live : Behaviour::Test);
}

logtest::RecordingOptions recording_options(const LogtestOptions& options,
                                            std::optional<logtest::Coverage>& coverage) {
    return {.rules = options.traces || options.explains || options.why_not,
            .decoding = options.explains,
            .coverage = coverage ? &*coverage : nullptr};
}

std::optional<logtest::Coverage> make_coverage(
    const LogtestOptions& options, const std::shared_ptr<const HomeConfiguration>& configuration) {
    return options.covers
               ? std::optional<logtest::Coverage>(HomeConfiguration::analysis_of(configuration))
               : std::nullopt;
}

}  // namespace

LogtestSession::LogtestSession(const LogtestOptions& options,
                               const std::shared_ptr<const HomeConfiguration>& configuration,
                               const rules::Rule* why_not)
    : options_(options),
      configuration_(configuration),
      why_not_(why_not),
      text_(stderr),
      records_(stdout),
      store_(Home(options.home).queue()),
      coverage_(make_coverage(options, configuration)),
      analyzer_(HomeConfiguration::analysis_of(configuration),
                analyzer_options(options, *configuration), store_,
                recording_options(options, coverage_)) {
    if (!options.is_fresh) {
        base::Diagnostics diagnostics;
        store_.load(diagnostics);
        fmt::print(stderr, "{}", base::render(diagnostics));
    }
}

int LogtestSession::run() {
    if (LineEditor::is_possible()) {
        read_terminal();
    } else {
        read_bytes();
    }
    if (coverage_ && !is_over_) {
        print_coverage();
    }
    return status_;
}

void LogtestSession::read_bytes() {
    std::array<char, 64 * 1024> buffer{};
    while (!is_over_) {
        const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            break;
        }
        std::string_view chunk(buffer.data(), static_cast<std::size_t>(size));
        while (!chunk.empty() && !is_over_) {
            take(chunk);
        }
    }
    if (!line_.empty() && !is_over_) {
        analyse(line_);
    }
}

void LogtestSession::read_terminal() {
    LineEditor editor(LineEditor::default_history_path());
    while (!is_over_) {
        const auto line = editor.read();
        if (!line) {
            text_.write("\n");
            return;
        }
        const std::string whole = *line + '\n';
        std::string_view rest = whole;
        while (!rest.empty() && !is_over_) {
            take(rest);
        }
    }
}

void LogtestSession::take(std::string_view& chunk) {
    const std::size_t wanted = std::min(chunk.find('\n'), chunk.size());
    const std::size_t taken = std::min(wanted, kMaxLine - line_.size());
    line_ += chunk.substr(0, taken);
    chunk.remove_prefix(taken);
    const bool is_ended = !chunk.empty() && chunk.front() == '\n';
    if (is_ended) {
        chunk.remove_prefix(1);
    }
    if (is_ended || line_.size() == kMaxLine) {
        analyse(line_);
        line_.clear();
    }
}

void LogtestSession::analyse(std::string_view line) {
    // As in a file that the engine follows.
    if (!std::exchange(has_begun_, true)) {
        line = base::without_byte_order_mark(line);
    }
    if (line.size() < kMinLine) {
        return;
    }
    if (options_.is_fresh) {
        analyzer_.reset_state();
        store_.clear();
    }
    const auto begin = std::chrono::steady_clock::now();
    pipeline::Outcome& outcome = analyzer_.process(line, clock_.now(), options_.location);
    if (options_.debug > 0) {
        const std::chrono::duration<double, std::micro> taken =
            std::chrono::steady_clock::now() - begin;
        debug_message(fmt::format("{} bytes analysed in {:.0f} us; matches given up at a limit: {}",
                                  line.size(), taken.count(),
                                  analyzer_.counters().pattern_limit_hits));
    }
    bool is_written = true;
    if (options_.prints_alerts_only) {
        if (outcome.is_logged()) {
            outcome.alert->id = ++alert_count_;
            is_written = records_.write(alert::alert_as_text(*outcome.alert));
        }
    } else if (options_.prints_json) {
        is_written = records_.write(json_of(outcome));
    } else {
        is_written = text_.write(text_of(outcome));
    }
    if (!is_written) {  // nobody reads what is printed
        status_ = EXIT_FAILURE;
        is_over_ = true;
        return;
    }
    if (options_.unit_test) {
        judge(outcome);
    }
}

// -U (spec: logtest, section 4).
void LogtestSession::judge(const pipeline::Outcome& outcome) {
    const logtest::Expectation& expected = *options_.unit_test;
    const std::string decoder(outcome.event->decoder_name);
    std::string text = fmt::format("lf->decoder_info->name: '{}'\nut_decoder_name       : '{}'\n",
                                   decoder.empty() ? "(null)" : decoder, expected.decoder);
    const Verdict verdict = logtest::judge(expected, outcome);
    if (verdict == Verdict::OtherDecoder) {
        text += decoder.empty() ? "decoder matched : 'NULL'\n"
                                : fmt::format("decoder matched : '{}'\ndecoder expected: '{}'\n",
                                              decoder, expected.decoder);
    } else if (verdict == Verdict::NoRule) {
        text += "portcullis-logtest: no rule is the result\n";
        is_over_ = true;
    }
    text_.write(text);
    if (verdict == Verdict::Alike) {
        records_.write("0\n");
    }
    status_ = static_cast<int>(verdict);
}

std::string LogtestSession::text_of(const pipeline::Outcome& outcome) {
    const rules::RuleSet& rules = *analyzer_.configuration().rules;
    const bool has_program_decoders =
        !analyzer_.configuration().decoders->program_decoders().empty();
    std::string text = logtest::phases_text(outcome, options_.traces ? &analyzer_.trace() : nullptr,
                                            has_program_decoders);
    for (const std::string& line : logtest::response_lines(
             outcome, configuration_->engine.active_responses, options_.location)) {
        text += line + '\n';
    }
    if (options_.explains) {
        text += logtest::explanation_text(analyzer_.decoding(), rules, analyzer_.trace(), outcome,
                                          scratch_);
    }
    if (why_not_ != nullptr) {
        const auto why_not = logtest::find_why_not(*why_not_, rules, analyzer_.trace(), outcome,
                                                   analyzer_.find_mismatch(*why_not_));
        text += logtest::why_not_text(why_not, *why_not_, rules, outcome, scratch_);
    }
    return text;
}

std::string LogtestSession::json_of(const pipeline::Outcome& outcome) {
    const rules::RuleSet& rules = *analyzer_.configuration().rules;
    auto json = logtest::phases_json(outcome);
    json.update(logtest::responses_json(outcome, configuration_->engine.active_responses,
                                        options_.location));
    if (options_.explains) {
        json.update(
            logtest::explanation_json(analyzer_.decoding(), analyzer_.trace(), outcome, scratch_));
    }
    if (why_not_ != nullptr) {
        const auto why_not = logtest::find_why_not(*why_not_, rules, analyzer_.trace(), outcome,
                                                   analyzer_.find_mismatch(*why_not_));
        json["why_not"] = logtest::why_not_json(why_not, *why_not_, rules, outcome, scratch_);
    }
    return json.dump() + '\n';
}

void LogtestSession::print_coverage() {
    if (options_.prints_json) {
        records_.write(
            nlohmann::ordered_json{{"coverage", logtest::coverage_json(*coverage_)}}.dump() + '\n');
    } else {
        text_.write("\n**Coverage:\n" + logtest::coverage_text(*coverage_));
    }
}

}  // namespace portcullis::programs
