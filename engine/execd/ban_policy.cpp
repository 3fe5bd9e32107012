#include "engine/execd/ban_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/ban_target.hpp"
#include "engine/execd/executor_texts.hpp"

namespace portcullis::execd {

using base::BlockChoice;
using base::BlockKind;
using base::Evidence;
using base::Timestamp;
using std::chrono::seconds;

namespace {

// Under pressure a ban gets one kShortPart-th of its time, but at least kShortestBan.
constexpr int kShortPart = 4;
constexpr seconds kShortestBan{30};
// Time after the last deferral at which an episode of deferrals ends.
constexpr auto kEpisodeGap = std::chrono::minutes(1);
// Time between two attempts to ban the requests that wait for room.
constexpr std::chrono::milliseconds kAttemptPause{500};
constexpr std::chrono::milliseconds kShortestAttemptPause{50};

// Returns the kind of block that `binding` makes for evidence of this grade; nullopt = none.
std::optional<BlockKind> kind_for(const Binding& binding, Evidence evidence) {
    switch (binding.block) {
        case BlockChoice::Hard:
            return BlockKind::Hard;
        case BlockChoice::Soft:
            return BlockKind::Soft;
        case BlockChoice::Auto:
            break;
    }
    switch (evidence) {
        case Evidence::Proven:
            return BlockKind::Hard;
        case Evidence::Forgeable:
            return BlockKind::Soft;
        case Evidence::Doubtful:
            break;
    }
    return std::nullopt;
}

seconds time_for(const Binding& binding, Evidence evidence) {
    return evidence == Evidence::Proven || binding.forgeable_timeout == seconds(0)
               ? binding.timeout
               : binding.forgeable_timeout;
}

BanClaim claim_of(const CheckedRequest& request) {
    if (request.ban.evidence == Evidence::Proven) {
        return BanClaim::Proven;
    }
    return request.reports > 1 || request.is_offender ? BanClaim::Repeated : BanClaim::FirstReport;
}

BanKey offender_key_of(const Ban& ban) { return {ban.key.executable, ban.key.address, "-"}; }

std::string text_of_key(const BanKey& key) {
    return key.executable + '\0' + key.address + '\0' + key.user;
}

// Whether the ban would have less than a second left. Timeouts are whole seconds, and 0 = no end.
bool is_too_old(const CheckedRequest& request, Timestamp now) {
    return request.ban.timeout != seconds(0) && expiry_of(request) < now + seconds(1);
}

}  // namespace

seconds add_age_of_expired(CheckedRequest& request, Timestamp now) {
    const seconds age = whole_seconds(now - request.evidence_time);
    request.record.steps.push_back(fmt::format("age: {} s, too old", age.count()));
    return age;
}

Ban soft_ban_after(Ban ban, Timestamp now) {
    ban.block = BlockKind::Soft;
    ban.evidence = Evidence::Forgeable;
    ban.since = now;
    ban.until = *ban.soft_until;
    ban.soft_until.reset();
    ban.timeout = ban.until == kNever ? seconds(0) : std::chrono::ceil<seconds>(ban.until - now);
    return ban;
}

bool is_released_with(const Ban& ban, const std::string& address) {
    if (ban.key.address == address) {
        return true;
    }
    const auto network = base::parse_ban_target(ban.key.address);
    const auto released = base::IpAddress::parse(address);
    return ban.rule_id != 0 && network && released && network->contains(*released);
}

BanPolicy::BanPolicy(const ExecdConfig& config, Protection& protection,
                     std::map<BanKey, Offender> offenders)
    : config_(config),
      protection_(protection),
      offenders_(std::move(offenders)),
      report_seed_((std::uint64_t{std::random_device{}()} << 32) | std::random_device{}()) {}

Verdict BanPolicy::judge_evidence(CheckedRequest& checked, const base::RespondRequest& request,
                                  bool has_hard_ban, Timestamp now) const {
    Record& record = checked.record;
    auto& steps = record.steps;
    auto kind = kind_for(checked.binding, request.evidence);
    // The probes of a visitor, whose page connects to many closed ports, look like a scan, so its
    // open connections are not cut. The connections of an attack that a service logged are cut.
    // While a hard ban lasts, an open connection proves nothing, since its packets are dropped.
    const bool has_connection = kind == BlockKind::Hard && request.of_packets && checked.target &&
                                checked.binding.block == BlockChoice::Auto && !has_hard_ban &&
                                protection_.has_connection(*checked.target);
    if (has_connection) {
        kind = BlockKind::Soft;
    }
    checked.ports = request.ports;
    checked.ban.evidence = request.evidence;
    checked.ban.block = kind.value_or(BlockKind::Hard);
    checked.ban.timeout = time_for(checked.binding, request.evidence);
    record.block = checked.ban.block;
    record.timeout = checked.ban.timeout;
    steps.push_back(fmt::format(
        "grade: {} \u2192 {}", base::word_of(request.evidence),
        kind ? fmt::format("{}, {}", base::word_of(*kind), time_text(checked.ban.timeout))
             : "no block"));
    if (has_connection) {
        steps.emplace_back("connection: open, so it is not cut");
    }
    if (!kind) {
        return Verdict::Report;
    }
    checked.evidence_time = evidence_clock_.moment_of(request.evidence_time, now);
    if (is_too_old(checked, now)) {
        return Verdict::TooOld;
    }
    if (const auto age = whole_seconds(now - checked.evidence_time); age > seconds(0)) {
        steps.push_back(fmt::format("age: {} s", age.count()));
    }
    return Verdict::Block;
}

base::Cidr BanPolicy::widen(const base::Cidr& source) const {
    return protection_.widen(source, config_.ipv6_prefix);
}

std::optional<std::string> BanPolicy::reason_to_spare(CheckedRequest& request) const {
    if (!request.target) {
        return std::nullopt;
    }
    auto reason = protection_.reason_to_spare(*request.target);
    request.record.steps.push_back("protected: " + reason.value_or("no"));
    return reason;
}

std::optional<std::string> BanPolicy::reason_to_lift(const base::Cidr& target) const {
    return protection_.standing_reason(target);
}

std::optional<std::string> BanPolicy::take_room(CheckedRequest& request, std::size_t ban_count,
                                                Timestamp now) {
    const auto price = find_price(request, ban_count, now);
    if (!price) {
        return price.error();
    }
    // Bans by hand are not counted: the limit guards against forged evidence.
    if (request.is_manual) {
        return std::nullopt;
    }
    bans_per_minute_.take(claim_of(request), *price, now);
    request.record.steps.push_back(
        fmt::format("limit: {:.4g} of {}", bans_per_minute_.used(), config_.max_bans_per_minute));
    if (price->is_short) {
        request.short_timeout =
            std::max(request.ban.timeout / kShortPart, std::min(request.ban.timeout, kShortestBan));
        request.record.steps.push_back(
            fmt::format("many bans: at most {} s for this one", request.short_timeout->count()));
    }
    return std::nullopt;
}

// Returns the price of a new ban. The error is the limit that is reached.
tl::expected<BanBudget::Price, std::string> BanPolicy::find_price(CheckedRequest& request,
                                                                  std::size_t ban_count,
                                                                  Timestamp now) {
    if (ban_count >= static_cast<std::size_t>(std::max(config_.max_bans, 0))) {
        count_report(request, now);
        return tl::unexpected(fmt::format("max_bans ({}) is reached", config_.max_bans));
    }
    if (request.is_manual) {
        return BanBudget::Price{};
    }
    count_report(request, now);
    const BanClaim claim = claim_of(request);
    const auto price = bans_per_minute_.price_of(claim, request.ban.timeout != seconds(0),
                                                 config_.max_bans_per_minute, now);
    if (!price) {
        return tl::unexpected(
            fmt::format("{}max_bans_per_minute ({}) is reached",
                        claim == BanClaim::Proven ? "" : "the share of forgeable evidence in ",
                        config_.max_bans_per_minute));
    }
    return *price;
}

// Counts the report of `request`, once for each request. ReportCounts exists only while requests
// wait.
void BanPolicy::count_report(CheckedRequest& request, Timestamp now) {
    if (request.reports > 0 || request.is_manual) {
        return;
    }
    request.reports = report_counts_ ? report_counts_->count(text_of_key(request.ban.key), now) : 1;
    if (const CheckedRequest* const waiting = deferred_.find(request.ban.key)) {
        request.reports = std::max(request.reports, waiting->reports + 1);
    }
    request.is_offender = offenders_.count(offender_key_of(request.ban)) != 0;
}

bool BanPolicy::note_deferral(Timestamp now) {
    const bool is_within =
        last_deferral_ && *last_deferral_ <= now && now - *last_deferral_ < kEpisodeGap;
    last_deferral_ = now;
    return !is_within;
}

std::optional<CheckedRequest> BanPolicy::defer(CheckedRequest request, Timestamp now) {
    if (!report_counts_) {
        report_counts_.emplace(report_seed_);
        report_counts_->count(text_of_key(request.ban.key), now);
    }
    if (!request.deferred_at) {
        request.deferred_at = now;
    }
    if (!next_attempt_) {
        next_attempt_ = now + kAttemptPause;
    }
    return deferred_.put(std::move(request));
}

void BanPolicy::forget_deferred(const BanKey& key) { deferred_.take(key); }

std::vector<CheckedRequest> BanPolicy::take_released(const std::string& address) {
    return deferred_.take_if([&](const CheckedRequest& request) {
        return address.empty() || is_released_with(request.ban, address);
    });
}

std::vector<CheckedRequest> BanPolicy::take_expired(Timestamp now) {
    return deferred_.take_if(
        [&](const CheckedRequest& request) { return is_too_old(request, now); });
}

std::optional<CheckedRequest> BanPolicy::take_next(std::size_t ban_count, Timestamp now) {
    const CheckedRequest* const loudest = deferred_.loudest();
    if (loudest == nullptr) {
        return std::nullopt;
    }
    CheckedRequest request = *loudest;
    if (!find_price(request, ban_count, now)) {
        return std::nullopt;
    }
    deferred_.take(request.ban.key);
    return request;
}

void BanPolicy::plan_next_attempt(Timestamp now) {
    if (!deferred_.empty()) {
        const auto free = bans_per_minute_.next_free().value_or(now + kAttemptPause);
        next_attempt_ = std::clamp(free, now + kShortestAttemptPause, now + kAttemptPause);
        return;
    }
    next_attempt_.reset();
    if (report_counts_ && (!last_deferral_ || now - *last_deferral_ > kEpisodeGap)) {
        report_counts_.reset();
    } else if (report_counts_) {
        next_attempt_ = *last_deferral_ + kEpisodeGap + kAttemptPause;
    }
}

Offence BanPolicy::count_offence(const CheckedRequest& request, Timestamp now) {
    const auto& steps = config_.repeated_offenders;
    if (steps.empty() || request.is_manual || !request.target ||
        request.ban.timeout == seconds(0) || request.ban.evidence != Evidence::Proven) {
        return {request.ban.timeout, {}, {}};
    }
    Offence offence;
    const BanKey key = offender_key_of(request.ban);
    if (offenders_.size() >= kMaxOffenders && offenders_.count(key) == 0) {
        const auto oldest = std::min_element(
            offenders_.begin(), offenders_.end(),
            [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
        offence.forgotten = oldest->first.address;
        offenders_.erase(oldest);
    }
    Offender& offender = offenders_[key];
    offender.key = key;
    offender.last = now;
    offence.timeout = request.ban.timeout;
    if (offender.offences > 0) {
        const auto step = std::min<std::size_t>(static_cast<std::size_t>(offender.offences) - 1,
                                                steps.size() - 1);
        // Not shorter than without offences, since the age of evidence is compared with that time.
        offence.timeout =
            std::max(offence.timeout, std::chrono::duration_cast<seconds>(steps[step]));
    }
    if (offender.offences <= static_cast<int>(steps.size())) {
        ++offender.offences;
    }
    offence.entry = offender;
    return offence;
}

std::optional<Offence> BanPolicy::change_ban(Ban& ban, const CheckedRequest& request,
                                             Timestamp now) {
    std::optional<Offence> offence;
    const seconds asked = request.ban.timeout;
    const bool is_proven = request.ban.evidence == Evidence::Proven;
    if (request.is_manual) {
        // The administrator may make the ban shorter.
        ban.timeout = asked;
        ban.until = end_after(now, asked);
        ban.block = BlockKind::Hard;
        ban.evidence = Evidence::Proven;
        ban.soft_until.reset();
    } else if (request.ban.block == BlockKind::Hard && ban.block == BlockKind::Soft) {
        ban.soft_until = ban.until;
        // Proof after forgeable packets is an offence. A scan that continues is not.
        offence = count_offence(request, now);
        ban.timeout = offence->timeout;
        ban.until = end_after(request.evidence_time, ban.timeout);
        ban.block = BlockKind::Hard;
        ban.evidence = request.ban.evidence;
    } else if (request.ban.block == BlockKind::Soft && ban.block == BlockKind::Hard) {
        // Forgeable packets never make a hard ban longer. If they continue, a soft ban follows it.
        const auto end = end_after(request.evidence_time, asked);
        ban.soft_until = std::max(ban.soft_until.value_or(end), end);
        return offence;
    } else {
        // Proven evidence prolongs the ban by its longest time so far, which may be a step of
        // <repeated_offenders>. Other evidence prolongs it by its own time.
        const seconds timeout = asked == seconds(0) || (is_proven && ban.timeout == seconds(0))
                                    ? seconds(0)
                                : is_proven ? std::max(ban.timeout, asked)
                                            : asked;
        const auto end = end_after(request.evidence_time, timeout);
        ban.evidence = std::min(ban.evidence, request.ban.evidence);
        if (!is_proven && end <= ban.until) {
            return offence;
        }
        ban.until = std::max(ban.until, end);
        ban.timeout = timeout;
    }
    ban.since = now;
    ban.alert_id = request.ban.alert_id;
    ban.rule_id = request.ban.rule_id;
    return offence;
}

void BanPolicy::limit_offences_to(Timestamp now) {
    for (auto& [key, offender] : offenders_) {
        offender.last = std::min(offender.last, now);
    }
}

void BanPolicy::clock_jumped(std::chrono::nanoseconds by, Timestamp now) {
    evidence_clock_.clock_jumped(by, now);
    bans_per_minute_.clock_jumped(by);
    deferred_.clock_jumped(by);
    if (report_counts_) {
        report_counts_->clock_jumped(by);
    }
    for (auto* const time : {&last_deferral_, &next_attempt_}) {
        if (*time) {
            **time += by;
        }
    }
}

}  // namespace portcullis::execd
