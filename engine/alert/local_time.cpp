#include "engine/alert/local_time.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace portcullis::alert {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::tm local_of(base::Timestamp time) {
    const std::time_t seconds =
        std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return local;
}

std::string_view month_name(int month) { return kMonths[static_cast<std::size_t>(month)]; }

}  // namespace

std::string local_time_text(base::Timestamp time) {
    const std::tm local = local_of(time);
    return fmt::format("{} {} {:02} {:02}:{:02}:{:02}", local.tm_year + 1900,
                       month_name(local.tm_mon), local.tm_mday, local.tm_hour, local.tm_min,
                       local.tm_sec);
}

std::int64_t unix_seconds(base::Timestamp time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string LocalDay::folder() const { return fmt::format("{}/{}", year, month_name(month)); }

std::string LocalDay::number() const { return fmt::format("{:02}", day); }

LocalDay local_day_of(base::Timestamp time) {
    const std::tm local = local_of(time);
    return {local.tm_year + 1900, local.tm_mon, local.tm_mday};
}

}  // namespace portcullis::alert
