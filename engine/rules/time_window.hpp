// TimeWindow and Weekdays: <time> and <weekday> of a rule (spec: rules, section 3.2). Values.
//
//   time    = ["!"] clock "-" clock         clock = H[H][":" MM] [blanks] ["am" | "pm"]
//   weekday = ["!"] name { (" " | ",") name }
//   name    = "sunday".."saturday", its first three letters, "weekdays", "weekends"; any case
#pragma once

#include <bitset>
#include <optional>
#include <string_view>

namespace portcullis::rules {

class TimeWindow {
  public:
    static std::optional<TimeWindow> parse(std::string_view text);
    // `minute` of the day, 0..1439. From begin to end, both included; a window over midnight is
    // all that is not strictly inside its day part (18:00 and 08:00 are outside "18:00 - 08:00").
    bool contains(int minute) const;

  private:
    int begin_ = 0;
    int end_ = 0;
    bool is_negated_ = false;
};

class Weekdays {
  public:
    static std::optional<Weekdays> parse(std::string_view text);
    // 0 = Sunday .. 6 = Saturday.
    bool contains(int day) const { return days_[static_cast<std::size_t>(day)]; }

  private:
    std::bitset<7> days_;
};

}  // namespace portcullis::rules
