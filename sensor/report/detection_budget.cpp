#include "sensor/report/detection_budget.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace portcullis::sensor_report {

void DetectionBudget::begin(std::int64_t second) {
    if (!has_begun_) {
        has_begun_ = true;
        begin_ = second;
    }
}

void DetectionBudget::leave_out(std::uint64_t& count) {
    ++count;
    ++left_out_total_;
}

DetectionBudget::Place DetectionBudget::place(std::int64_t second, const Detection& detection) {
    if (limit_ == 0) {
        return Place::Now;
    }
    begin(second);
    if (detection.is_proven && proven_ < limit_) {
        ++proven_;
        return Place::Now;
    }
    if (written_ < limit_ - reserve()) {
        ++written_;
        return Place::Now;
    }
    const std::size_t room = reserve() - std::min(released_, reserve());
    if (waiting_.size() < room) {
        return Place::Waits;
    }
    const auto quietest =
        std::min_element(waiting_.begin(), waiting_.end(), [](const Waiting& a, const Waiting& b) {
            return a.packets < b.packets || (a.packets == b.packets && a.order > b.order);
        });
    leave_out(left_out_);  // this one, or the quietest of those that wait
    if (quietest == waiting_.end() || quietest->packets >= detection.packets) {
        return Place::LeftOut;
    }
    *quietest = std::move(waiting_.back());
    waiting_.pop_back();
    return Place::Waits;
}

void DetectionBudget::add_waiting(std::string message, std::uint64_t packets) {
    waiting_.push_back({packets, order_++, std::move(message)});
}

bool DetectionBudget::admit_and_count_end(std::int64_t second) {
    if (limit_ == 0) {
        return true;
    }
    begin(second);
    if (ends_ < limit_) {
        ++ends_;
        return true;
    }
    leave_out(ends_left_out_);
    return false;
}

DetectionBudget::Waiting DetectionBudget::take_loudest() {
    const auto loudest =
        std::max_element(waiting_.begin(), waiting_.end(), [](const Waiting& a, const Waiting& b) {
            return a.packets < b.packets || (a.packets == b.packets && a.order > b.order);
        });
    Waiting taken = std::move(*loudest);
    waiting_.erase(loudest);
    ++released_;
    return taken;
}

std::optional<std::string> DetectionBudget::take_due(std::int64_t second) {
    const std::int64_t passed = std::clamp<std::int64_t>(second - begin_, 0, kPeriod);
    const std::int64_t due = reserve() * passed / kPeriod;
    if (waiting_.empty() || released_ >= due) {
        return std::nullopt;
    }
    return take_loudest().message;
}

std::optional<std::string> DetectionBudget::take_rest() {
    return waiting_.empty() ? std::nullopt : std::optional(take_loudest().message);
}

std::string DetectionBudget::take_summary() {
    std::string text;
    if (left_out_ + ends_left_out_ > 0) {
        text = fmt::format(
            "Warning: {} detections within {} seconds were not written, nor {} ends of scans; more "
            "than {} per minute.",
            left_out_, kPeriod, ends_left_out_, limit_);
    }
    has_begun_ = false;
    written_ = 0;
    proven_ = 0;
    released_ = 0;
    ends_ = 0;
    left_out_ = 0;
    ends_left_out_ = 0;
    return text;
}

std::optional<std::int64_t> DetectionBudget::next_deadline(std::int64_t second) const {
    if (!has_begun_) {
        return std::nullopt;
    }
    if (!waiting_.empty()) {
        return std::min(second + 1, begin_ + kPeriod);
    }
    return left_out_ + ends_left_out_ > 0 ? std::optional(begin_ + kPeriod) : std::nullopt;
}

}  // namespace portcullis::sensor_report
