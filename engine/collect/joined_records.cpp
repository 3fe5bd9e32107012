#include "engine/collect/joined_records.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/ascii.hpp"

namespace portcullis::collect {
namespace {

using base::is_digit;

// The local time of an external TAI64N label, 24 hexadecimal digits: seconds since 1970 TAI plus
// 2^62, then nanoseconds. nullopt = it is not one.
std::optional<std::tm> time_of_label(std::string_view label) {
    constexpr std::size_t kDigits = 24;
    constexpr std::size_t kSecondDigits = 16;
    constexpr std::uint64_t kBase = std::uint64_t{1} << 62;
    constexpr std::uint64_t kTaiAhead = 10;  // at the epoch; daemontools has no leap seconds either
    constexpr std::uint64_t kLatest = std::uint64_t{1} << 40;
    std::uint64_t seconds = 0;
    std::uint64_t nanoseconds = 0;
    const auto is_hexadecimal = [](std::string_view digits, std::uint64_t& value) {
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        return error == std::errc() && end == digits.data() + digits.size();
    };
    if (label.size() != kDigits || !is_hexadecimal(label.substr(0, kSecondDigits), seconds) ||
        !is_hexadecimal(label.substr(kSecondDigits), nanoseconds) || seconds < kBase + kTaiAhead ||
        seconds - kBase > kLatest) {
        return std::nullopt;
    }
    const auto unix_time = static_cast<std::time_t>(seconds - kBase - kTaiAhead);
    std::tm local{};
    ::localtime_r(&unix_time, &local);
    return local;
}

// The text after "Nov 14 18:09:12 "; nullopt = `text` does not begin with such a date.
std::optional<std::string_view> behind_syslog_date(std::string_view text) {
    constexpr std::size_t kLength = 16;
    constexpr std::array<std::size_t, 3> kBlanks{3, 6, 15};
    constexpr std::array<std::size_t, 2> kColons{9, 12};
    constexpr std::array<std::size_t, 6> kDigits{5, 7, 8, 10, 11, 14};
    const bool has_shape =
        text.size() >= kLength &&
        std::all_of(kBlanks.begin(), kBlanks.end(), [&](auto at) { return text[at] == ' '; }) &&
        std::all_of(kColons.begin(), kColons.end(), [&](auto at) { return text[at] == ':'; }) &&
        std::all_of(kDigits.begin(), kDigits.end(), [&](auto at) { return is_digit(text[at]); });
    return has_shape ? std::optional(text.substr(kLength)) : std::nullopt;
}

std::string syslog_date(const std::tm& local) {
    constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return fmt::format("{} {:2} {:02}:{:02}:{:02}", kMonths[static_cast<std::size_t>(local.tm_mon)],
                       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace

void JoiningReader::feed(std::string_view bytes, const RecordHandler& handler) {
    while (!bytes.empty()) {
        const std::size_t newline = bytes.find('\n');
        const std::string_view piece = bytes.substr(0, newline);
        partial_.append(piece.substr(0, kMaxRecord - partial_.size()));
        partial_bytes_ += piece.size();
        if (newline == std::string_view::npos) {
            return;
        }
        bytes.remove_prefix(newline + 1);
        ++partial_bytes_;
        end_line(handler);
    }
}

void JoiningReader::end_line(const RecordHandler& handler) {
    held_bytes_ += partial_bytes_;
    partial_bytes_ = 0;
    std::string line;
    line.swap(partial_);
    if (!line.empty() && line.back() == '\r') {
        line.pop_back();
    }
    if (!take_line(line, handler)) {
        held_bytes_ = 0;
    }
    line.clear();
    partial_.swap(line);  // keeps its memory
}

void JoiningReader::finish(const RecordHandler& handler) {
    if (partial_bytes_ > 0) {
        end_line(handler);
    }
    flush(handler);
    held_bytes_ = 0;
}

void JoiningReader::hand_out(std::string_view record, const RecordHandler& handler) {
    do {
        handler(record.substr(0, kMaxRecord));
        record.remove_prefix(std::min(kMaxRecord, record.size()));
    } while (!record.empty());
}

bool MultiLineReader::take_line(std::string_view line, const RecordHandler& handler) {
    if (lines_ > 0) {
        group_ += ' ';
    }
    group_ += line;
    ++lines_;
    if (lines_ < line_count_ && group_.size() < kMaxGroup) {
        return true;
    }
    flush(handler);
    return false;
}

void MultiLineReader::flush(const RecordHandler& handler) {
    if (lines_ > 0) {
        hand_out(group_, handler);
    }
    group_.clear();
    lines_ = 0;
}

bool SnortFullReader::take_line(std::string_view line, const RecordHandler& handler) {
    if (line.starts_with("[**] [")) {
        record_ = line;
        expected_ = Expected::Classification;
        return true;
    }
    if (expected_ == Expected::Classification) {
        if (line.starts_with("[Classification")) {
            record_ += line;
            expected_ = Expected::Packet;
            return true;
        }
        if (line.starts_with("[Priority")) {
            record_ += "[Classification: Preprocessor] [Priority: 3] ";
            expected_ = Expected::Packet;
            return true;
        }
    }
    const std::size_t blank = line.find(' ');
    if (expected_ == Expected::Packet && !line.empty() && is_digit(line.front()) &&
        blank != std::string_view::npos) {
        record_ += line.substr(blank + 1);
        flush(handler);
    }
    record_.clear();
    expected_ = Expected::Title;
    return false;
}

void SnortFullReader::flush(const RecordHandler& handler) {
    if (expected_ == Expected::Packet) {
        hand_out(record_, handler);
    }
    record_.clear();
    expected_ = Expected::Title;
}

MultilogReader::MultilogReader(std::string_view path, std::string host)
    : host_(std::move(host)),
      program_(std::filesystem::path(path).parent_path().filename().string()) {}

bool MultilogReader::take_line(std::string_view line, const RecordHandler& handler) {
    constexpr std::size_t kLabelEnd = 25;
    const bool has_label = line.size() > kLabelEnd && line.front() == '@' && line[kLabelEnd] == ' ';
    const auto time = has_label ? time_of_label(line.substr(1, kLabelEnd - 1)) : std::nullopt;
    if (!time) {
        hand_out(line, handler);
        return false;
    }
    const std::string_view message = line.substr(kLabelEnd + 1);
    if (const auto rest = behind_syslog_date(message)) {
        hand_out(*rest, handler);
        return false;
    }
    const std::string record =
        fmt::format("{} {} {}: {}", syslog_date(*time), host_, program_, message);
    hand_out(record, handler);
    return false;
}

bool MysqlReader::take_line(std::string_view line, const RecordHandler& handler) {
    constexpr std::size_t kStamp = 15;
    constexpr std::string_view kGoesOn = "\t\t      ";
    const auto is_stamp = [](std::string_view text) {
        constexpr std::string_view kShape = "000000 00:00:00";
        return std::equal(kShape.begin(), kShape.end(), text.begin(), [](char shape, char c) {
            // The hour may begin with a blank.
            return shape == '0' ? is_digit(c) || c == ' ' : shape == c;
        });
    };
    if (line.size() > kStamp && is_digit(line.front()) && is_stamp(line.substr(0, kStamp))) {
        stamp_ = line.substr(0, kStamp);
        hand_out(fmt::format("MySQL log: {}", line), handler);
    } else if (line.starts_with(kGoesOn) && !stamp_.empty()) {
        hand_out(fmt::format("MySQL log: {} {}", stamp_, line.substr(kGoesOn.size())), handler);
    }
    return false;
}

bool ModsecurityReader::take_line(std::string_view line, const RecordHandler& handler) {
    constexpr std::string_view kMark = "--";
    constexpr std::string_view kBegin = "-A--";
    const bool begins = line.size() > kMark.size() + kBegin.size() && line.starts_with(kMark) &&
                        line.ends_with(kBegin);
    if (begins) {
        record_ = line;
        lines_ = 1;
        end_ = std::string(line.substr(0, line.size() - kBegin.size())) + "-Z--";
        return true;
    }
    if (end_.empty()) {
        return false;
    }
    const bool ends = line == end_;
    if (++lines_ <= kMaxLines) {
        record_ += ' ';
        record_ += line;
    } else {
        record_.clear();
    }
    if (ends) {
        flush(handler);
    }
    return !ends;
}

void ModsecurityReader::flush(const RecordHandler& handler) {
    if (!record_.empty()) {
        hand_out(record_, handler);
    }
    record_.clear();
    end_.clear();
    lines_ = 0;
}

}  // namespace portcullis::collect
