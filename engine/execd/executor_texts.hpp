// What the files of Executor share: how bans become jobs, records and words. Plain functions.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "base/ban_target.hpp"
#include "engine/execd/ban.hpp"
#include "engine/execd/records.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

// A kernel counts its timeout from when it hears of it. A script's effect may carry such a timeout
// (PORTCULLIS_TIMEOUT), so it is renewed a little before that runs out.
inline constexpr std::chrono::seconds kRenewAhead{1};

// In whole seconds; 0 = it has no end, or less than a second.
inline std::chrono::seconds left_of(const Ban& ban, base::Timestamp now) {
    return ban.until == kNever ? std::chrono::seconds(0)
                               : std::chrono::duration_cast<std::chrono::seconds>(ban.until - now);
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

// Whether a release of `address` by hand ends `ban`: it is of that address, or of the IPv6 network
// by which a response banned it (`<ipv6_prefix>`). Networks banned by hand are released as such.
inline bool is_released_with(const Ban& ban, const std::string& address) {
    if (ban.key.address == address) {
        return true;
    }
    const auto network = base::parse_ban_target(ban.key.address);
    const auto released = base::IpAddress::parse(address);
    return ban.rule_id != 0 && network && released && network->contains(*released);
}

}  // namespace portcullis::execd
