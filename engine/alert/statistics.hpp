// Statistics: the number of events, alerts and firewall events of each hour, and whether it is
// unusual (spec: alerts, section 6).
//
//   stats/totals/2026/Nov/ossec-totals-24.log   the totals of each finished hour
//   stats/hourly-average, stats/weekly-average  the averages of this hour, and of this hour on this
//   weekday stats/current-hour                          the current hour, so that a restart
//   continues it
//
// Hours without an event do not change the averages. Memory is bounded by the number of rules.
// Errors of files are reported once per episode and never stop counting. One thread; time is a
// parameter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "engine/alert/alert.hpp"

namespace portcullis::alert {

// An hour has too many events if they exceed the average by more than `most`, or by more than both
// `least` and `percent` of the average.
struct UnusualHour {
    bool is_watched = true;
    int most = 999'000;
    int least = 1'250;
    int percent = 150;
};

class Statistics {
  public:
    static constexpr int kAlertRule = 11;
    static constexpr std::uint32_t kMinSamples = 3;  // days, or weeks, before anything is unusual
    static constexpr int kMaxAlertsOfDay = 3;
    static constexpr std::size_t kMaxRules = 20'000;
    static constexpr std::chrono::seconds kSavePeriod{60};

    struct Counted {
        int rule = 0;  // 0 = none matched
        int level = 0;
        bool is_alert = false;
        bool is_firewall = false;
    };
    // An hour that has more events than usual.
    struct Excess {
        int hour = 0;
        std::uint64_t average = 0;
        std::uint64_t events = 0;
    };

    // Continues from the files in `folder` (<home>/stats); damaged ones are ignored. `log` must
    // outlive it.
    Statistics(std::string folder, UnusualHour unusual, base::Log& log);

    // Counts an event. An Excess at most once an hour and kMaxAlertsOfDay times a day.
    std::optional<Excess> count(const Counted& counted, base::Timestamp now);
    // Writes the current hour.
    void save();
    void set_unusual(UnusualHour unusual) { unusual_ = unusual; }

  private:
    struct Average {
        std::uint64_t events = 0;
        std::uint32_t samples = 0;
        void learn(std::uint64_t count);
    };
    struct Hour {
        std::int64_t begin = 0;  // unix time
        std::int64_t end = 0;
        int year = 0;
        int month = 0;
        int day = 0;
        int weekday = 0;
        int hour = 0;
        std::uint64_t events = 0;
        std::uint64_t alerts = 0;
        std::uint64_t firewall = 0;
        std::map<int, std::pair<int, std::uint64_t>> rules;  // id → level, count
        bool has_alerted = false;
        int alerts_of_day = 0;
    };

    static Hour hour_of(std::int64_t unix_time);
    void close_hour(std::int64_t unix_time);
    std::string totals() const;
    std::optional<Excess> find_excess();
    bool is_unusual(const Average& average) const;

    void load();
    void load_averages();
    void save_averages();
    std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
    void append_totals();
    void write(std::string_view name, const std::string& text);
    void report(const std::string& file, const std::string& error);

    std::string folder_;
    UnusualHour unusual_;
    base::Log& log_;
    Hour hour_;
    std::int64_t saved_at_ = 0;
    std::array<Average, 24> hourly_{};
    std::array<std::array<Average, 24>, 7> weekly_{};
    bool is_failing_ = false;
};

// The alert about `excess`. Its rule is Statistics::kAlertRule. It has no address, so no response
// can follow from it.
Alert excess_alert(const Statistics::Excess& excess, int level, std::string hostname,
                   base::Timestamp now);

}  // namespace portcullis::alert
