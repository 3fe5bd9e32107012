#include "programs/engine/engine_metrics.hpp"

#include <array>

namespace portcullis::programs {
namespace {

using N = EngineNumbers;
constexpr auto kCounter = base::MetricKind::Counter;
constexpr auto kGauge = base::MetricKind::Gauge;

// In the order of the status file.
constexpr std::array kMetrics{
    EngineMetric{"files", kGauge, "files that are followed",
                 [](const N& n) -> std::uint64_t { return n.collector.file_count(); }},
    EngineMetric{"bytes", kCounter, "bytes read from them",
                 [](const N& n) { return n.collector.counters().bytes; }},
    EngineMetric{"rotations", kCounter, "files that were replaced by another one",
                 [](const N& n) { return n.collector.counters().rotations; }},
    EngineMetric{"truncations", kCounter, "files that were truncated or rewritten",
                 [](const N& n) { return n.collector.counters().truncations; }},
    EngineMetric{"lines", kCounter, "lines analysed", [](const N& n) { return n.lines.lines; }},
    EngineMetric{"pieces_of_long_lines", kCounter, "lines that are a part of a longer line",
                 [](const N& n) { return n.collector.counters().pieces_of_long_lines; }},
    EngineMetric{"lines_with_control_characters", kCounter,
                 "lines from which control characters were deleted",
                 [](const N& n) { return n.lines.lines_with_control_characters; }},
    EngineMetric{"lines_with_invalid_utf8", kCounter, "lines that are not UTF-8",
                 [](const N& n) { return n.lines.lines_with_invalid_utf8; }},
    EngineMetric{"lines_dropped", kCounter, "repeated messages and incomplete firewall events",
                 [](const N& n) { return n.lines.dropped; }},
    EngineMetric{"rules_matched", kCounter, "lines for which a rule matched",
                 [](const N& n) { return n.lines.rules_matched; }},
    EngineMetric{"ignored", kCounter, "matches that <ignore> of the rule suppressed",
                 [](const N& n) { return n.lines.ignored; }},
    EngineMetric{"alerts", kCounter, "alerts, written or not",
                 [](const N& n) { return n.lines.alerts; }},
    EngineMetric{"alerts_written", kCounter, "alerts written to alerts.log",
                 [](const N& n) { return n.engine.alerts_written; }},
    EngineMetric{"alerts_left_out", kCounter,
                 "alerts that forgeable_alerts_per_minute kept out of the files",
                 [](const N& n) { return n.alert_limit.left_out(); }},
    EngineMetric{"records_lost", kCounter, "records that could not be written or held back",
                 [](const N& n) { return n.outputs.lost_records(); }},
    EngineMetric{"responses_sent", kCounter, "requests sent to execd",
                 [](const N& n) { return n.execd.sent(); }},
    EngineMetric{"responses_queued", kGauge, "requests that wait for execd",
                 [](const N& n) -> std::uint64_t { return n.execd.queued(); }},
    EngineMetric{"responses_lost", kCounter, "requests lost while execd could not be reached",
                 [](const N& n) { return n.execd.lost(); }},
    EngineMetric{"responses_skipped", kCounter,
                 "responses whose alert lacks a field that the command expects",
                 [](const N& n) { return n.engine.responses_skipped; }},
    EngineMetric{"pattern_limit_hits", kCounter, "matches that ended at the limit of PCRE2",
                 [](const N& n) { return n.lines.pattern_limit_hits; }},
    EngineMetric{"remembered_events", kGauge, "events kept for composite rules",
                 [](const N& n) { return n.lines.remembered_events; }},
    EngineMetric{"remembered_bytes", kGauge, "size of these events, in bytes",
                 [](const N& n) { return n.lines.remembered_bytes; }},
    EngineMetric{"forgotten_events", kCounter, "events that made room for newer ones",
                 [](const N& n) { return n.lines.forgotten_events; }},
    EngineMetric{"crawlers_asked", kCounter, "addresses that DNS was asked about",
                 [](const N& n) { return n.crawlers.asked; }},
    EngineMetric{"crawlers_failed", kCounter, "addresses about which DNS gave no answer",
                 [](const N& n) { return n.crawlers.failed; }},
    EngineMetric{"crawlers_not_asked", kCounter, "addresses beyond the limit of questions",
                 [](const N& n) { return n.crawlers.not_asked; }},
    EngineMetric{"first_time_keys", kGauge, "first-time-seen keys that rules remember",
                 [](const N& n) -> std::uint64_t { return n.state.first_time_keys; }},
    EngineMetric{"ignored_keys", kGauge, "ignored keys that rules remember",
                 [](const N& n) -> std::uint64_t { return n.state.ignored_keys; }},
    EngineMetric{"last_logs", kGauge, "logs that check_diff remembers",
                 [](const N& n) -> std::uint64_t { return n.state.last_logs; }},
    EngineMetric{"state_evicted", kCounter, "keys and logs that made room for newer ones",
                 [](const N& n) { return n.state.evicted; }},
    EngineMetric{"state_write_failures", kCounter, "failed writes of what rules remember",
                 [](const N& n) { return n.state.write_failures; }},
    EngineMetric{"reloads", kCounter, "configurations that were loaded at a reload",
                 [](const N& n) { return n.engine.reloads; }},
    EngineMetric{"failed_reloads", kCounter, "configurations that a reload refused",
                 [](const N& n) { return n.engine.failed_reloads; }},
};

}  // namespace

std::span<const EngineMetric> engine_metrics() { return kMetrics; }

}  // namespace portcullis::programs
