// Analyzer: one way from a log line to its alert and responses.
//
//   prepare (no shared state)   line → pre-decode → decode → PreparedLine
//   commit (in line order)      PreparedLine → rules → Outcome (event, rule, alert, responses)
//
// process() is both, one after the other. The daemon, logtest, the golden tests, the fuzzers and
// the benches all go this way; there is no second path. The Analyzer holds the state that lines
// share (composite rules, first-time-seen keys, ignore times, counters). The configuration is
// immutable and can be replaced whole between two lines; the state survives by rule id. No files,
// no clock: what must persist goes through rules::StateStore, time is a parameter.
//
// Threads: prepare() may run on several threads at once, each with its own PreparedLine, also while
// another thread is in commit(). Everything else is for one thread at a time, and not during a
// prepare().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "engine/alert/alert.hpp"
#include "engine/event/event.hpp"
#include "engine/pipeline/prepared_line.hpp"
#include "engine/rules/correlator_limits.hpp"
#include "engine/rules/trace.hpp"

namespace portcullis::decode {
class DecodeObserver;
class DecoderSet;
}  // namespace portcullis::decode

namespace portcullis::rules {
struct Rule;
class CrawlerNames;
class RuleSet;
class StateStore;
}  // namespace portcullis::rules

namespace portcullis::pipeline {

// The decoders, rules and responses for the analysis of lines. They refer to each other by id and
// index, so they are replaced together.
struct AnalyzerConfig {
    std::shared_ptr<const decode::DecoderSet> decoders;  // never null
    std::shared_ptr<const rules::RuleSet> rules;         // never null
    // For each rule (by its index in the RuleSet) the active-response blocks that it is bound to,
    // as indices into EngineConfig::active_responses, in file order. May be empty as a whole.
    std::vector<std::vector<std::size_t>> responses_of_rule;
};

struct AnalyzerOptions {
    std::string local_hostname = {};  // of a line whose header names no host
    // The DNS look-ups of is_valid_crawler; must live until the next set_options(). nullptr = DNS
    // is not asked.
    rules::CrawlerNames* crawler_names = nullptr;
    rules::CorrelatorLimits limits = {};  // of the memory of composite rules and first-time-seen

    // Steps of the daemon that logtest leaves out (spec: logtest, section 6); live_options() sets
    // all.
    bool drop_repeated_messages = false;    // equal to one of the last three (rules, section 11.0)
    bool normalize_firewall = false;        // (decoders, section 10)
    bool rearm_ignore_after_alert = false;  // ignore="N" stamps again when it alerts again (9)
    bool record_ignored = false;            // the <ignore> element writes its key (9)
};

// The options of the daemon.
AnalyzerOptions live_options(std::string local_hostname);

// The result for one line. Valid until the next call of process(), commit(), replace() or
// set_options(), and only as long as the PreparedLine lives and is not prepared again. The caller
// owns the alert and may move it out.
struct Outcome {
    const event::Event* event = nullptr;  // never null while the Outcome is valid
    // The result of the rule tree, also of level 0; null = no rule matched.
    const rules::Rule* rule = nullptr;
    // Live only: a repeated message or an incomplete firewall event. No rule was tried, and the
    // event is not archived.
    bool dropped = false;
    // The decoder has <accumulate>: fields may come from earlier lines.
    bool accumulated = false;
    // A rule matched but an ignore time or check_if_ignored silences it: no alert, no response.
    bool ignored = false;
    // Set when the rule's level is > 0 and it is not ignored. alert->log says whether it belongs
    // in alerts.log and alerts.json. Its id is 0: the writer of the alerts numbers them.
    std::optional<alert::Alert> alert;
    // Active-response blocks to fire, in order: indices into EngineConfig::active_responses.
    // Only together with an alert (also one that is not logged).
    std::span<const std::size_t> responses;

    bool is_logged() const { return alert.has_value() && alert->log; }
};

// Since the Analyzer was made; survive replace().
struct Counters {
    std::uint64_t lines = 0;
    std::uint64_t lines_with_control_characters = 0;  // NUL among them; they are deleted
    std::uint64_t lines_with_invalid_utf8 = 0;
    std::uint64_t dropped = 0;        // repeated messages and incomplete firewall events
    std::uint64_t rules_matched = 0;  // lines whose result is some rule
    std::uint64_t alerts = 0;         // composed, logged or not
    std::uint64_t ignored = 0;
    std::uint64_t pattern_limit_hits = 0;  // matches given up at a limit of PCRE2
    std::uint64_t forgotten_events = 0;    // left the memory of composite rules because it was full
    std::uint64_t remembered_events = 0;   // in it now
    std::uint64_t remembered_bytes = 0;
};

class Analyzer {
  public:
    // `store` must outlive the Analyzer.
    Analyzer(std::shared_ptr<const AnalyzerConfig> configuration, AnalyzerOptions options,
             rules::StateStore& store);
    ~Analyzer();
    Analyzer(const Analyzer&) = delete;
    Analyzer& operator=(const Analyzer&) = delete;

    // Decodes one line (without its newline; any bytes) into `into`. `location` is where it was
    // read ("/var/log/iplog", "stdin") and must live as long as `into` is used; `now` is the time
    // of reception. `observer`, if given, sees how the decoder is found.
    void prepare(std::string_view line, std::string_view location, base::Timestamp now,
                 PreparedLine& into, decode::DecodeObserver* observer = nullptr) const;
    // Analyses a line that this Analyzer has prepared, once, in the order of lines: the times of
    // reception should not go backwards. A line that was prepared before a replace() or
    // set_options() is decoded anew. `trace`, if given, is overwritten. `line` must live as long as
    // the Outcome is used.
    Outcome& commit(PreparedLine& line, rules::Trace* trace = nullptr);
    // Both for one line.
    Outcome& process(std::string_view line, std::string_view location, base::Timestamp now,
                     rules::Trace* trace = nullptr, decode::DecodeObserver* observer = nullptr);

    // The first demand of `rule` that the last committed event does not meet, as far as that can be
    // asked without storing anything (RuleSet::find_mismatch). REQUIRES: a line was committed since
    // the last replace() or set_options(), its PreparedLine lives, and was not prepared again.
    rules::Mismatch find_mismatch(const rules::Rule& rule);

    // The next line that is committed gets another configuration, or other options (reload). The
    // last Outcome becomes invalid.
    void replace(std::shared_ptr<const AnalyzerConfig> configuration);
    void set_options(AnalyzerOptions options);

    // Forgets all state except the counters (logtest --fresh).
    void reset_state();

    const AnalyzerConfig& configuration() const;
    const Counters& counters() const;

  private:
    struct Impl;
    // The part of prepare() that depends on configuration and options.
    void decode(PreparedLine& line, decode::DecodeObserver* observer) const;

    std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::pipeline
