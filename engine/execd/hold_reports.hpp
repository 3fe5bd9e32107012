// HoldReports: records the holds of the kernel (docs/hold.md): `held` when a hold begins, then
// `confirmed`, if a ban of the source was executed during the hold, or `lifted`, if the hold ran
// out.
//
// Forged packets can make the kernel hold any address. Within a minute kMaxRecorded holds get
// records of their own; the others are summed up in one record. Single-threaded; time is a
// parameter.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "engine/execd/records.hpp"

namespace portcullis::execd {

// Since the start of execd.
struct HoldCounters {
    std::uint64_t held = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t lifted = 0;
    std::uint64_t would_hold = 0;  // of dry runs

    bool operator==(const HoldCounters&) const = default;
};

class HoldReports {
  public:
    static constexpr int kMaxRecorded = 60;  // holds per minute that get records of their own
    static constexpr std::size_t kMaxKnown = 8192;  // holds that wait for their end

    // `records` must outlive this.
    explicit HoldReports(RecordSink& records) : records_(records) {}

    struct Setting {
        std::chrono::seconds length{2};
        bool is_dry = false;
    };
    void set(Setting setting) { setting_ = setting; }

    // The kernel holds `target` from now on.
    void take_held(const base::Cidr& target, base::Timestamp now);
    // The kernel holds `target`, which must not be blocked and is released.
    void take_spared(const base::Cidr& target, const std::string& reason, base::Timestamp now);
    // The kernel holds `count` further sources, which the responder does not name.
    void take_more(std::uint64_t count, base::Timestamp now);
    // A ban of `target` was executed.
    void note_ban(const base::Cidr& target, base::Timestamp now);

    // Ends the holds whose time has run out. Writes the sum of the last minute, if it is due.
    void tick(base::Timestamp now);
    std::optional<base::Timestamp> next_due() const;

    const HoldCounters& counters() const { return counters_; }
    std::size_t current() const { return known_.size(); }

  private:
    using Key = std::pair<base::IpAddress, int>;
    struct Known {
        base::Timestamp until;
        bool has_record = false;
    };
    struct Ban {
        base::Cidr target;
        base::Timestamp time;
    };
    bool admit_and_count(base::Timestamp now);
    void write(const base::Cidr& target, Outcome outcome, std::string reason, base::Timestamp now);
    void write_sum(base::Timestamp now);
    // The ban that came shortly before the hold of `target`; nullopt = there was none.
    std::optional<base::Cidr> find_ban(const base::Cidr& target, base::Timestamp now);
    void confirm(const base::Cidr& ban, base::Timestamp now);

    RecordSink& records_;
    Setting setting_;
    std::map<Key, Known> known_;
    std::deque<Ban> bans_;  // of the last setting_.length
    HoldCounters counters_;

    std::optional<base::Timestamp> minute_;  // its begin; nullopt = nothing is counted
    int recorded_ = 0;                       // in this minute
    HoldCounters left_out_;                  // holds of this minute without their own records
};

}  // namespace portcullis::execd
