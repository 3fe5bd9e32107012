// DetectionBudget: limits the lines about detections per minute, and selects them.
//
// Ten forged packets cause a line, so the lines are limited. The first lines of a minute are
// written at once. The last tenth of the budget is a reserve for the detections with the most
// packets among the later ones. They wait, and in each second the share of the reserve that is due
// goes to those with the most packets. A forged source needs as many packets as it is to outrank
// others, while a real scan continues, gets more packets and returns with a line `(again)`; so that
// line is written within a second. Proven sources have a budget of the same size of their own,
// because few addresses that a sender can forge are proven. The lines that are left out are
// counted. Plain value, single-threaded; time in whole seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace portcullis::sensor_report {

class DetectionBudget {
  public:
    static constexpr std::int64_t kPeriod = 60;
    static constexpr std::uint32_t kReserveShare = 10;  // one line of this many

    // Lines within kPeriod, and the same number for proven sources; 0 = no limit.
    void set_limit(std::uint32_t limit) { limit_ = limit; }

    struct Detection {
        std::uint64_t packets = 0;  // of its source so far
        bool is_proven = false;     // base::Evidence::Proven
    };
    enum class Place : std::uint8_t { Now, Waits, LeftOut };
    // Counts a detection and decides when its line is written. If it returns Waits, the caller must
    // call add_waiting(). REQUIRES: is_over(second) is false, or take_summary() was called.
    Place place(std::int64_t second, const Detection& detection);
    void add_waiting(std::string message, std::uint64_t packets);
    // Counts a line about the end of a scan. Returns false if the limit is reached; then the line
    // is left out.
    bool admit_and_count_end(std::int64_t second);

    // The line that is due at `second`, of the detection with the most packets; nullopt = none.
    std::optional<std::string> take_due(std::int64_t second);
    // True if the period has ended, or the clock was set back.
    bool is_over(std::int64_t second) const {
        return has_begun_ && (second >= begin_ + kPeriod || second < begin_);
    }
    // Ends the period. Returns the text about the lines that were left out; empty = none. Call
    // take_rest() before, until it returns nullopt.
    std::string take_summary();
    std::optional<std::string> take_rest();
    // When take_due() or take_summary() may return something; nullopt = nothing waits.
    std::optional<std::int64_t> next_deadline(std::int64_t second) const;

    // Number of detections and ends that were left out since the start.
    std::uint64_t left_out() const { return left_out_total_; }

  private:
    struct Waiting {
        std::uint64_t packets = 0;
        std::uint64_t order = 0;
        std::string message;
    };

    std::uint32_t reserve() const { return limit_ / kReserveShare; }
    void begin(std::int64_t second);
    void leave_out(std::uint64_t& count);
    Waiting take_loudest();

    std::uint32_t limit_ = 1000;
    bool has_begun_ = false;
    std::int64_t begin_ = 0;
    std::uint32_t written_ = 0;   // of the lines that need not wait
    std::uint32_t proven_ = 0;    // of those whose source is proven
    std::uint32_t released_ = 0;  // of the reserve
    std::uint32_t ends_ = 0;
    std::uint64_t order_ = 0;
    std::uint64_t left_out_ = 0;
    std::uint64_t ends_left_out_ = 0;
    std::uint64_t left_out_total_ = 0;
    std::vector<Waiting> waiting_;  // at most the unused part of the reserve
};

}  // namespace portcullis::sensor_report
