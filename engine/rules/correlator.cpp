#include "engine/rules/correlator.hpp"

#include <algorithm>
#include <utility>

namespace portcullis::rules {
namespace {

using event::Event;
using event::FieldId;

// First-time-seen keys (spec: decoders, section 7).
constexpr std::size_t kMaxKeyBytes = 255;
constexpr std::ptrdiff_t kSimilarKeys = 3;

// check_diff compares nothing longer (spec: rules, section 10).
constexpr std::size_t kMaxDiffBytes = 8192;

std::chrono::sys_seconds seconds_of(base::Timestamp time) {
    return std::chrono::floor<std::chrono::seconds>(time);
}

}  // namespace

Correlator::Correlator(CorrelatorLimits limits, StateStore& store) : store_(store) {
    set_limits(limits);
    previous_lines_.reserve(kMaxPreviousLines);
}

void Correlator::set_limits(CorrelatorLimits limits) {
    limits_ = limits;
    limits_.events = std::max(limits.events, kMinMemory);
}

void Correlator::use(const RuleSet& rules) {
    rules_ = &rules;
    begin_event();
    histories_.assign(rules.histories().size(), {});
    for (std::size_t i = 0; i < events_.size(); ++i) {
        if (const Rule* rule = rules.find(events_[i].rule_id)) {
            feed(*rule, first_sequence_ + i);
        }
    }
    for (auto state = rule_states_.begin(); state != rule_states_.end();) {
        state = rules.find(state->first) == nullptr ? rule_states_.erase(state) : std::next(state);
    }
}

void Correlator::clear() {
    begin_event();
    events_.clear();
    bytes_ = 0;
    for (std::deque<Sequence>& history : histories_) {
        history.clear();
    }
    rule_states_.clear();
    recent_ids_keys_.clear();
}

void Correlator::begin_event() {
    current_mark_ = 0;
    previous_lines_.clear();
    previous_output_.reset();
}

// The walk of spec: rules, section 7.2.
bool Correlator::consume_matches(const Rule& rule, const Event& event,
                                 pattern::MatchScratch& scratch, SearchReport* wanted_report) {
    SearchReport unwanted;
    SearchReport& report = wanted_report == nullptr ? unwanted : *wanted_report;
    report = {};
    const Composite& composite = *rule.composite;
    const bool is_regex = composite.history == Composite::History::Regex;
    const Parts now = parts_of(event);
    const auto now_seconds = seconds_of(event.received);
    std::array<std::string_view, kMaxPreviousLines> lines;
    int count = 0;

    for (std::size_t back = 0; Remembered* then = find_newest(composite, back); ++back) {
        if (now_seconds - then->time > rule.timeframe) {
            report.end = SearchReport::End::TooOld;
            return false;
        }
        if (then->matched_level >= rule.level) {
            report.end = SearchReport::End::UsedUp;
            return false;
        }
        ++report.seen;
        if (is_regex &&
            (then->type != event.type ||
             !composite.pattern->matches(*then->parts[std::size_t(Part::Log)], scratch))) {
            ++report.other_text;
            continue;
        }
        if (!shares_fields(composite, now, then->parts, report)) {
            continue;
        }
        ++report.counted;
        const auto shown = static_cast<std::size_t>(count);
        const bool is_enough = count == rule.frequency;
        // The event that completes the count is shown for if_matched_sid only (section 7.4).
        const bool is_shown = !is_enough || composite.history == Composite::History::Sid;
        if (is_shown && shown < lines.size()) {
            lines[shown] = *then->parts[std::size_t(Part::FullLog)];
        }
        if (!is_enough) {
            ++count;
            continue;
        }
        report.end = SearchReport::End::Fired;
        current_mark_ = rule.level;
        then->matched_level = rule.level;
        find_newest(composite, 0)->matched_level = rule.level;
        const std::size_t line_count = std::min(shown + (is_shown ? 1 : 0), lines.size());
        previous_lines_.assign(lines.begin(),
                               lines.begin() + static_cast<std::ptrdiff_t>(line_count));
        return true;
    }
    return false;
}

bool Correlator::shares_fields(const Composite& composite, const Parts& now, const Parts& then,
                               SearchReport& report) {
    struct Row {
        Shared shared;
        Part part;
        bool for_regex;  // if_matched_regex looks at these only (section 7.2)
    };
    static constexpr std::array kRows{
        Row{Shared::Id, Part::Id, true},
        Row{Shared::SrcIp, Part::SrcIp, true},
        Row{Shared::SrcPort, Part::SrcPort, false},
        Row{Shared::DstPort, Part::DstPort, false},
        Row{Shared::User, Part::DstUser, true},
        // OSSEC-COMPAT: same_location compares host names.
        Row{Shared::Location, Part::Hostname, false},
    };
    const bool is_regex = composite.history == Composite::History::Regex;
    const auto is_unequal = [&](Part part) {
        const auto& mine = now[std::size_t(part)];
        return !mine || mine != then[std::size_t(part)];
    };
    for (const Row& row : kRows) {
        if (composite.shared[std::size_t(row.shared)] && (row.for_regex || !is_regex) &&
            is_unequal(row.part)) {
            ++report.differing[std::size_t(row.shared)];
            return false;
        }
    }
    if (composite.different_url) {
        const auto& mine = now[std::size_t(Part::Url)];
        const auto& other = then[std::size_t(Part::Url)];
        const bool is_different = mine && other && *mine != *other;
        report.same_url += is_different ? 0 : 1;
        return is_different;
    }
    return true;
}

Correlator::Parts Correlator::parts_of(const Event& event) {
    return {event.full_log,
            event.log,
            event.field(FieldId::Id),
            event.field(FieldId::SrcIp),
            event.field(FieldId::SrcPort),
            event.field(FieldId::DstPort),
            event.field(FieldId::DstUser),
            event.hostname,
            event.field(FieldId::Url)};
}

Correlator::Remembered* Correlator::find(Sequence sequence) {
    return sequence < first_sequence_
               ? nullptr
               : &events_[static_cast<std::size_t>(sequence - first_sequence_)];
}

Correlator::Remembered* Correlator::find_newest(const Composite& composite, std::size_t back) {
    if (composite.history == Composite::History::Regex) {
        return back < events_.size() ? &events_[events_.size() - 1 - back] : nullptr;
    }
    const std::deque<Sequence>& history = histories_[composite.history_index];
    return back < history.size() ? find(history[history.size() - 1 - back]) : nullptr;
}

void Correlator::remember(const Rule& rule, const Event& event) {
    Remembered& remembered = events_.emplace_back();
    remembered.time = seconds_of(event.received);
    remembered.type = event.type;
    remembered.rule_id = rule.id;
    remembered.matched_level = current_mark_;

    const Parts parts = parts_of(event);
    std::size_t size = 0;
    for (const auto& part : parts) {
        size += part ? part->size() : 0;
    }
    remembered.text.reserve(size);  // so that the views below stay valid
    for (std::size_t i = 0; i < kPartCount; ++i) {
        if (parts[i]) {
            const std::size_t begin = remembered.text.size();
            remembered.text += *parts[i];
            remembered.parts[i] = std::string_view(remembered.text).substr(begin);
        }
    }
    bytes_ += remembered.bytes();
    feed(rule, first_sequence_ + events_.size() - 1);
    while (events_.size() > limits_.events || (bytes_ > limits_.bytes && events_.size() > 1)) {
        forget_oldest();
    }
}

void Correlator::feed(const Rule& rule, Sequence sequence) {
    for (const std::size_t index : rule.feeds) {
        std::deque<Sequence>& history = histories_[index];
        history.push_back(sequence);
        const bool is_sid = rules_->histories()[index].sid != 0;
        while (history.front() < first_sequence_ ||
               (is_sid && history.size() > limits_.sid_history)) {
            history.pop_front();
        }
    }
}

void Correlator::forget_oldest() {
    const Remembered& oldest = events_.front();
    bytes_ -= oldest.bytes();
    if (const Rule* rule = rules_->find(oldest.rule_id)) {
        for (const std::size_t index : rule->feeds) {
            std::deque<Sequence>& history = histories_[index];
            if (!history.empty() && history.front() == first_sequence_) {
                history.pop_front();
            }
        }
    }
    events_.pop_front();
    ++first_sequence_;
    ++forgotten_;
}

bool Correlator::take_first_time(const Event& event) {
    if (!event.fts) {
        return false;
    }
    const std::array<std::optional<std::string_view>, 8> values{
        event.field(FieldId::Id),         event.field(FieldId::DstUser),
        event.field(FieldId::SrcUser),    event.field(FieldId::SrcIp),
        event.field(FieldId::DstIp),      event.field(FieldId::ExtraData),
        event.field(FieldId::SystemName), event.location};
    key_.assign(event.decoder_name);
    for (std::size_t part = 0; part < values.size(); ++part) {
        key_ += ' ';
        if ((*event.fts)[part] && values[part]) {
            key_ += *values[part];
        }
    }
    key_.resize(std::min(key_.size(), kMaxKeyBytes));
    if (store_.knows_first_time(key_)) {
        return false;
    }
    if (event.type == event::EventType::Ids) {
        if (is_similar_to_recent_keys(key_)) {
            key_.resize(std::min(key_.size(), limits_.similar_prefix));
            if (store_.knows_first_time(key_)) {
                return false;
            }
        }
        recent_ids_keys_.push_back(key_);
        while (recent_ids_keys_.size() > limits_.recent_keys) {
            recent_ids_keys_.pop_front();
        }
    }
    store_.remember_first_time(key_);
    return true;
}

bool Correlator::is_similar_to_recent_keys(std::string_view key) const {
    if (key.size() <= limits_.similar_prefix) {
        return false;
    }
    const std::string_view prefix = key.substr(0, limits_.similar_prefix + 1);
    return std::count_if(recent_ids_keys_.begin(), recent_ids_keys_.end(),
                         [&](std::string_view recent) { return recent.starts_with(prefix); }) >=
           kSimilarKeys;
}

bool Correlator::replace_last_log(const Rule& rule, const Event& event) {
    if (event.log.size() >= kMaxDiffBytes) {
        return false;
    }
    auto previous =
        store_.exchange_last_log(event.hostname.value_or(std::string_view()), rule.id, event.log);
    if (!previous || *previous == event.log) {
        return false;
    }
    previous_output_ = std::move(previous);
    return true;
}

std::uint32_t Correlator::count(const Rule& rule) { return ++rule_states_[rule.id].fired; }

bool Correlator::admit_and_silence(const Rule& rule, base::Timestamp now, Rearm rearm) {
    if (!rule.silence) {
        return true;
    }
    std::optional<base::Timestamp>& since = rule_states_[rule.id].silent_since;
    if (!since) {
        since = now;
        return true;
    }
    // A clock that was set back must not prolong the silence.
    if (now >= *since && seconds_of(now) - seconds_of(*since) < *rule.silence) {
        return false;
    }
    if (rearm == Rearm::Live) {
        since = now;
    } else {
        since.reset();
    }
    return true;
}

}  // namespace portcullis::rules
