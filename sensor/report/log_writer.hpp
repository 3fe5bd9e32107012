// LogWriter: adds time stamps, collapses repeats, limits the lines per second, and keeps lines
// while the log cannot be written.
//
// Lines stay in a buffer until flush(), which writes them with a single write(2). The caller
// flushes after each batch of packets, and at once for a detection. Format and collapsing:
// specification section 2. Single-threaded; time comes with each call.
//
// A log that cannot be written (a full disk, a syslog that does not read) is tried again every
// second. Up to kMaxBacklog bytes of lines wait for it; further lines are lost and counted. When
// the log can be written again, a line reports the number of lost lines. No line is written twice.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "sensor/report/detection_budget.hpp"
#include "sensor/report/log_target.hpp"

namespace portcullis::sensor_report {

struct LogSettings {
    // Most lines about single packets in one second; 0 = no limit. Further lines are suppressed,
    // and one line reports their number.
    std::uint32_t line_limit = 1000;
    // Repeats are reported a minute after the line, and at the end. False: only with the next line,
    // as iplog does.
    bool writes_repeats_by_timer = true;
    // Most lines about detections in one minute, and the same number about ends of scans; 0 = no
    // limit. See DetectionBudget.
    std::uint32_t detection_limit = 1000;
};

class LogWriter {
  public:
    static constexpr std::size_t kMaxBacklog = std::size_t{4} * 1024 * 1024;

    explicit LogWriter(std::unique_ptr<LogTarget> target, const LogSettings& settings = {})
        : target_(std::move(target)) {
        set_settings(settings);
    }

    void set_settings(const LogSettings& settings) {
        settings_ = settings;
        budget_.set_limit(settings.detection_limit);
    }
    // Sets a call with a message for the user, when the log cannot be written and when it can
    // again.
    void set_on_trouble(std::function<void(const std::string&)> call) {
        on_trouble_ = std::move(call);
    }

    // Counts one more line about a single packet in the second of `time`. Returns false if the
    // limit is reached; then the line counts as suppressed. Call it before the line is composed.
    bool admit_and_count(base::Timestamp time);

    // The same for a detection. If it returns Waits, the caller must call add_waiting() with the
    // line, which may be written later.
    DetectionBudget::Place place_detection(base::Timestamp time,
                                           const DetectionBudget::Detection& detection);
    void add_waiting(std::string message, std::uint64_t packets) {
        budget_.add_waiting(std::move(message), packets);
    }
    // The same for the line about the end of a scan.
    bool admit_and_count_end(base::Timestamp time);

    // Adds a line, or counts it as a repetition of the one before.
    void add(base::Timestamp time, std::string_view message);
    // Writes the buffer.
    void flush();
    // Writes lines that are due: repeats, the number of suppressed lines, lines that could not be
    // written.
    void advance(base::Timestamp now);
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    std::optional<base::Timestamp> next_deadline() const;
    // Writes all waiting lines, including the numbers of repeats and of suppressed lines.
    void finish(base::Timestamp time);
    base::Result<void> reopen();

    std::uint64_t lines_lost() const { return lines_lost_; }
    std::uint64_t lines_suppressed() const { return lines_suppressed_; }
    std::uint64_t detections_left_out() const { return budget_.left_out(); }
    // True if the last attempt to write failed.
    bool is_failing() const { return is_failing_; }

  private:
    void append(std::int64_t second, std::string_view message);
    void append_repeats(std::int64_t second);
    void append_suppressed(std::int64_t second);
    // Writes the detections that waited until `second`, and the line about those that a past minute
    // left out.
    void append_due_detections(std::int64_t second);
    void end_detection_period(std::int64_t second);
    void write_buffer();
    void note_failure(int error);

    std::unique_ptr<LogTarget> target_;
    LogSettings settings_;
    DetectionBudget budget_;
    std::function<void(const std::string&)> on_trouble_;

    std::string buffer_;
    std::uint64_t lines_lost_ = 0;
    bool is_failing_ = false;
    bool has_part_of_a_line_ = false;  // the log: the rest of it is at the front of buffer_
    std::int64_t failing_since_ = 0;
    std::int64_t retry_at_ = 0;
    std::uint64_t lost_before_ = 0;  // lines_lost_ when it began to fail
    std::int64_t latest_ = 0;        // second of the latest call

    std::string last_;
    bool has_last_ = false;
    std::uint64_t repeats_ = 0;
    std::int64_t repeats_until_ = 0;

    std::int64_t limited_second_ = -1;
    std::uint32_t lines_this_second_ = 0;
    std::uint64_t lines_suppressed_ = 0;
    std::uint64_t suppressed_unreported_ = 0;
    std::int64_t suppressed_since_ = 0;

    std::int64_t stamp_second_ = -1;
    std::string stamp_;  // "Nov  9 16:24:47 "
};

}  // namespace portcullis::sensor_report
