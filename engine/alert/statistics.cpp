#include "engine/alert/statistics.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/fd.hpp"
#include "engine/alert/local_time.hpp"

namespace portcullis::alert {
namespace {

constexpr std::string_view kHourly = "hourly-average";
constexpr std::string_view kWeekly = "weekly-average";
constexpr std::string_view kCurrent = "current-hour";

// From this number of samples on, a new one changes the average by this part of its difference, so
// that old samples fade.
constexpr std::uint32_t kMaxSamples = 60;
// No count that is read from a file is larger, so that sums do not wrap.
constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 48;

std::string text_of_file(const std::string& path) { return base::read_file(path).value_or(""); }

}  // namespace

void Statistics::Average::learn(std::uint64_t count) {
    samples = std::min(samples + 1, kMaxSamples);
    // Towards the new value by a part of the distance.
    const auto distance = static_cast<std::int64_t>(count) - static_cast<std::int64_t>(events);
    const auto parts = static_cast<std::int64_t>(samples);
    events = static_cast<std::uint64_t>(static_cast<std::int64_t>(events) + distance / parts);
}

Statistics::Statistics(std::string folder, UnusualHour unusual, base::Log& log)
    : folder_(std::move(folder)), unusual_(unusual), log_(log) {
    load_averages();
    load();
}

Statistics::Hour Statistics::hour_of(std::int64_t unix_time) {
    const auto seconds = static_cast<std::time_t>(unix_time);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    constexpr std::int64_t kHour = 3600;
    Hour hour;
    hour.begin = unix_time - local.tm_min * 60 - local.tm_sec;
    hour.end = hour.begin + kHour;
    hour.year = local.tm_year + 1900;
    hour.month = local.tm_mon;
    hour.day = local.tm_mday;
    hour.weekday = local.tm_wday;
    hour.hour = local.tm_hour;
    return hour;
}

std::optional<Statistics::Excess> Statistics::count(const Counted& counted, base::Timestamp now) {
    const std::int64_t seconds = unix_seconds(now);
    if (seconds < hour_.begin || seconds >= hour_.end) {
        close_hour(seconds);
    }
    ++hour_.events;
    hour_.alerts += counted.is_alert ? 1 : 0;
    hour_.firewall += counted.is_firewall ? 1 : 0;
    if (counted.rule != 0) {
        const auto known = hour_.rules.find(counted.rule);
        if (known != hour_.rules.end()) {
            ++known->second.second;
        } else if (hour_.rules.size() < kMaxRules) {
            hour_.rules.emplace(counted.rule, std::pair(counted.level, 1));
        }
    }
    if (seconds - saved_at_ >= kSavePeriod.count() || seconds < saved_at_) {
        saved_at_ = seconds;
        save();
    }
    return find_excess();
}

// The hour is over: it is written down and learned from.
void Statistics::close_hour(std::int64_t unix_time) {
    Hour next = hour_of(unix_time);
    const bool is_same_day =
        next.year == hour_.year && next.month == hour_.month && next.day == hour_.day;
    next.alerts_of_day = is_same_day ? hour_.alerts_of_day : 0;
    if (hour_.events > 0) {
        append_totals();
        const auto hour = static_cast<std::size_t>(hour_.hour);
        hourly_[hour].learn(hour_.events);
        weekly_[static_cast<std::size_t>(hour_.weekday)][hour].learn(hour_.events);
        save_averages();
    }
    hour_ = std::move(next);
}

bool Statistics::is_unusual(const Average& average) const {
    if (average.samples < kMinSamples || hour_.events <= average.events) {
        return false;
    }
    const std::uint64_t above = hour_.events - average.events;
    const auto limit = [](int value) { return static_cast<std::uint64_t>(value); };
    return above > limit(unusual_.most) || (above > limit(unusual_.least) &&
                                            above * 100 > limit(unusual_.percent) * average.events);
}

std::optional<Statistics::Excess> Statistics::find_excess() {
    if (!unusual_.is_watched || hour_.has_alerted || hour_.alerts_of_day >= kMaxAlertsOfDay) {
        return std::nullopt;
    }
    const auto hour = static_cast<std::size_t>(hour_.hour);
    for (const Average* average :
         {&hourly_[hour], &weekly_[static_cast<std::size_t>(hour_.weekday)][hour]}) {
        if (is_unusual(*average)) {
            hour_.has_alerted = true;
            ++hour_.alerts_of_day;
            save();
            return Excess{hour_.hour, average->events, hour_.events};
        }
    }
    return std::nullopt;
}

std::string Statistics::totals() const {
    std::string text;
    for (const auto& [rule, counted] : hour_.rules) {
        text += fmt::format("{}-{}-{}-{}\n", hour_.hour, rule, counted.first, counted.second);
    }
    constexpr int kSyscheck = 0;  // a daemon that does not exist here
    text += fmt::format("{}--{}--{}--{}--{}\n", hour_.hour, hour_.alerts, hour_.events, kSyscheck,
                        hour_.firewall);
    return text;
}

void Statistics::append_totals() {
    const LocalDay day{hour_.year, hour_.month, hour_.day};
    std::string folder = path("totals");
    ::mkdir(folder.c_str(), 0750);
    ::mkdir((folder + "/" + std::to_string(day.year)).c_str(), 0750);
    folder += "/" + day.folder();
    ::mkdir(folder.c_str(), 0750);
    const std::string file = folder + "/ossec-totals-" + day.number() + ".log";
    const base::UniqueFd fd = base::open_for_append(file, 0640);
    const bool is_written = fd && base::write_all(fd.get(), totals());
    report(file, is_written ? std::string() : base::error_text(errno));
}

// A line each: [weekday] hour average samples.
void Statistics::save_averages() {
    std::string hourly;
    std::string weekly;
    for (std::size_t hour = 0; hour < hourly_.size(); ++hour) {
        hourly += fmt::format("{} {} {}\n", hour, hourly_[hour].events, hourly_[hour].samples);
    }
    for (std::size_t weekday = 0; weekday < weekly_.size(); ++weekday) {
        for (std::size_t hour = 0; hour < weekly_[weekday].size(); ++hour) {
            const Average& average = weekly_[weekday][hour];
            weekly += fmt::format("{} {} {} {}\n", weekday, hour, average.events, average.samples);
        }
    }
    write(kHourly, hourly);
    write(kWeekly, weekly);
}

void Statistics::load_averages() {
    std::size_t weekday = 0;
    std::size_t hour = 0;
    Average read;
    const auto limit = [&] {
        read.events = std::min(read.events, kMaxCount);
        read.samples = std::min(read.samples, kMaxSamples);
    };
    std::istringstream hourly(text_of_file(path(kHourly)));
    while (hourly >> hour >> read.events >> read.samples && hour < hourly_.size()) {
        limit();
        hourly_[hour] = read;
    }
    std::istringstream weekly(text_of_file(path(kWeekly)));
    while (weekly >> weekday >> hour >> read.events >> read.samples && weekday < weekly_.size() &&
           hour < hourly_.size()) {
        limit();
        weekly_[weekday][hour] = read;
    }
}

// begin events alerts firewall has_alerted alerts_of_day, then a line for each rule.
void Statistics::save() {
    std::string text = fmt::format("{} {} {} {} {} {}\n", hour_.begin, hour_.events, hour_.alerts,
                                   hour_.firewall, hour_.has_alerted ? 1 : 0, hour_.alerts_of_day);
    for (const auto& [rule, counted] : hour_.rules) {
        text += fmt::format("{} {} {}\n", rule, counted.first, counted.second);
    }
    write(kCurrent, text);
}

void Statistics::load() {
    std::istringstream in(text_of_file(path(kCurrent)));
    std::int64_t begin = 0;
    Hour read;
    int has_alerted = 0;
    constexpr std::int64_t kLastYear = 253'402'300'799;  // of four digits
    if (!(in >> begin >> read.events >> read.alerts >> read.firewall >> has_alerted >>
          read.alerts_of_day) ||
        begin < 0 || begin > kLastYear) {
        return;
    }
    hour_ = hour_of(begin);
    hour_.events = std::min(read.events, kMaxCount);
    hour_.alerts = std::min(read.alerts, kMaxCount);
    hour_.firewall = std::min(read.firewall, kMaxCount);
    hour_.has_alerted = has_alerted != 0;
    hour_.alerts_of_day = std::clamp(read.alerts_of_day, 0, kMaxAlertsOfDay);
    int rule = 0;
    int level = 0;
    std::uint64_t count = 0;
    while (hour_.rules.size() < kMaxRules && in >> rule >> level >> count) {
        hour_.rules.emplace(rule, std::pair(level, std::min(count, kMaxCount)));
    }
}

void Statistics::write(std::string_view name, const std::string& text) {
    const std::string file = path(name);
    const auto written = base::write_file_atomically(file, text, 0640, base::Durability::Process);
    report(file, written ? std::string() : written.error().message);
}

void Statistics::report(const std::string& file, const std::string& error) {
    if (!error.empty() && !is_failing_) {
        log_.warning(file + ": cannot be written: " + error + "; statistics stay in memory");
    }
    is_failing_ = !error.empty();
}

Alert excess_alert(const Statistics::Excess& excess, int level, std::string hostname,
                   base::Timestamp now) {
    Alert alert;
    alert.time = now;
    alert.rule.id = Statistics::kAlertRule;
    alert.rule.level = level;
    alert.rule.fired_times = 1;
    alert.rule.description = "Excessive number of events (above normal).";
    alert.rule.group = "stats,";
    alert.hostname = std::move(hostname);
    alert.location = "portcullis-engine";
    alert.full_log =
        fmt::format("The average number of events between {}:00 and {}:00 is {}; {} were counted.",
                    excess.hour, excess.hour + 1, excess.average, excess.events);
    return alert;
}

}  // namespace portcullis::alert
