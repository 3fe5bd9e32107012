// AlertLimit: bounds the number of alerts that forged packets can cause.
//
// Alerts about packets whose evidence is not proven (Alert::evidence) are counted per rule. Beyond
// the limit per minute they are not written but counted, and one summary reports them. All other
// alerts pass: those of programs, those with proven evidence, and the sensor's messages about
// itself. Responses do not depend on it. Single-threaded; the time is that of the alerts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "engine/alert/alert.hpp"

namespace portcullis::alert {

class AlertLimit {
  public:
    static constexpr std::chrono::seconds kPeriod{60};
    // The rule and level of the summary; no rule file has this rule.
    static constexpr int kAlertRule = 99998;
    static constexpr int kAlertLevel = 7;

    // `per_minute`: of one rule; 0 = no limit. Counts continue when it is changed.
    void set_limit(int per_minute) { per_minute_ = per_minute; }

    // True = `alert` is to be written; it is counted. False = it is counted for the summary.
    bool admit_and_count(const Alert& alert);

    // Time at which the summary is due; nullopt = no alert was left out.
    std::optional<base::Timestamp> summary_time() const;
    // The summary of the alerts left out since the last one, as an alert without an id; nullopt =
    // there are none.
    std::optional<Alert> take_summary(std::string hostname, base::Timestamp now);

    std::uint64_t left_out() const { return left_out_; }

  private:
    int per_minute_ = 0;
    base::Timestamp period_start_;
    // By rule id, so at most one entry for each rule.
    std::map<int, std::uint64_t> written_;    // in this period
    std::map<int, std::uint64_t> to_report_;  // left out since the last summary
    base::Timestamp first_to_report_;
    std::uint64_t left_out_ = 0;
};

}  // namespace portcullis::alert
