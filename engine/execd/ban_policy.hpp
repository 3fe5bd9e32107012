// BanPolicy: decides whether, how and for how long an address is blocked.
//
//   grade ─▶ age ─▶ never-block list ─▶ limits ─▶ room, or DeferredRequests
//
// It runs no command and writes no file: Executor carries out what is decided, and records it. Each
// decision adds its step to the record of the request. Single-threaded; time is a parameter.
// Bounded: kMaxOffenders, DeferredRequests::kMost, <max_bans_per_minute>.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "base/response_message.hpp"
#include "engine/execd/ban.hpp"
#include "engine/execd/ban_budget.hpp"
#include "engine/execd/checked_request.hpp"
#include "engine/execd/deferred_requests.hpp"
#include "engine/execd/evidence_clock.hpp"
#include "engine/execd/execd_config.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/report_counts.hpp"

namespace portcullis::execd {

// What the evidence of a request allows.
enum class Verdict {
    Block,
    Report,  // the evidence is doubtful: nothing is blocked
    TooOld,  // the ban would be over already
};

// The time of a ban, and what it changed in the history of its address.
struct Offence {
    std::chrono::seconds timeout{0};  // of the ban
    std::optional<Offender> entry;    // what changed in the history; nullopt = nothing
    std::string forgotten;            // address whose history made room for `entry`; "" = none
};

class BanPolicy {
  public:
    static constexpr std::size_t kMaxOffenders = 100'000;

    // `config` and `protection` must outlive this. `config` may change between two calls.
    BanPolicy(const ExecdConfig& config, Protection& protection,
              std::map<BanKey, Offender> offenders);
    BanPolicy(const BanPolicy&) = delete;
    BanPolicy& operator=(const BanPolicy&) = delete;
    ~BanPolicy() = default;

    // Sets the kind of block, its time, the evidence and its age in `checked`, whose binding and
    // target are set already. `has_hard_ban`: its address is blocked hard now. The steps of
    // TooOld are left to add_age_of_expired().
    Verdict judge_evidence(CheckedRequest& checked, const base::RespondRequest& request,
                           bool has_hard_ban, base::Timestamp now) const;

    // What to block in place of `source`: its IPv6 network of <ipv6_prefix>, or itself.
    base::Cidr widen(const base::Cidr& source) const;
    // Why the target of `request` must not be blocked; nullopt = it may be, or there is no target.
    std::optional<std::string> reason_to_spare(CheckedRequest& request) const;
    // Why a ban of `target` must be lifted; nullopt = it may stay.
    std::optional<std::string> reason_to_lift(const base::Cidr& target) const;

    // Takes the room that a new ban beside `ban_count` others needs, and shortens it if little
    // room is left. Returns the limit that is reached, for a person; nullopt = the ban may begin.
    std::optional<std::string> take_room(CheckedRequest& request, std::size_t ban_count,
                                         base::Timestamp now);

    // Counts a request that found no room. Returns whether an episode begins with it, of which the
    // administrator must know.
    bool note_deferral(base::Timestamp now);
    // Lets `request` wait for room. Returns the request that was given up for it, which may be
    // `request` itself.
    std::optional<CheckedRequest> defer(CheckedRequest request, base::Timestamp now);
    // Drops the request that waits for this ban, if there is one.
    void forget_deferred(const BanKey& key);
    // Drops the requests that wait for a release of `address`, "" = all, and returns them.
    std::vector<CheckedRequest> take_released(const std::string& address);
    // Those whose evidence is too old by now.
    std::vector<CheckedRequest> take_expired(base::Timestamp now);
    // The loudest request, if there is room for its ban beside `ban_count` others.
    std::optional<CheckedRequest> take_next(std::size_t ban_count, base::Timestamp now);
    // Call it after the last take_next() of a round: sets next_attempt().
    void plan_next_attempt(base::Timestamp now);
    // When to look again whether there is room; nullopt = nothing waits.
    std::optional<base::Timestamp> next_attempt() const { return next_attempt_; }
    std::size_t deferred_count() const { return deferred_.size(); }

    // Counts a new ban for `request`, and returns its time. Only proven evidence is an offence, so
    // that forged packets in the name of a host do not make its ban longer.
    Offence count_offence(const CheckedRequest& request, base::Timestamp now);
    // Changes `ban`, which is active, as the new `request` for it asks. nullopt = it does not count
    // as an offence, as a scan that continues.
    std::optional<Offence> change_ban(Ban& ban, const CheckedRequest& request, base::Timestamp now);
    const std::map<BanKey, Offender>& offenders() const { return offenders_; }
    // After a start: times that lie ahead would keep an address in the history for ever.
    void limit_offences_to(base::Timestamp now);

    void clock_jumped(std::chrono::nanoseconds by, base::Timestamp now);
    // Makes runs repeatable. REQUIRES: no request came before.
    void set_report_seed(std::uint64_t seed) { report_seed_ = seed; }

  private:
    tl::expected<BanBudget::Price, std::string> find_price(CheckedRequest& request,
                                                           std::size_t ban_count,
                                                           base::Timestamp now);
    void count_report(CheckedRequest& request, base::Timestamp now);

    const ExecdConfig& config_;
    Protection& protection_;
    std::map<BanKey, Offender> offenders_;
    EvidenceClock evidence_clock_;
    BanBudget bans_per_minute_;
    DeferredRequests deferred_;
    std::uint64_t report_seed_;
    std::optional<ReportCounts> report_counts_;  // only while something waits, or did lately
    std::optional<base::Timestamp> last_deferral_;
    std::optional<base::Timestamp> next_attempt_;
};

// Adds the step that says how old the evidence of `request` is. Returns its age.
std::chrono::seconds add_age_of_expired(CheckedRequest& request, base::Timestamp now);

// The soft ban that follows the hard one `ban`. REQUIRES: BanEntry::is_followed_by_soft_block().
Ban soft_ban_after(Ban ban, base::Timestamp now);

// Whether a release of `address` by hand ends `ban`: it is of that address, or of the IPv6 network
// by which a response banned it (<ipv6_prefix>). Networks banned by hand are released as such.
bool is_released_with(const Ban& ban, const std::string& address);

}  // namespace portcullis::execd
