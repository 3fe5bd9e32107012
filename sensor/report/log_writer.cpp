#include "sensor/report/log_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace portcullis::sensor_report {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kRepeatSeconds = 60;
// Time after which a line reports the number of suppressed lines, in seconds.
constexpr std::int64_t kSuppressedSeconds = 10;
constexpr std::int64_t kRetrySeconds = 1;
constexpr std::size_t kFlushAtBytes = 32 * 1024;

std::int64_t whole_seconds(base::Timestamp time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

void LogWriter::append(std::int64_t second, std::string_view message) {
    if (is_failing_ && buffer_.size() + message.size() > kMaxBacklog) {
        ++lines_lost_;
        return;
    }
    if (!target_->has_own_time()) {
        if (second != stamp_second_) {
            stamp_second_ = second;
            stamp_ = time_stamp(second) + ' ';
        }
        buffer_ += stamp_;
    }
    buffer_ += message;
    buffer_ += '\n';
    if (buffer_.size() >= kFlushAtBytes) {
        flush();
    }
}

void LogWriter::append_repeats(std::int64_t second) {
    if (repeats_ > 0) {
        append(second, fmt::format("last message repeated {} times", repeats_));
        repeats_ = 0;
    }
}

void LogWriter::append_suppressed(std::int64_t second) {
    if (suppressed_unreported_ > 0) {
        append_repeats(second);
        append(second, fmt::format("Warning: {} lines suppressed within {} seconds, more than {} "
                                   "per second.",
                                   suppressed_unreported_,
                                   std::max<std::int64_t>(second - suppressed_since_, 1),
                                   settings_.line_limit));
        has_last_ = false;  // the line that may follow is not the one before
        suppressed_unreported_ = 0;
    }
}

bool LogWriter::admit_and_count(base::Timestamp time) {
    if (settings_.line_limit == 0) {
        return true;
    }
    const std::int64_t second = whole_seconds(time);
    if (second != limited_second_) {
        limited_second_ = second;
        lines_this_second_ = 0;
    }
    if (lines_this_second_ < settings_.line_limit) {
        ++lines_this_second_;
        return true;
    }
    if (suppressed_unreported_ == 0) {
        suppressed_since_ = second;
    }
    ++suppressed_unreported_;
    ++lines_suppressed_;
    return false;
}

void LogWriter::end_detection_period(std::int64_t second) {
    while (const auto message = budget_.take_rest()) {
        append_repeats(second);
        append(second, *message);
        has_last_ = false;
    }
    if (const std::string summary = budget_.take_summary(); !summary.empty()) {
        append_repeats(second);
        append(second, summary);
        has_last_ = false;
    }
}

void LogWriter::append_due_detections(std::int64_t second) {
    if (budget_.is_over(second)) {
        end_detection_period(second);
    }
    while (const auto message = budget_.take_due(second)) {
        append_repeats(second);
        append(second, *message);
        has_last_ = false;
    }
}

DetectionBudget::Place LogWriter::place_detection(base::Timestamp time,
                                                  const DetectionBudget::Detection& detection) {
    latest_ = whole_seconds(time);
    append_due_detections(latest_);
    return budget_.place(latest_, detection);
}

bool LogWriter::admit_and_count_end(base::Timestamp time) {
    latest_ = whole_seconds(time);
    append_due_detections(latest_);
    return budget_.admit_and_count_end(latest_);
}

void LogWriter::add(base::Timestamp time, std::string_view message) {
    const std::int64_t second = whole_seconds(time);
    latest_ = second;
    if (suppressed_unreported_ > 0 && second >= suppressed_since_ + kSuppressedSeconds) {
        append_suppressed(second);
    }
    if (target_->has_own_time()) {
        append(second, message);
        return;
    }
    if (has_last_ && second < repeats_until_ - 2 * kRepeatSeconds) {
        // The clock was set back: otherwise the line would wait until its old time is reached.
        append_repeats(second);
        has_last_ = false;
    }
    if (!has_last_ || message != last_) {
        append_repeats(second);
        append(second, message);
        last_ = message;
        has_last_ = true;
        repeats_until_ = second + kRepeatSeconds;
        return;
    }
    if (second >= repeats_until_ && settings_.writes_repeats_by_timer) {
        append_repeats(second);
        append(second, message);
        repeats_until_ = second + kRepeatSeconds;
        return;
    }
    if (second >= repeats_until_ && repeats_ > 0) {
        append_repeats(second);
        has_last_ = false;  // iplog: the next occurrence is written in full, this one is not
    }
    ++repeats_;
}

void LogWriter::flush() {
    if (!buffer_.empty() && !is_failing_) {
        write_buffer();
    }
}

void LogWriter::write_buffer() {
    const std::size_t written = target_->write(buffer_);
    const int error = errno;
    if (written > 0) {
        has_part_of_a_line_ = buffer_[written - 1] != '\n';
    }
    buffer_.erase(0, written);
    if (!buffer_.empty()) {
        note_failure(error);
        return;
    }
    if (is_failing_) {
        is_failing_ = false;
        const std::string notice = fmt::format(
            "Warning: the log could not be written for {} seconds; {} lines are lost.",
            std::max<std::int64_t>(latest_ - failing_since_, 1), lines_lost_ - lost_before_);
        append(latest_, notice);
        if (on_trouble_) {
            on_trouble_(notice);
        }
        write_buffer();
    }
}

void LogWriter::note_failure(int error) {
    retry_at_ = latest_ + kRetrySeconds;
    if (!is_failing_) {
        is_failing_ = true;
        failing_since_ = latest_;
        lost_before_ = lines_lost_;
        if (on_trouble_) {
            on_trouble_(fmt::format("cannot write the log: {}; trying again every second",
                                    base::error_text(error)));
        }
    }
}

void LogWriter::advance(base::Timestamp now) {
    const std::int64_t second = whole_seconds(now);
    latest_ = second;
    if (suppressed_unreported_ > 0 && second >= suppressed_since_ + kSuppressedSeconds) {
        append_suppressed(second);
    }
    append_due_detections(second);
    if (settings_.writes_repeats_by_timer && repeats_ > 0 && second >= repeats_until_) {
        append_repeats(second);
        has_last_ = false;
    }
    // A clock that was set back must not make it wait for ever.
    if (is_failing_ && (second >= retry_at_ || second < failing_since_)) {
        write_buffer();
    } else {
        flush();
    }
}

std::optional<base::Timestamp> LogWriter::next_deadline() const {
    std::optional<std::int64_t> due;
    const auto consider = [&](bool waits, std::int64_t at) {
        if (waits && (!due || at < *due)) {
            due = at;
        }
    };
    consider(is_failing_, retry_at_);
    consider(suppressed_unreported_ > 0, suppressed_since_ + kSuppressedSeconds);
    consider(settings_.writes_repeats_by_timer && repeats_ > 0, repeats_until_);
    const auto detection = budget_.next_deadline(latest_);
    consider(detection.has_value(), detection.value_or(0));
    return due ? std::optional(base::Timestamp(seconds(*due))) : std::nullopt;
}

void LogWriter::finish(base::Timestamp time) {
    latest_ = whole_seconds(time);
    append_suppressed(latest_);
    end_detection_period(latest_);
    if (settings_.writes_repeats_by_timer) {
        append_repeats(latest_);
    }
    has_last_ = false;
    if (!buffer_.empty()) {
        write_buffer();
    }
    lines_lost_ += static_cast<std::uint64_t>(std::count(buffer_.begin(), buffer_.end(), '\n'));
    buffer_.clear();
}

base::Result<void> LogWriter::reopen() {
    flush();
    auto reopened = target_->reopen();
    if (reopened && has_part_of_a_line_ && !buffer_.empty()) {
        // Its beginning went away with the old file.
        buffer_.erase(0, buffer_.find('\n') + 1);
        has_part_of_a_line_ = false;
        ++lines_lost_;
    }
    if (reopened && is_failing_ && !buffer_.empty()) {
        write_buffer();
    }
    return reopened;
}

}  // namespace portcullis::sensor_report
