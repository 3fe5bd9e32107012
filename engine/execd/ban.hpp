// Ban: the effect of a command that will be undone. A plain value. BanTable holds the active bans,
// Journal their copy on disk.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/evidence.hpp"

namespace portcullis::execd {

inline constexpr base::Timestamp kNever = base::Timestamp::max();

// The end of a ban that counts from `from`; kNever for a timeout of 0.
inline base::Timestamp end_after(base::Timestamp from, std::chrono::seconds timeout) {
    return timeout.count() == 0 ? kNever : from + timeout;
}

// OSSEC compares executable and address only, so that a second user is not locked
// while a first one is. Here the user is a part of the key (docs/compatibility.md).
struct BanKey {
    std::string executable;
    std::string address = "-";
    std::string user = "-";

    auto operator<=>(const BanKey&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct Ban {
    BanKey key;
    // The ban holds everything that its undo needs, since the undo must work after the command was
    // removed from the configuration, and with a configuration that cannot be read.
    std::string command;
    bool is_persistent = false;
    bool is_dry = false;  // made by a dry run: no command ran, and none runs at its end
    std::string alert_id = "-";
    int rule_id = 0;
    std::string location = "-";
    std::string filename = "-";

    std::chrono::seconds timeout{0};  // 0 = permanent
    base::Timestamp since;
    base::Timestamp until = kNever;
    base::Evidence evidence = base::Evidence::Proven;
    base::BlockKind block = base::BlockKind::Hard;
    // Of a hard ban: the end of the soft ban that follows it, since forgeable packets in the name
    // of its address came after the proof. nullopt, or a time before `until`: no soft ban follows.
    std::optional<base::Timestamp> soft_until;

    bool operator==(const Ban&) const = default;
};

// The number of bans of an address by a command for proven evidence, which is the step of
// <repeated_offenders>.
struct Offender {
    BanKey key;
    int offences = 0;
    base::Timestamp last;

    bool operator==(const Offender&) const = default;
};

}  // namespace portcullis::execd
