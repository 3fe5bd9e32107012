#include "engine/pipeline/analyzer.hpp"

#include <algorithm>
#include <array>
#include <utility>

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
    Impl(std::shared_ptr<const Configuration> with, AnalyzerOptions given,
         rules::StateStore& state_store)
        : options(std::move(given)),
          store(state_store),
          correlator(options.limits, state_store),
          configuration(std::move(with)) {
        correlator.set_crawler_names(options.crawler_names);
        correlator.use(*configuration->rules);
    }

    void process(std::string_view line, std::string_view location, base::Timestamp now,
                 rules::Trace* trace, decode::DecodeObserver* observer);
    void count_oddities(std::string_view line);
    bool passes_live_filters();
    void settle(const Rule& rule, base::Timestamp now);
    // The key of <ignore> and <check_if_ignored> (spec: rules, section 9).
    const std::string& ignore_key(const rules::IgnoreParts& parts);
    bool is_ignored(const Rule& rule);

    AnalyzerOptions options;
    rules::StateStore& store;
    Correlator correlator;
    std::shared_ptr<const Configuration> configuration;
    pattern::MatchScratch scratch;
    decode::Accumulator accumulator;
    RepeatFilter repeats;
    Event event;
    Outcome outcome;
    Counters counters;
    std::string key;  // working memory
};

void Analyzer::Impl::process(std::string_view line, std::string_view location, base::Timestamp now,
                             rules::Trace* trace, decode::DecodeObserver* observer) {
    ++counters.lines;
    count_oddities(line);
    outcome = Outcome{};
    outcome.event = &event;
    if (trace != nullptr) {
        trace->steps.clear();
    }

    event.reset(line, location, now);
    scratch.begin_event();
    decode::predecode(event, options.local_hostname);
    configuration->decoders->decode(event, scratch, observer);
    if (!passes_live_filters()) {
        ++counters.dropped;
        outcome.dropped = true;
        return;
    }
    outcome.accumulated = accumulator.update(event, now);

    correlator.begin_event();
    // An alert of another host has its result already; here it is that of the same rule.
    outcome.rule = event.forwarded_rule
                       ? configuration->rules->find(*event.forwarded_rule)
                       : configuration->rules->evaluate(event, scratch, correlator, trace);
    if (outcome.rule != nullptr) {
        settle(*outcome.rule, now);
    }
    counters.pattern_limit_hits = scratch.limit_hits();
    counters.forgotten_events = correlator.forgotten();
    counters.remembered_events = correlator.remembered();
    counters.remembered_bytes = correlator.remembered_bytes();
}

void Analyzer::Impl::count_oddities(std::string_view line) {
    const bool has_control = std::any_of(line.begin(), line.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    counters.lines_with_control_characters += has_control ? 1 : 0;
    counters.lines_with_invalid_utf8 += base::is_utf8(line) ? 0 : 1;
}

bool Analyzer::Impl::passes_live_filters() {
    if (options.normalize_firewall && !normalize_firewall_event(event)) {
        return false;
    }
    return !options.drop_repeated_messages || !repeats.is_repeated(event);
}

// From the result to what is done about it, in the order of spec: rules, section 11.
void Analyzer::Impl::settle(const Rule& rule, base::Timestamp now) {
    ++counters.rules_matched;
    const std::uint32_t fired_times = correlator.count(rule);
    if (rule.level == 0) {
        return;
    }
    const auto rearm =
        options.rearm_ignore_after_alert ? Correlator::Rearm::Live : Correlator::Rearm::Once;
    if (correlator.is_silenced(rule, now, rearm) || is_ignored(rule)) {
        ++counters.ignored;
        outcome.ignored = true;
        return;
    }
    if (rule.ignore.any() && options.record_ignored) {
        store.ignore(ignore_key(rule.ignore));
    }
    ++counters.alerts;
    outcome.alert = compose_alert(event, rule, fired_times, correlator);
    // Who can write a log line can forge a forwarded alert and name any address in it: it is
    // reported, but nothing is done to that address.
    if (!event.forwarded_rule && rule.index < configuration->responses_of_rule.size()) {
        outcome.responses = configuration->responses_of_rule[rule.index];
    }
    correlator.remember(rule, event);
}

bool Analyzer::Impl::is_ignored(const Rule& rule) {
    if (rule.check_if_ignored.none()) {
        return false;
    }
    // OSSEC-COMPAT: whether the data belongs to the key is said by the rule's <ignore>, which it
    // must have as well (test "check_if_ignored takes the data only if <ignore> names it").
    constexpr auto kData = static_cast<std::size_t>(IgnorePart::Data);
    rules::IgnoreParts parts = rule.check_if_ignored;
    parts[kData] = rule.ignore[kData];
    return store.is_ignored(ignore_key(parts));
}

const std::string& Analyzer::Impl::ignore_key(const rules::IgnoreParts& parts) {
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

Analyzer::Analyzer(std::shared_ptr<const Configuration> configuration, AnalyzerOptions options,
                   rules::StateStore& store)
    : impl_(std::make_unique<Impl>(std::move(configuration), std::move(options), store)) {}

Analyzer::~Analyzer() = default;

const Outcome& Analyzer::process(std::string_view line, std::string_view location,
                                 base::Timestamp now, rules::Trace* trace,
                                 decode::DecodeObserver* observer) {
    impl_->process(line, location, now, trace, observer);
    return impl_->outcome;
}

rules::Miss Analyzer::find_miss(const Rule& rule) {
    return impl_->configuration->rules->find_miss(rule, impl_->event, impl_->scratch,
                                                  impl_->correlator);
}

void Analyzer::replace(std::shared_ptr<const Configuration> configuration) {
    impl_->outcome = Outcome{};
    impl_->event.reset({}, {}, {});  // its names point into the old decoders
    impl_->configuration.swap(configuration);
    impl_->correlator.use(*impl_->configuration->rules);
}

void Analyzer::set_options(AnalyzerOptions options) {
    impl_->correlator.set_limits(options.limits);
    impl_->correlator.set_crawler_names(options.crawler_names);
    impl_->options = std::move(options);
}

void Analyzer::reset_state() {
    impl_->correlator.clear();
    impl_->accumulator.clear();
    impl_->repeats.clear();
}

const Configuration& Analyzer::configuration() const { return *impl_->configuration; }

const Counters& Analyzer::counters() const { return impl_->counters; }

}  // namespace portcullis::pipeline
