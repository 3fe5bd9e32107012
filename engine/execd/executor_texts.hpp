// What Executor and BanPolicy share: how bans become jobs, records and words. Plain functions.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "engine/execd/ban.hpp"
#include "engine/execd/records.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

// Time before the end of a script's timeout at which the ban is renewed. The effect of a script may
// carry a timeout of the kernel (PORTCULLIS_TIMEOUT), which ends a ban by itself.
inline constexpr std::chrono::seconds kRenewAhead{1};

inline std::chrono::seconds whole_seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time);
}

// The time that `ban` has left, in whole seconds; 0 = it has no end, or less than a second.
inline std::chrono::seconds left_of(const Ban& ban, base::Timestamp now) {
    return ban.until == kNever ? std::chrono::seconds(0) : whole_seconds(ban.until - now);
}

inline Job job_of(Action action, const Ban& ban, std::chrono::seconds timeout) {
    return {action,       ban.key.executable, ban.is_persistent, ban.key.user, ban.key.address,
            ban.alert_id, ban.rule_id,        ban.location,      ban.filename, timeout,
            ban.block};
}

inline Record record_of(Action action, const Ban& ban, base::Timestamp now) {
    Record record;
    record.time = now;
    record.action = action;
    record.command = ban.command;
    record.address = ban.key.address;
    record.user = ban.key.user;
    record.rule_id = ban.rule_id;
    record.alert_id = ban.alert_id;
    record.location = ban.location;
    record.filename = ban.filename;
    record.timeout = ban.timeout;
    record.evidence = ban.evidence;
    record.block = ban.block;
    return record;
}

// "600 s" or "no end".
inline std::string time_text(std::chrono::seconds timeout) {
    return timeout == std::chrono::seconds(0) ? "no end" : fmt::format("{} s", timeout.count());
}

// "for 600 s" or "until it is lifted by hand".
inline std::string duration_text(std::chrono::seconds timeout) {
    return timeout == std::chrono::seconds(0) ? "until it is lifted by hand"
                                              : fmt::format("for {} s", timeout.count());
}

inline Outcome outcome_of_add(const JobResult& result, bool is_dry) {
    if (!result.ok) {
        return Outcome::Failed;
    }
    return is_dry ? Outcome::DryRun : Outcome::Executed;
}

}  // namespace portcullis::execd
