#include "engine/execd/hold_reports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/ban_target.hpp"
#include "engine/execd/execd_config.hpp"

namespace portcullis::execd {
namespace {

using base::Cidr;
using base::Timestamp;

constexpr std::chrono::minutes kMinute{1};
constexpr std::size_t kMaxBans = 1024;

}  // namespace

void HoldReports::write(const Cidr& target, Outcome outcome, std::string reason, Timestamp now) {
    Record record;
    record.time = now;
    record.action = outcome == Outcome::Lifted ? Action::Delete : Action::Add;
    record.command = kManualBanCommand;
    record.address = base::ban_target_text(target);
    record.timeout = setting_.length;
    record.evidence = base::Evidence::Forgeable;
    record.block = base::BlockKind::Soft;
    record.outcome = outcome;
    record.reason = std::move(reason);
    records_.write(record);
}

// Counts a hold. Returns whether it gets records of its own.
bool HoldReports::admit_and_count(Timestamp now) {
    if (!minute_ || *minute_ + kMinute <= now || *minute_ > now) {
        write_sum(now);
        minute_ = now;
        recorded_ = 0;
    }
    return recorded_ < kMaxRecorded && ++recorded_ > 0;
}

void HoldReports::take_held(const Cidr& target, Timestamp now) {
    tick(now);
    const bool has_record = admit_and_count(now);
    if (setting_.is_dry) {
        ++counters_.would_hold;
        if (has_record) {
            write(target, Outcome::DryRun,
                  fmt::format("would be held by the kernel for {} s", setting_.length.count()),
                  now);
        } else {
            ++left_out_.would_hold;
        }
        return;
    }
    ++counters_.held;
    if (has_record) {
        write(target, Outcome::Held,
              fmt::format("the kernel stopped its scan: new connections are dropped for {} s",
                          setting_.length.count()),
              now);
    } else {
        ++left_out_.held;
    }
    if (known_.size() < kMaxKnown) {
        known_[{target.address, target.prefix_length}] = {now + setting_.length, has_record};
    }
    if (const auto ban = find_ban(target, now)) {
        confirm(*ban, now);
    }
}

void HoldReports::take_spared(const Cidr& target, const std::string& reason, Timestamp now) {
    tick(now);
    ++counters_.held;
    ++counters_.lifted;
    if (admit_and_count(now)) {
        write(target, Outcome::Lifted, "released from the kernel's hold: never blocked: " + reason,
              now);
    } else {
        ++left_out_.held;
        ++left_out_.lifted;
    }
}

void HoldReports::take_more(std::uint64_t count, Timestamp now) {
    tick(now);
    if (!minute_) {
        minute_ = now;
        recorded_ = 0;
    }
    (setting_.is_dry ? counters_.would_hold : counters_.held) += count;
    (setting_.is_dry ? left_out_.would_hold : left_out_.held) += count;
}

// The ban and the report of the kernel come by different ways, so either may come first.
std::optional<Cidr> HoldReports::find_ban(const Cidr& target, Timestamp now) {
    while (!bans_.empty() &&
           (bans_.front().time + setting_.length <= now || bans_.front().time > now)) {
        bans_.pop_front();
    }
    const auto found = std::find_if(bans_.begin(), bans_.end(), [&](const Ban& ban) {
        return ban.target.address.is_v4() == target.address.is_v4() && ban.target.overlaps(target);
    });
    return found == bans_.end() ? std::nullopt : std::optional(found->target);
}

void HoldReports::note_ban(const Cidr& target, Timestamp now) {
    if (bans_.size() >= kMaxBans) {
        bans_.pop_front();
    }
    bans_.push_back({target, now});
    confirm(target, now);
}

void HoldReports::confirm(const Cidr& ban, Timestamp now) {
    for (auto it = known_.begin(); it != known_.end();) {
        const Cidr held(it->first.first, it->first.second);
        if (held.address.is_v4() != ban.address.is_v4() || !held.overlaps(ban)) {
            ++it;
            continue;
        }
        ++counters_.confirmed;
        if (it->second.has_record) {
            write(held, Outcome::Confirmed, "a ban followed: " + base::ban_target_text(ban), now);
        } else {
            ++left_out_.confirmed;
        }
        it = known_.erase(it);
    }
}

void HoldReports::tick(Timestamp now) {
    for (auto it = known_.begin(); it != known_.end();) {
        // The second case: the clock was set back.
        if (it->second.until > now && it->second.until <= now + setting_.length) {
            ++it;
            continue;
        }
        ++counters_.lifted;
        if (it->second.has_record) {
            write({it->first.first, it->first.second}, Outcome::Lifted,
                  "the hold ran out: no ban followed", now);
        } else {
            ++left_out_.lifted;
        }
        it = known_.erase(it);
    }
    if (minute_ && (*minute_ + kMinute <= now || *minute_ > now)) {
        write_sum(now);
        minute_.reset();
    }
}

void HoldReports::write_sum(Timestamp now) {
    const HoldCounters sum = std::exchange(left_out_, HoldCounters());
    if (sum == HoldCounters()) {
        return;
    }
    Record record;
    record.time = now;
    record.command = kManualBanCommand;
    record.outcome = sum.would_hold > 0 ? Outcome::DryRun : Outcome::Held;
    record.evidence = base::Evidence::Forgeable;
    record.block = base::BlockKind::Soft;
    record.reason =
        sum.would_hold > 0
            ? fmt::format("{} more would have been held within a minute", sum.would_hold)
            : fmt::format("{} more were held within a minute; {} were confirmed, {} were lifted",
                          sum.held, sum.confirmed, sum.lifted);
    records_.write(record);
}

std::optional<Timestamp> HoldReports::next_due() const {
    std::optional<Timestamp> due;
    const auto consider = [&](Timestamp time) { due = due ? std::min(*due, time) : time; };
    for (const auto& [key, known] : known_) {
        consider(known.until);
    }
    if (minute_ && !(left_out_ == HoldCounters())) {
        consider(*minute_ + kMinute);
    }
    return due;
}

}  // namespace portcullis::execd
