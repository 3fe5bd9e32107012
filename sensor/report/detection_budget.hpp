// DetectionBudget: how many lines about detections a minute may have, and which ones.
//
// Forged packets cost a line for each ten of them, so their lines are bounded. The first lines of a
// minute are written at once. The last tenth of the budget is for the loudest of those that come
// afterwards: they wait, and in each second the share of the reserve that is due then goes to those
// with the most packets. Each forged source costs its sender as many packets as it is to be loud,
// while a scan that continues becomes louder by itself and returns with a line `(again)`; so it is
// written within a second of that line. Few addresses that a forger can name are proven: as many
// lines again are for them, whatever else was forged. The lines that are left out are counted.
// Plain value, single-threaded; time in whole seconds.
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
    static constexpr std::uint32_t kReserveShare = 10;  // one of so many lines

    // Lines within kPeriod, and as many again of proven sources; 0 = any number.
    void set_limit(std::uint32_t limit) { limit_ = limit; }

    struct Detection {
        std::uint64_t packets = 0;  // that its source has sent so far
        bool is_proven = false;     // base::Evidence::Proven
    };
    enum class Place : std::uint8_t { Now, Waits, LeftOut };
    // REQUIRES: is_over(second) is false, or take_summary() was called. Waits: add_waiting() must
    // follow.
    Place place(std::int64_t second, const Detection& detection);
    void add_waiting(std::string message, std::uint64_t packets);
    // Counts a line about the end of a scan. Returns false if the limit is reached; then the line
    // is left out.
    bool admit_and_count_end(std::int64_t second);

    // The loudest line that is due at `second`; nullopt = none is.
    std::optional<std::string> take_due(std::int64_t second);
    // The period has ended, or the clock was set back.
    bool is_over(std::int64_t second) const {
        return has_begun_ && (second >= begin_ + kPeriod || second < begin_);
    }
    // Ends the period: the text that says what was left out, empty = nothing was. What waits still
    // is taken out by take_rest() before.
    std::string take_summary();
    std::optional<std::string> take_rest();
    // When take_due() or take_summary() may have something; nullopt = nothing is waited for.
    std::optional<std::int64_t> next_deadline(std::int64_t second) const;

    // Detections and ends that were left out, since the start.
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
    std::vector<Waiting> waiting_;  // at most what is left of the reserve
};

}  // namespace portcullis::sensor_report
