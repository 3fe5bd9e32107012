#include "engine/alert/alert_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace portcullis::alert {
namespace {

constexpr std::size_t kMaxListedRules = 10;

}  // namespace

bool AlertLimit::admit_and_count(const Alert& alert) {
    const bool can_be_forged = alert.evidence && *alert.evidence != base::Evidence::Proven;
    if (per_minute_ == 0 || !can_be_forged) {
        return true;
    }
    // Also if the clock was set back.
    if (alert.time < period_start_ || alert.time >= period_start_ + kPeriod) {
        written_.clear();
        period_start_ = alert.time;
    }
    std::uint64_t& written = written_[alert.rule.id];
    if (written < static_cast<std::uint64_t>(per_minute_)) {
        ++written;
        return true;
    }
    if (to_report_.empty()) {
        first_to_report_ = alert.time;
    }
    ++to_report_[alert.rule.id];
    ++left_out_;
    return false;
}

std::optional<base::Timestamp> AlertLimit::summary_time() const {
    return to_report_.empty() ? std::nullopt : std::optional(first_to_report_ + kPeriod);
}

std::optional<Alert> AlertLimit::take_summary(std::string hostname, base::Timestamp now) {
    if (to_report_.empty()) {
        return std::nullopt;
    }
    std::vector<std::pair<int, std::uint64_t>> rules(to_report_.begin(), to_report_.end());
    std::stable_sort(rules.begin(), rules.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::uint64_t total = 0;
    std::string list;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        total += rules[i].second;
        if (i < kMaxListedRules) {
            list +=
                fmt::format("{}{} of rule {}", i == 0 ? "" : ", ", rules[i].second, rules[i].first);
        }
    }
    if (rules.size() > kMaxListedRules) {
        list += fmt::format(", and of {} more rules", rules.size() - kMaxListedRules);
    }
    to_report_.clear();
    Alert alert;
    alert.time = now;
    alert.rule.id = kAlertRule;
    alert.rule.level = kAlertLevel;
    alert.rule.fired_times = 1;
    alert.rule.description = "Alerts about packets that can be forged were left out.";
    alert.rule.group = "iplog,";
    alert.hostname = std::move(hostname);
    alert.location = "portcullis-engine";
    alert.full_log =
        fmt::format("{} alerts were not written, more than {} of a rule in a minute: {}.", total,
                    per_minute_, list);
    return alert;
}

}  // namespace portcullis::alert
