// LogWriter: time stamps, repeat collapsing, the limit of lines per second, and patience with a log
// that cannot be written.
//
// Lines gather in a buffer until flush(), which writes them with a single write(2); the caller
// flushes after each batch of packets and at once for a detection. Spec section 2 is the source of
// the format and of the collapsing. Single-threaded; time comes with each call.
//
// A log that cannot be written (a full disk, a syslog that does not read) is tried again every
// second; up to kMaxBacklog bytes of lines wait for it, what does not fit is lost and counted, and
// a line says so once it can be written again. Nothing is written twice.
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
    // Lines about single packets that are written in one second at most; 0 = any number. What a
    // flood of spoofed sources has beyond is counted, and one line says how many.
    std::uint32_t line_limit = 1000;
    // Repeats are told a minute after the line and at the end, by themselves. iplog: only by the
    // next line.
    bool tells_repeats_by_timer = true;
    // Lines about detections that are written in one minute at most, and as many about ends of
    // scans; 0 = any number. See DetectionBudget.
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
    // Called with a text for people when the log cannot be written any more, and when it can again.
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
    // Writes what is in the buffer.
    void flush();
    // Writes what has become due: repeats, the count of suppressed lines, what could not be
    // written.
    void advance(base::Timestamp now);
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    std::optional<base::Timestamp> next_deadline() const;
    // Writes all that waits, counts of repeats and suppressed lines included.
    void finish(base::Timestamp time);
    base::Result<void> reopen();

    std::uint64_t lines_lost() const { return lines_lost_; }
    std::uint64_t lines_suppressed() const { return lines_suppressed_; }
    std::uint64_t detections_left_out() const { return budget_.left_out(); }
    // The last attempt to write failed.
    bool is_failing() const { return is_failing_; }

  private:
    void append(std::int64_t second, std::string_view message);
    void append_repeats(std::int64_t second);
    void append_suppressed(std::int64_t second);
    // Writes the detections that waited until `second`, and what a minute that is over left out.
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
    std::uint64_t suppressed_untold_ = 0;
    std::int64_t suppressed_since_ = 0;

    std::int64_t stamp_second_ = -1;
    std::string stamp_;  // "Nov  9 16:24:47 "
};

}  // namespace portcullis::sensor_report
