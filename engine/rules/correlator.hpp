// Correlator: the state of the rules between one event and the next.
//
// Holds the recent events with a result (for composite rules), recent first-time-seen keys of ids
// events, and ignore times and counters by rule id. It survives a reload: use() attaches it to
// another RuleSet. Used by one thread, in the order of lines. The events are bounded by number and
// by bytes: the oldest are forgotten and counted. Time is that of the events.
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

    // After the time of ignore="N" the rule alerts again. Live: the next N seconds are silent
    // again. Once (as logtest does): the event after it alerts too.
    enum class Rearm : std::uint8_t { Live, Once };

    // `limits.events` is raised to kMinMemory. `store` must outlive this.
    Correlator(CorrelatorLimits limits, StateStore& store);
    // Replaces the limits (reload). Events beyond smaller limits are forgotten with the next
    // remember().
    void set_limits(CorrelatorLimits limits);

    // For is_valid_crawler; must live until the next call. nullptr = DNS is not asked.
    void set_crawler_names(CrawlerNames* names) { crawler_names_ = names; }
    CrawlerNames* crawler_names() const { return crawler_names_; }

    // Replaces the rules by `rules`, which must live until the next use(). Remembered events and
    // state move over by rule id; state of rules that no longer exist is dropped.
    void use(const RuleSet& rules);
    // Forgets everything except the content of the StateStore.
    void clear();

    // Call it before each event is evaluated.
    void begin_event();

    // Searches the earlier events that composite rule `rule` counts for `event`. True = there are
    // enough: they are marked as used up, so that counting starts again, and previous_lines() are
    // theirs. `report`, if given, is filled with the events that were examined.
    bool consume_matches(const Rule& rule, const event::Event& event,
                         pattern::MatchScratch& scratch, SearchReport* report = nullptr);
    // <if_fts>: True = the key of `event` is new, and was stored. Of the key of an ids event that
    // resembles recent ones only the beginning counts. False if the decoder has no <fts>.
    bool take_first_time(const event::Event& event);
    // <check_diff>: stores the log as the last one of its host and rule, unless it is too long for
    // that. True = there was one before and it differs; it is then previous_output().
    bool replace_last_log(const Rule& rule, const event::Event& event);

    // Counts a result of `rule`; returns the number of its results so far.
    std::uint32_t count(const Rule& rule);
    // Whether ignore="N" of `rule` lets this result alert; if so, it silences the next ones. True
    // if the rule has no such attribute.
    bool admit_and_silence(const Rule& rule, base::Timestamp now, Rearm rearm);
    // Remembers an event whose result is `rule`, for later composite rules.
    void remember(const Rule& rule, const event::Event& event);

    // The lines of the events that the last composite rule of this event used up, newest first.
    // Valid until remember().
    std::span<const std::string_view> previous_lines() const { return previous_lines_; }
    const std::optional<std::string>& previous_output() const { return previous_output_; }
    // Events that were forgotten because the memory was full.
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
        int matched_level = 0;  // of the highest composite rule that used this event up
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
