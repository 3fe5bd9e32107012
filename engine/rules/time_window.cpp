#include "engine/rules/time_window.hpp"

#include <array>
#include <string>

#include "base/ascii.hpp"

namespace portcullis::rules {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

class Cursor {
  public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    void skip_blanks() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
    }
    bool take(char c) {
        skip_blanks();
        if (!rest_.starts_with(c)) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    // One or two digits.
    std::optional<int> take_number() {
        skip_blanks();
        int value = 0;
        std::size_t digits = 0;
        while (digits < 2 && digits < rest_.size() && base::is_digit(rest_[digits])) {
            value = value * 10 + (rest_[digits++] - '0');
        }
        rest_.remove_prefix(digits);
        return digits == 0 ? std::nullopt : std::optional(value);
    }
    // "am" or "pm" in any case; '\0' = neither. Returns 'a' or 'p'.
    char take_half() {
        skip_blanks();
        if (rest_.size() < 2 || (rest_[1] | 0x20) != 'm') {
            return '\0';
        }
        const char half = static_cast<char>(rest_[0] | 0x20);
        if (half != 'a' && half != 'p') {
            return '\0';
        }
        rest_.remove_prefix(2);
        return half;
    }
    bool is_at_end() {
        skip_blanks();
        return rest_.empty();
    }

  private:
    std::string_view rest_;
};

std::optional<int> parse_clock(Cursor& cursor) {
    auto hour = cursor.take_number();
    if (!hour) {
        return std::nullopt;
    }
    int minute = 0;
    if (cursor.take(':')) {
        const auto parsed = cursor.take_number();
        if (!parsed || *parsed > 59) {
            return std::nullopt;
        }
        minute = *parsed;
    }
    if (const char half = cursor.take_half(); half != '\0') {
        if (*hour < 1 || *hour > 12) {
            return std::nullopt;
        }
        hour = *hour % 12 + (half == 'p' ? 12 : 0);
    }
    if (*hour > 23) {
        return std::nullopt;
    }
    return *hour * 60 + minute;
}

struct DayName {
    std::string_view name;
    unsigned days;  // bit 0 = Sunday
};
constexpr std::array kDayNames{
    DayName{"sunday", 0x01},    DayName{"monday", 0x02},   DayName{"tuesday", 0x04},
    DayName{"wednesday", 0x08}, DayName{"thursday", 0x10}, DayName{"friday", 0x20},
    DayName{"saturday", 0x40},  DayName{"weekdays", 0x3e}, DayName{"weekends", 0x41},
};

std::optional<unsigned> find_days(std::string_view word) {
    for (const DayName& row : kDayNames) {
        const bool is_short = word.size() == 3 && !row.name.starts_with("week");
        if (word == (is_short ? row.name.substr(0, 3) : row.name)) {
            return row.days;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<TimeWindow> TimeWindow::parse(std::string_view text) {
    Cursor cursor(text);
    TimeWindow window;
    window.is_negated_ = cursor.take('!');
    const auto begin = parse_clock(cursor);
    if (!begin || !cursor.take('-')) {
        return std::nullopt;
    }
    const auto end = parse_clock(cursor);
    if (!end || !cursor.is_at_end()) {
        return std::nullopt;
    }
    window.begin_ = *begin;
    window.end_ = *end;
    return window;
}

bool TimeWindow::contains(int minute) const {
    const bool is_inside =
        begin_ <= end_ ? minute >= begin_ && minute <= end_ : minute < end_ || minute > begin_;
    return is_inside != is_negated_;
}

std::optional<Weekdays> Weekdays::parse(std::string_view text) {
    constexpr std::string_view kSeparators = " ,\t\r\n";
    const std::string lowered = base::lower(text);
    std::string_view rest = lowered;
    rest.remove_prefix(std::min(rest.find_first_not_of(kSeparators), rest.size()));
    const bool is_negated = rest.starts_with('!');
    rest.remove_prefix(is_negated ? 1 : 0);

    Weekdays weekdays;
    for (;;) {
        rest.remove_prefix(std::min(rest.find_first_not_of(kSeparators), rest.size()));
        if (rest.empty()) {
            break;
        }
        const std::string_view word = rest.substr(0, rest.find_first_of(kSeparators));
        const auto days = find_days(word);
        if (!days) {
            return std::nullopt;
        }
        weekdays.days_ |= std::bitset<7>(*days);
        rest.remove_prefix(word.size());
    }
    if (weekdays.days_.none()) {
        return std::nullopt;
    }
    if (is_negated) {
        weekdays.days_.flip();
    }
    return weekdays;
}

}  // namespace portcullis::rules
