// Correlator: what the rules remember from one event to the next.
//
// Holds the recent events with a result (for composite rules), first-time-seen keys of similar
// events, ignore times and counters by rule id. It survives a reload: use() attaches it to another
// RuleSet. Single-threaded, in the order of lines; bounded by a number of events and of bytes, the
// oldest are forgotten and counted. Time is that of the events.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "engine/event/event.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/rules/correlator_limits.hpp"
#include "engine/rules/crawler_names.hpp"
#include "engine/rules/rule_set.hpp"
#include "engine/rules/state_store.hpp"

namespace portcullis::rules {

class Correlator {
  public:
    // Earlier lines that a composite alert shows (spec: rules, section 7.4).
    static constexpr std::size_t kMaxPreviousLines = 11;
    static constexpr std::size_t kMinMemory = 2048;

    // What happens when the time of ignore="N" is over: the rule alerts, and the next N seconds
    // are silent again (Live), or the event after it alerts too (Once, as logtest does).
    enum class Rearm : std::uint8_t { Live, Once };

    // `limits.events` is raised to kMinMemory. `store` must outlive this.
    Correlator(CorrelatorLimits limits, StateStore& store);
    // From now on (reload); what is beyond smaller limits goes with the next event.
    void set_limits(CorrelatorLimits limits);

    // For is_valid_crawler; must live until the next call. nullptr = nobody is asked.
    void set_crawler_names(CrawlerNames* names) { crawler_names_ = names; }
    CrawlerNames* crawler_names() const { return crawler_names_; }

    // From now on the rules are those of `rules`, which must live until the next use(). What is
    // remembered moves over by rule id; state of rules that are gone is dropped.
    void use(const RuleSet& rules);
    // Forgets everything (the StateStore is its owner's).
    void clear();

    // Before an event is evaluated.
    void begin_event();

    // The search of a composite rule for `event`. On a match the events that made it up are marked
    // so that counting starts again, and previous_lines() are theirs.
    // `report`, if given, says what the search saw.
    bool consume_matches(const Rule& rule, const event::Event& event,
                         pattern::MatchScratch& scratch, SearchReport* report = nullptr);
    // <if_fts>: its key is new. Stored at once.
    bool take_first_time(const event::Event& event);
    // <check_diff>: the log differs from the last one stored, which previous_output() then is.
    bool replace_last_log(const Rule& rule, const event::Event& event);

    // Counts a result; returns how often the rule has been one.
    std::uint32_t count(const Rule& rule);
    // Whether ignore="N" of `rule` lets this result alert; if so, it silences the next ones. True
    // if the rule has no such attribute.
    bool admit_and_silence(const Rule& rule, base::Timestamp now, Rearm rearm);
    // Remembers an event whose result is `rule`, for later searches.
    void remember(const Rule& rule, const event::Event& event);

    // Of the last successful search of this event, newest first; the views die with remember().
    std::span<const std::string_view> previous_lines() const { return previous_lines_; }
    const std::optional<std::string>& previous_output() const { return previous_output_; }
    // Events that left the memory because it was full.
    std::uint64_t forgotten() const { return forgotten_; }
    std::size_t remembered() const { return events_.size(); }
    std::size_t remembered_bytes() const { return bytes_; }

  private:
    enum class Part : std::uint8_t {
        FullLog,
        Log,
        Id,
        SrcIp,
        SrcPort,
        DstPort,
        DstUser,
        Hostname,
        Url,
    };
    static constexpr std::size_t kPartCount = 9;
    using Parts = std::array<std::optional<std::string_view>, kPartCount>;

    struct Remembered {
        std::chrono::sys_seconds time;
        event::EventType type = event::EventType::Syslog;
        int rule_id = 0;
        int matched_level = 0;  // the highest composite rule that this event was used up for
        std::string text;
        Parts parts;  // views into text
        std::size_t bytes() const { return sizeof(Remembered) + text.size(); }
    };
    using Sequence = std::uint64_t;  // number of an event since the start

    static Parts parts_of(const event::Event& event);
    static bool shares_fields(const Composite& composite, const Parts& now, const Parts& then,
                              SearchReport& report);
    Remembered* find(Sequence sequence);
    // The `back`-th newest event of the history that `composite` searches; nullptr = no more.
    Remembered* find_newest(const Composite& composite, std::size_t back);
    void feed(const Rule& rule, Sequence sequence);
    void forget_oldest();
    bool is_similar_to_recent_keys(std::string_view key) const;

    struct RuleState {
        std::uint32_t fired = 0;
        std::optional<base::Timestamp> silent_since;
    };

    CorrelatorLimits limits_;
    StateStore& store_;
    CrawlerNames* crawler_names_ = nullptr;
    const RuleSet* rules_ = nullptr;

    std::deque<Remembered> events_;
    Sequence first_sequence_ = 0;  // of events_.front()
    std::size_t bytes_ = 0;
    std::uint64_t forgotten_ = 0;
    std::vector<std::deque<Sequence>> histories_;  // as RuleSet::histories()
    std::unordered_map<int, RuleState> rule_states_;
    std::deque<std::string> recent_ids_keys_;
    std::string key_;  // working memory

    // Of the current event.
    int current_mark_ = 0;
    std::vector<std::string_view> previous_lines_;
    std::optional<std::string> previous_output_;
};

}  // namespace portcullis::rules
