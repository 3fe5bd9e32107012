#include "engine/pipeline/analyzer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "base/utf8.hpp"
#include "engine/decode/accumulator.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/decode/predecode.hpp"
#include "engine/pipeline/compose_alert.hpp"
#include "engine/pipeline/live_filters.hpp"
#include "engine/rules/correlator.hpp"
#include "engine/rules/rule_set.hpp"

namespace portcullis::pipeline {

using event::Event;
using event::FieldId;
using rules::Correlator;
using rules::IgnorePart;
using rules::Rule;

namespace {

constexpr std::size_t kMaxIgnoreKeyBytes = 255;  // (spec: quirks, section 6)

}  // namespace

AnalyzerOptions live_options(std::string local_hostname) {
    AnalyzerOptions options;
    options.local_hostname = std::move(local_hostname);
    options.drop_repeated_messages = true;
    options.normalize_firewall = true;
    options.rearm_ignore_after_alert = true;
    options.record_ignored = true;
    return options;
}

struct Analyzer::Impl {
    Impl(std::shared_ptr<const AnalyzerConfig> with, AnalyzerOptions given,
         rules::StateStore& state_store)
        : options(std::move(given)),
          store(state_store),
          correlator(options.limits, state_store),
          configuration(std::move(with)) {
        correlator.set_crawler_names(options.crawler_names);
        correlator.use(*configuration->rules);
    }

    void count_limit_hits(PreparedLine& of);
    // Whether the line passes the filters of the daemon; remembers it for those after it.
    bool admit_and_remember(const PreparedLine& of);
    void apply_result(const Event& event, const Rule& rule);
    // The key of <ignore> and <check_if_ignored> (spec: rules, section 9).
    const std::string& ignore_key(const Event& event, const rules::IgnoreParts& parts);
    bool is_ignored(const Event& event, const Rule& rule);
    // Lets go of the last committed line. Lines that are prepared already are decoded anew.
    void begin_generation();

    AnalyzerOptions options;
    rules::StateStore& store;
    Correlator correlator;
    std::shared_ptr<const AnalyzerConfig> configuration;
    std::uint64_t generation = 1;  // changes with `configuration` and `options`
    decode::Accumulator accumulator;
    RepeatFilter repeats;
    PreparedLine line;                // of process()
    PreparedLine* committed = &line;  // the last one
    Outcome outcome;
    Counters counters;
    std::string key;  // working memory
};

// The event of `line` has views into the decoders and the host name that are replaced.
void Analyzer::Impl::begin_generation() {
    ++generation;
    outcome = Outcome{};
    committed = &line;
    line.event_.reset({}, {}, {});
}

void Analyzer::Impl::count_limit_hits(PreparedLine& of) {
    counters.pattern_limit_hits += of.scratch_.limit_hits() - of.counted_limit_hits_;
    of.counted_limit_hits_ = of.scratch_.limit_hits();
}

bool Analyzer::Impl::admit_and_remember(const PreparedLine& of) {
    return !of.is_incomplete_ &&
           (!options.drop_repeated_messages || repeats.admit_and_remember(of.event_));
}

// Ignore times, alert, responses and memory, in the order of spec: rules, section 11.
void Analyzer::Impl::apply_result(const Event& event, const Rule& rule) {
    ++counters.rules_matched;
    const std::uint32_t fired_times = correlator.count(rule);
    if (rule.level == 0) {
        return;
    }
    const auto rearm =
        options.rearm_ignore_after_alert ? Correlator::Rearm::Live : Correlator::Rearm::Once;
    if (!correlator.admit_and_silence(rule, event.received, rearm) || is_ignored(event, rule)) {
        ++counters.ignored;
        outcome.ignored = true;
        return;
    }
    if (rule.ignore.any() && options.record_ignored) {
        store.ignore(ignore_key(event, rule.ignore));
    }
    ++counters.alerts;
    outcome.alert = compose_alert(event, rule, fired_times, correlator);
    // Anyone who can write a log line can forge a forwarded alert with any address in it. So it is
    // reported, but no response is bound to it.
    if (!event.forwarded_rule && rule.index < configuration->responses_of_rule.size()) {
        outcome.responses = configuration->responses_of_rule[rule.index];
    }
    correlator.remember(rule, event);
}

bool Analyzer::Impl::is_ignored(const Event& event, const Rule& rule) {
    if (rule.check_if_ignored.none()) {
        return false;
    }
    // OSSEC-COMPAT: the rule's <ignore> decides whether the data belongs to the key, so the rule
    // must have one as well (test "check_if_ignored takes the data only if <ignore> names it").
    constexpr auto kData = static_cast<std::size_t>(IgnorePart::Data);
    rules::IgnoreParts parts = rule.check_if_ignored;
    parts[kData] = rule.ignore[kData];
    return store.is_ignored(ignore_key(event, parts));
}

const std::string& Analyzer::Impl::ignore_key(const Event& event, const rules::IgnoreParts& parts) {
    using Value = std::optional<std::string_view>;
    struct Column {
        IgnorePart part;
        Value value;
    };
    const std::array columns{
        Column{IgnorePart::Name, event.decoder_name},
        Column{IgnorePart::Id, event.field(FieldId::Id)},
        Column{IgnorePart::User, event.field(FieldId::DstUser)},
        Column{IgnorePart::SrcIp, event.field(FieldId::SrcIp)},
        Column{IgnorePart::DstIp, event.field(FieldId::DstIp)},
        Column{IgnorePart::Data, event.field(FieldId::ExtraData)},
        Column{IgnorePart::Data, event.field(FieldId::SystemName)},
        Column{IgnorePart::Location, event.location},
    };
    key.clear();
    for (const Column& column : columns) {
        if (&column != columns.data()) {
            key += ' ';
        }
        if (parts[static_cast<std::size_t>(column.part)] && column.value) {
            key += *column.value;
        }
    }
    key.resize(std::min(key.size(), kMaxIgnoreKeyBytes));
    return key;
}

Analyzer::Analyzer(std::shared_ptr<const AnalyzerConfig> configuration, AnalyzerOptions options,
                   rules::StateStore& store)
    : impl_(std::make_unique<Impl>(std::move(configuration), std::move(options), store)) {}

Analyzer::~Analyzer() = default;

void Analyzer::prepare(std::string_view line, std::string_view location, base::Timestamp now,
                       PreparedLine& into, decode::DecodeObserver* observer) const {
    into.has_control_characters_ = std::any_of(line.begin(), line.end(), base::is_control);
    into.is_invalid_utf8_ = !base::is_utf8(line);
    into.location_ = location;
    into.event_.reset(line, location, now);
    decode(into, observer);
}

void Analyzer::decode(PreparedLine& line, decode::DecodeObserver* observer) const {
    line.generation_ = impl_->generation;
    line.scratch_.begin_event();
    decode::predecode(line.event_, impl_->options.local_hostname);
    impl_->configuration->decoders->decode(line.event_, line.scratch_, observer);
    line.is_incomplete_ =
        impl_->options.normalize_firewall && !normalize_firewall_event(line.event_);
}

Outcome& Analyzer::commit(PreparedLine& line, rules::Trace* trace) {
    Impl& self = *impl_;
    Counters& counters = self.counters;
    Outcome& outcome = self.outcome;
    Event& event = line.event_;
    if (line.generation_ != self.generation) {
        // Its decoder and its host name may be gone with the configuration they are from.
        const std::string text = event.full_log;
        event.reset(text, line.location_, event.received);
        decode(line, nullptr);
    }
    self.committed = &line;
    ++counters.lines;
    counters.lines_with_control_characters += line.has_control_characters_ ? 1 : 0;
    counters.lines_with_invalid_utf8 += line.is_invalid_utf8_ ? 1 : 0;
    outcome = Outcome{};
    outcome.event = &event;
    if (trace != nullptr) {
        trace->steps.clear();
    }
    if (!self.admit_and_remember(line)) {
        self.count_limit_hits(line);
        ++counters.dropped;
        outcome.dropped = true;
        return outcome;
    }
    outcome.accumulated = self.accumulator.update(event, event.received);

    self.correlator.begin_event();
    // An alert of another host has its result already; here it is that of the same rule.
    const rules::RuleSet& rules = *self.configuration->rules;
    outcome.rule = event.forwarded_rule
                       ? rules.find(*event.forwarded_rule)
                       : rules.evaluate(event, line.scratch_, self.correlator, trace);
    if (outcome.rule != nullptr) {
        self.apply_result(event, *outcome.rule);
    }
    self.count_limit_hits(line);
    counters.forgotten_events = self.correlator.forgotten();
    counters.remembered_events = self.correlator.remembered();
    counters.remembered_bytes = self.correlator.remembered_bytes();
    return outcome;
}

Outcome& Analyzer::process(std::string_view line, std::string_view location, base::Timestamp now,
                           rules::Trace* trace, decode::DecodeObserver* observer) {
    prepare(line, location, now, impl_->line, observer);
    return commit(impl_->line, trace);
}

rules::Mismatch Analyzer::find_mismatch(const Rule& rule) {
    PreparedLine& line = *impl_->committed;
    return impl_->configuration->rules->find_mismatch(rule, line.event_, line.scratch_,
                                                      impl_->correlator);
}

void Analyzer::replace(std::shared_ptr<const AnalyzerConfig> configuration) {
    impl_->begin_generation();
    impl_->configuration.swap(configuration);
    impl_->correlator.use(*impl_->configuration->rules);
}

void Analyzer::set_options(AnalyzerOptions options) {
    impl_->begin_generation();
    impl_->correlator.set_limits(options.limits);
    impl_->correlator.set_crawler_names(options.crawler_names);
    impl_->options = std::move(options);
}

void Analyzer::reset_state() {
    impl_->correlator.clear();
    impl_->accumulator.clear();
    impl_->repeats.clear();
}

const AnalyzerConfig& Analyzer::configuration() const { return *impl_->configuration; }

const Counters& Analyzer::counters() const { return impl_->counters; }

}  // namespace portcullis::pipeline
