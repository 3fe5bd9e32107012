// HoldReports: what comes of the sources that the kernel holds for a moment (docs/hold.md): a
// record `held` for each, then `confirmed` (a ban of it was executed while it was held) or `lifted`
// (its time ran out).
//
// Anybody can make the kernel hold addresses, by forged packets: beyond kMaxRecorded holds within a
// minute the others are summed up in one record. Single-threaded; time is a parameter.
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
    static constexpr int kMaxRecorded = 60;         // holds with records of their own, a minute
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
    // The same, of a target that must not be blocked; it is released.
    void take_spared(const base::Cidr& target, const std::string& reason, base::Timestamp now);
    // Holds of which the responder says the number alone.
    void take_more(std::uint64_t count, base::Timestamp now);
    // A ban of `target` was executed.
    void note_ban(const base::Cidr& target, base::Timestamp now);

    // Ends the holds whose time has run out, and writes the sum that is due.
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

    std::optional<base::Timestamp> minute_;  // begin of the one that is counted
    int recorded_ = 0;                       // within it
    HoldCounters left_out_;                  // of it: holds without records of their own
};

}  // namespace portcullis::execd
