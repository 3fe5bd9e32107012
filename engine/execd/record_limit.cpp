#include "engine/execd/record_limit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

namespace portcullis::execd {
namespace {

constexpr auto kRecordPeriod = std::chrono::minutes(1);
constexpr std::size_t kMaxNamedUids = 5;

bool is_bounded(const Record& record) {
    // A broken client of root may flood, too.
    if (record.asker == uid_t{0}) {
        return record.outcome == Outcome::Refused;
    }
    switch (record.outcome) {
        case Outcome::Executed:
        case Outcome::Undone:
        case Outcome::DryRun:
        case Outcome::Failed:
            return record.is_repeat;
        case Outcome::Spared:
        case Outcome::Refused:
        case Outcome::Deferred:
        case Outcome::Expired:
        case Outcome::Reported:
        case Outcome::Unchanged:
            return true;
        case Outcome::Alarm:
        case Outcome::Summary:
        // HoldReports limits these.
        case Outcome::Held:
        case Outcome::Confirmed:
        case Outcome::Lifted:
            return false;
    }
    return false;
}

}  // namespace

RecordLimit::~RecordLimit() { write_summary(last_); }

// Returns whether there is room for `record`, and uses that room. Formats the record only while
// there is room, so that a flood costs no more than counting.
bool RecordLimit::admit_and_count(const Record& record) {
    const auto size = [&] { return to_log_line(record).size() + to_json_line(record).size() + 2; };
    const auto take = [&](Count& count, int most_records, std::size_t most_bytes) {
        if (count.records >= most_records || count.bytes >= most_bytes) {
            return false;
        }
        const std::size_t bytes = size();
        if (count.bytes + bytes > most_bytes) {
            return false;
        }
        ++count.records;
        count.bytes += bytes;
        return true;
    };
    if (!record.asker) {
        return take(of_engine_, limits_.records, limits_.bytes);
    }
    const auto it = of_uid_.find(*record.asker);
    if ((it != of_uid_.end() && it->second >= limits_.records_of_uid) ||
        !take(of_uids_, limits_.records_of_uids, limits_.bytes_of_uids)) {
        return false;
    }
    ++of_uid_[*record.asker];
    return true;
}

void RecordLimit::write(const Record& record) {
    // A record has the time of its request, which may be long ago. Only a later one ends the
    // minute.
    if (begin_ && record.time >= *begin_ + kRecordPeriod) {
        tick(record.time);
    }
    last_ = record.time;
    if (!is_bounded(record)) {
        sink_.write(record);
        return;
    }
    if (!begin_) {
        begin_ = record.time;
    }
    if (admit_and_count(record)) {
        sink_.write(record);
        return;
    }
    ++left_out_[record.outcome];
    if (record.asker &&
        (left_out_of_uid_.size() < kMaxNamedUids || left_out_of_uid_.count(*record.asker) != 0)) {
        ++left_out_of_uid_[*record.asker];
    }
}

// The minute is over, or the clock was set back.
void RecordLimit::tick(base::Timestamp now) {
    if (begin_ && (now >= *begin_ + kRecordPeriod || now < *begin_)) {
        write_summary(now);
        begin_.reset();
        of_engine_ = {};
        of_uids_ = {};
        of_uid_.clear();
    }
}

std::optional<base::Timestamp> RecordLimit::next_due() const {
    return left_out_.empty() ? std::nullopt : std::optional(*begin_ + kRecordPeriod);
}

void RecordLimit::write_summary(base::Timestamp now) {
    if (left_out_.empty()) {
        return;
    }
    Record summary;
    summary.time = now;
    summary.outcome = Outcome::Summary;
    std::vector<std::string> parts;
    for (const auto& [outcome, count] : left_out_) {
        parts.push_back(fmt::format("{} {}", count, word_of(outcome)));
    }
    summary.reason = fmt::format("records that were left out within a minute, beyond the limit: {}",
                                 fmt::join(parts, ", "));
    parts.clear();
    for (const auto& [uid, count] : left_out_of_uid_) {
        parts.push_back(fmt::format("{} about uid {}", count, uid));
    }
    if (!parts.empty()) {
        summary.reason += fmt::format(" (of these {})", fmt::join(parts, ", "));
    }
    summary.counts = std::exchange(left_out_, {});
    left_out_of_uid_.clear();
    sink_.write(summary);
}

}  // namespace portcullis::execd
