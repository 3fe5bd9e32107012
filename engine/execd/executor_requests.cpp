// Requests for bans: what is looked at before one is made or prolonged, and what waits for room.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ban_target.hpp"
#include "engine/execd/executor.hpp"
#include "engine/execd/executor_texts.hpp"
#include "engine/execd/request_texts.hpp"

namespace portcullis::execd {

using base::BlockChoice;
using base::BlockKind;
using base::Evidence;
using base::Timestamp;
using std::chrono::seconds;

namespace {

constexpr std::size_t kMaxOffenders = 100'000;
constexpr std::string_view kByHand = "banned by hand";
// Under pressure a ban gets this part of its time, but not less than the floor.
constexpr int kShortPart = 4;
constexpr seconds kShortestBan{30};
// After this long without a further one an episode of deferrals is over.
constexpr auto kEpisodeGap = std::chrono::minutes(1);
// How often it is looked at whether there is room for what waits, and what is too old by now.
constexpr std::chrono::milliseconds kMakeUpPause{500};
constexpr std::chrono::milliseconds kShortestMakeUpPause{50};

Timestamp deadline(Timestamp from, seconds timeout) {
    return timeout == seconds(0) ? kNever : from + timeout;
}

seconds whole_seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration_cast<seconds>(time);
}

// What `binding` does for evidence of this grade; nullopt = nothing.
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

std::string time_text(seconds timeout) {
    return timeout == seconds(0) ? "no end" : fmt::format("{} s", timeout.count());
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

}  // namespace

// Fills in the command and what it expects. Returns why that is not possible; "" = it is done.
std::string Executor::read_target(const base::RespondRequest& request, const Command& command,
                                  CheckedRequest& checked) {
    if (command.expects_srcip) {
        checked.target = base::parse_offender(request.srcip);
        if (!checked.target) {
            return "srcip is not an IP address";
        }
        checked.target = protection_.widen(*checked.target, config_.ipv6_prefix);
        checked.ban.key.address = base::ban_target_text(*checked.target);
        checked.record.address = checked.ban.key.address;
    }
    if (command.expects_user) {
        if (!is_user_name(request.user)) {
            return "the user is missing or no plain user name";
        }
        checked.ban.key.user = request.user;
    }
    if (command.expects_filename) {
        if (!is_plain_argument(request.filename)) {
            return "the file name is missing or holds control characters";
        }
        checked.ban.filename = request.filename;
    }
    checked.ban.key.executable = command.executable;
    checked.ban.command = command.name;
    checked.ban.is_persistent = command.is_persistent;
    checked.ban.alert_id = plain_argument(request.alert_id);
    checked.ban.rule_id = request.rule_id;
    checked.ban.location = plain_argument(request.location);
    return {};
}

void Executor::respond(const base::RespondRequest& request, Timestamp now) {
    records_.tick(now);
    CheckedRequest checked;
    Record& record = checked.record;
    record.time = now;
    record.command = request.command;
    record.address = request.srcip;
    record.user = request.user;
    record.rule_id = request.rule_id;
    record.alert_id = request.alert_id;
    record.location = request.location;
    record.filename = request.filename;
    record.timeout = request.timeout;
    record.evidence = request.evidence;
    auto& steps = record.steps;

    const Command* const command = find_command(request.command);
    if (command == nullptr) {
        steps.emplace_back("configured: no");
        finish(record, Outcome::Refused, "the configuration has no command of this name", {});
        return;
    }
    checked.binding = {request.command, request.timeout, request.block, request.forgeable_timeout};
    if (!is_bound(checked.binding)) {
        steps.emplace_back("configured: no");
        finish(record, Outcome::Refused,
               "no active-response of the configuration has this command, timeout and block", {});
        return;
    }
    steps.push_back(fmt::format("configured: {}, {}", command->name, time_text(request.timeout)));
    if (auto why = read_target(request, *command, checked); !why.empty()) {
        steps.push_back("target: " + why);
        finish(record, Outcome::Refused, std::move(why), {});
        return;
    }
    if (checked.target) {
        steps.push_back("address: " + record.address);
    }
    auto kind = kind_for(checked.binding, request.evidence);
    // A visitor whose page asks for many closed ports scans too. His open connections go on; the
    // connections of an attack that a service logged do not.
    // While a hard ban lasts, nothing can be told from a connection: its packets are dropped.
    const bool has_connection = kind == BlockKind::Hard && request.of_packets && checked.target &&
                                checked.binding.block == BlockChoice::Auto &&
                                !table_.has_hard_ban(checked.ban.key) &&
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
        finish(record, Outcome::Reported, "the evidence is doubtful, so nothing is blocked", {});
        return;
    }
    checked.evidence_time = evidence_clock_.moment_of(request.evidence_time, now);
    if (is_too_old(checked, now)) {
        finish_as_expired(std::move(checked), now);
        return;
    }
    if (const auto age = whole_seconds(now - checked.evidence_time); age > seconds(0)) {
        steps.push_back(fmt::format("age: {} s", age.count()));
    }
    carry_out(std::move(checked), now, {});
}

void Executor::ban(const base::BanRequest& request, Timestamp now, const OnReply& on_reply) {
    CheckedRequest checked;
    checked.is_manual = true;
    checked.evidence_time = now;
    checked.record.time = now;
    checked.record.asker = uid_t{0};
    checked.record.command = kManualBanCommand;
    checked.record.address = request.address;
    checked.record.timeout = request.timeout;
    checked.record.steps.emplace_back("asked for by hand");
    const Command* const command = find_command(kManualBanCommand);
    checked.target = base::parse_ban_target(request.address);
    if (command == nullptr || !command->expects_srcip) {
        finish(checked.record, Outcome::Refused,
               fmt::format("bans by hand use the command \"{}\", and the configuration has none "
                           "of this name that expects srcip",
                           kManualBanCommand),
               on_reply);
        return;
    }
    if (!checked.target) {
        finish(checked.record, Outcome::Refused, "not an IP address", on_reply);
        return;
    }
    checked.ban.key.executable = command->executable;
    checked.ban.key.address = base::ban_target_text(*checked.target);
    checked.ban.command = command->name;
    checked.ban.is_persistent = command->is_persistent;
    checked.ban.location = "portcullis-control";
    checked.ban.timeout = request.timeout;
    checked.record.address = checked.ban.key.address;
    carry_out(std::move(checked), now, on_reply);
}

bool Executor::is_bound(const Binding& binding) const {
    return std::find(config_.bindings.begin(), config_.bindings.end(), binding) !=
           config_.bindings.end();
}

// Timeouts are whole seconds, and 0 would have no end.
bool Executor::is_too_old(const CheckedRequest& request, Timestamp now) {
    return request.ban.timeout != seconds(0) && expiry_of(request) < now + seconds(1);
}

void Executor::finish_as_expired(CheckedRequest request, Timestamp now) {
    const auto age = whole_seconds(now - request.evidence_time);
    request.record.time = now;
    request.record.steps.push_back(fmt::format("age: {} s, too old", age.count()));
    finish(request.record, Outcome::Expired,
           fmt::format("the evidence is {} s old, and the ban would be over after {} s: nothing "
                       "is blocked",
                       age.count(), request.ban.timeout.count()),
           {});
}

void Executor::carry_out(CheckedRequest request, Timestamp now, const OnReply& on_reply) {
    auto& steps = request.record.steps;
    if (request.target) {
        if (auto reason = protection_.reason_to_spare(*request.target)) {
            steps.push_back("protected: " + *reason);
            finish(request.record, Outcome::Spared, "never blocked: " + *reason, on_reply);
            return;
        }
        steps.emplace_back("protected: no");
    }
    const auto it = table_.find(request.ban.key);
    if (it != table_.end() && !it->second.ban.is_dry && config_.dry_run) {
        // A dry run changes nothing about what is really banned.
        steps.emplace_back("banned already, and this is a dry run");
        request.record.is_repeat = true;
        finish(request.record, Outcome::DryRun, "banned already (dry run: no command was run)",
               on_reply);
        return;
    }
    const bool was_dry_only = it != table_.end() && it->second.ban.is_dry && !config_.dry_run;
    if (it != table_.end() && !it->second.is_being_undone() && !was_dry_only) {
        deferred_.take(request.ban.key);
        prolong(it->second, std::move(request), now, on_reply);
        return;
    }
    const auto why = take_room(request, now);
    if (!why) {
        deferred_.take(request.ban.key);
        start_ban(std::move(request), now, on_reply);
        return;
    }
    if (request.is_manual) {
        steps.push_back("limit: " + *why);
        finish(request.record, Outcome::Refused, *why, on_reply);
        return;
    }
    raise_alarm(*why, now);
    defer(std::move(request), *why, now);
}

// Takes the room that a new ban for `request` needs, and shortens it if there is not much left.
// Returns the limit that is reached; nullopt = there is room.
std::optional<std::string> Executor::take_room(CheckedRequest& request, Timestamp now) {
    const auto price = price_of(request, now);
    if (!price) {
        return price.error();
    }
    // The administrator's own bans are not counted: the limit guards against forged evidence.
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

// The error is the limit that is reached.
tl::expected<BanBudget::Price, std::string> Executor::price_of(CheckedRequest& request,
                                                               Timestamp now) {
    if (table_.size() >= static_cast<std::size_t>(std::max(config_.max_bans, 0))) {
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

// Once for each request, and only while something waits: nobody asks at other times.
void Executor::count_report(CheckedRequest& request, Timestamp now) {
    if (request.reports > 0 || request.is_manual) {
        return;
    }
    request.reports = report_counts_ ? report_counts_->count(text_of_key(request.ban.key), now) : 1;
    if (const CheckedRequest* const waiting = deferred_.find(request.ban.key)) {
        request.reports = std::max(request.reports, waiting->reports + 1);
    }
    request.is_offender = offenders_.count(offender_key_of(request.ban)) != 0;
}

// One loud message when an episode begins.
void Executor::raise_alarm(const std::string& what, Timestamp now) {
    const bool is_within =
        last_deferral_ && *last_deferral_ <= now && now - *last_deferral_ < kEpisodeGap;
    last_deferral_ = now;
    if (is_within) {
        return;
    }
    log_.critical(what + ": further bans wait until there is room, the loudest first");
    Record alarm;
    alarm.time = now;
    finish(alarm, Outcome::Alarm, what, {});
}

void Executor::defer(CheckedRequest request, const std::string& why, Timestamp now) {
    if (!report_counts_) {
        report_counts_.emplace(report_seed_);
        report_counts_->count(text_of_key(request.ban.key), now);
    }
    request.record.steps.push_back("deferred: " + why);
    Record record = request.record;
    if (!request.deferred_at) {
        request.deferred_at = now;
    }
    finish(record, Outcome::Deferred,
           request.reports > 1 ? fmt::format("{} (report {} of this address)", why, request.reports)
                               : why,
           {});
    if (auto given_up = deferred_.put(std::move(request))) {
        given_up->record.time = now;
        finish(given_up->record, Outcome::Deferred,
               fmt::format("forgotten, since {} louder ones are waiting", deferred_.size()), {});
    }
    if (!next_make_up_) {
        next_make_up_ = now + kMakeUpPause;
    }
}

// Bans what waits, as far as there is room.
void Executor::make_up(Timestamp now) {
    for (auto& request : deferred_.take_if(
             [&](const CheckedRequest& waiting) { return is_too_old(waiting, now); })) {
        finish_as_expired(std::move(request), now);
    }
    while (const CheckedRequest* const loudest = deferred_.loudest()) {
        CheckedRequest request = *loudest;
        if (!price_of(request, now)) {
            break;
        }
        deferred_.take(request.ban.key);
        if (!is_bound(request.binding)) {
            request.record.time = now;
            finish(request.record, Outcome::Refused, "it is not configured any more", {});
            continue;
        }
        const auto waited = whole_seconds(now - *request.deferred_at);
        request.record.time = now;
        request.record.steps.push_back(fmt::format("made up for after {} s", waited.count()));
        carry_out(std::move(request), now, {});
    }
    if (!deferred_.empty()) {
        const auto free = bans_per_minute_.next_free().value_or(now + kMakeUpPause);
        next_make_up_ = std::clamp(free, now + kShortestMakeUpPause, now + kMakeUpPause);
        return;
    }
    next_make_up_.reset();
    if (report_counts_ && (!last_deferral_ || now - *last_deferral_ > kEpisodeGap)) {
        report_counts_.reset();
    } else if (report_counts_) {
        next_make_up_ = *last_deferral_ + kEpisodeGap + kMakeUpPause;
    }
}

// Requests that wait for what is released by hand; returns how many there were.
// "" = of all addresses.
std::size_t Executor::drop_deferred(const std::string& address, Timestamp now) {
    const auto dropped = deferred_.take_if([&](const CheckedRequest& request) {
        return address.empty() || is_released_with(request.ban, address);
    });
    for (const auto& request : dropped) {
        Record record = request.record;
        record.time = now;
        record.steps.emplace_back("released by hand");
        finish(record, Outcome::Deferred, "forgotten, since it was released by hand", {});
    }
    return dropped.size();
}

// The time of a new ban for what is proven: a step of <repeated_offenders>. Others are no steps:
// packets in the name of a host must not make its ban longer.
seconds Executor::next_timeout(const CheckedRequest& request, Timestamp now) {
    const auto& steps = config_.repeated_offenders;
    if (steps.empty() || request.is_manual || !request.target ||
        request.ban.timeout == seconds(0) || request.ban.evidence != Evidence::Proven) {
        return request.ban.timeout;
    }
    const BanKey key = offender_key_of(request.ban);
    if (offenders_.size() >= kMaxOffenders && offenders_.count(key) == 0) {
        const auto oldest = std::min_element(
            offenders_.begin(), offenders_.end(),
            [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
        log_.warning(fmt::format("the history of repeated offenders is full, forgot {}",
                                 oldest->first.address));
        offenders_.erase(oldest);
    }
    Offender& offender = offenders_[key];
    offender.key = key;
    offender.last = now;
    seconds timeout = request.ban.timeout;
    if (offender.offences > 0) {
        const auto step = std::min<std::size_t>(static_cast<std::size_t>(offender.offences) - 1,
                                                steps.size() - 1);
        // Not shorter than without the offences: the age of evidence is judged by that time.
        timeout = std::max(timeout, std::chrono::duration_cast<seconds>(steps[step]));
    }
    if (offender.offences <= static_cast<int>(steps.size())) {
        ++offender.offences;
    }
    journal_.put(offender);
    return timeout;
}

void Executor::start_ban(CheckedRequest request, Timestamp now, const OnReply& on_reply) {
    Ban ban = std::move(request.ban);
    request.ban = ban;
    ban.is_dry = config_.dry_run;
    ban.timeout = next_timeout(request, now);
    ban.since = now;
    ban.until = deadline(request.evidence_time, ban.timeout);
    if (request.short_timeout) {
        ban.until = std::min(ban.until, now + *request.short_timeout);
    }
    Record record = std::move(request.record);
    record.timeout = left_of(ban, now);

    // Without a timeout, and without anybody whom it is about, there is nothing to remember.
    if (ban.until == kNever && ban.key.address == "-" && ban.key.user == "-") {
        run(job_of(Action::Add, ban, seconds(0)), ban.is_dry,
            [this, record, on_reply, is_dry = ban.is_dry](const JobResult& result) {
                finish(record, outcome_of_add(result, is_dry),
                       result.reason.empty() ? "the command has run" : result.reason, on_reply);
            });
        return;
    }
    const bool is_written = journal_.put(ban);
    if (!is_written) {
        log_.error("cannot write the journal of bans: is the disk full?");
        // The kernel undoes what a persistent responder was given a timeout for; nobody would
        // undo what a script does.
        if (!ban.is_persistent || ban.until == kNever) {
            finish(record, Outcome::Failed,
                   "the journal cannot be written, so the undo could be forgotten", on_reply);
            return;
        }
    }
    if (!ban.is_persistent) {
        journal_.sync();
    }
    BanEntry& entry = table_.find_or_add(ban.key);
    if (entry.ban.is_dry) {
        // Nothing of a dry run is in the kernel: there is nothing to go back to.
        entry.effect.ban.reset();
        entry.effect.is_uncertain = false;
    }
    if (entry.is_being_undone()) {
        entry.interrupted_undo = entry.undo_reason;
    }
    entry.ban = ban;
    entry.joined = 0;
    entry.failed_attempts = 0;
    entry.applied_until = ban.until;
    table_.set_due(entry, ban.until);
    record.reason = std::string(request.is_manual ? kByHand : "blocked");
    add(entry, std::move(record), on_reply);
}

// What `request` makes of a ban that is there. A scan that continues is not a further offence;
// proof after mere packets is one.
void Executor::change(Ban& ban, const CheckedRequest& request, Timestamp now) {
    const seconds asked = request.ban.timeout;
    const bool is_proven = request.ban.evidence == Evidence::Proven;
    if (request.is_manual) {
        // The administrator's word counts, even if it is shorter.
        ban.timeout = asked;
        ban.until = deadline(now, asked);
        ban.block = BlockKind::Hard;
        ban.evidence = Evidence::Proven;
        ban.soft_until.reset();
    } else if (request.ban.block == BlockKind::Hard && ban.block == BlockKind::Soft) {
        ban.soft_until = ban.until;
        ban.timeout = next_timeout(request, now);
        ban.until = deadline(request.evidence_time, ban.timeout);
        ban.block = BlockKind::Hard;
        ban.evidence = request.ban.evidence;
    } else if (request.ban.block == BlockKind::Soft && ban.block == BlockKind::Hard) {
        // Packets that anybody can send never make a hard ban longer. While they come, a soft one
        // follows it.
        const auto end = deadline(request.evidence_time, asked);
        ban.soft_until = std::max(ban.soft_until.value_or(end), end);
        return;
    } else {
        // What is proven prolongs by the longest time so far, a step of <repeated_offenders>
        // perhaps. What is not prolongs by its own time.
        const seconds timeout = asked == seconds(0) || (is_proven && ban.timeout == seconds(0))
                                    ? seconds(0)
                                : is_proven ? std::max(ban.timeout, asked)
                                            : asked;
        const auto end = deadline(request.evidence_time, timeout);
        ban.evidence = std::min(ban.evidence, request.ban.evidence);
        if (!is_proven && end <= ban.until) {
            return;
        }
        ban.until = std::max(ban.until, end);
        ban.timeout = timeout;
    }
    ban.since = now;
    ban.alert_id = request.ban.alert_id;
    ban.rule_id = request.ban.rule_id;
}

void Executor::prolong(BanEntry& entry, CheckedRequest request, Timestamp now,
                       const OnReply& on_reply) {
    Ban& ban = entry.ban;
    const Ban before = ban;
    change(ban, request, now);
    const bool is_harder = before.block == BlockKind::Soft && ban.block == BlockKind::Hard;
    const bool is_same_block =
        ban.since == before.since && ban.until == before.until && ban.block == before.block;
    Record record = std::move(request.record);
    record.is_repeat = true;
    record.block = ban.block;
    record.evidence = request.ban.evidence;
    record.timeout = left_of(ban, now);
    record.steps.emplace_back(is_harder ? "banned: softly, and now there is proof"
                                        : fmt::format("banned: {}", base::word_of(before.block)));
    if (ban != before) {
        write_to_journal(ban);
    }
    // What is proven is applied anew even if it comes in the same instant as the ban.
    const bool is_forgeable = !request.is_manual && request.ban.evidence != Evidence::Proven;
    if (is_same_block && (is_forgeable || request.ban.block != ban.block)) {
        keep(entry, before, record, now, on_reply);
        return;
    }
    std::string change = ban.until < before.until ? "shortened, now" : "prolonged";
    if (is_harder) {
        change = "blocked hard now";
    }
    // Requests may come faster than a responder answers. To keep the memory bounded, one request of
    // each ban is under way, and one more follows for all that came meanwhile.
    if (entry.state == BanState::Adding && ban.is_persistent && !request.is_manual) {
        ++entry.joined;
        table_.set_due(entry, ban.until);
        finish(record, Outcome::Executed, change + " " + duration_text(record.timeout), on_reply);
        return;
    }
    if (ban.is_persistent || ban.is_dry) {
        table_.set_due(entry, ban.until);
        record.reason = change;
        add(entry, std::move(record), on_reply);
        return;
    }
    // A script that blocks by inserting a rule would insert it twice. It is renewed by delete and
    // add just before the timeout that it was last given runs out (see tick()).
    if (request.is_manual || is_harder) {
        table_.set_due(entry, now);
    } else if (entry.applied_until == kNever) {
        table_.set_due(entry, ban.until);
    } else {
        table_.set_due(entry, std::min(ban.until, entry.applied_until - kRenewAhead));
    }
    finish(record, config_.dry_run ? Outcome::DryRun : Outcome::Executed,
           change + " " + duration_text(record.timeout), on_reply);
}

// A request that changes nothing of what its responder was told.
void Executor::keep(BanEntry& entry, const Ban& before, const Record& record, Timestamp now,
                    const OnReply& on_reply) {
    Ban& ban = entry.ban;
    if (entry.effect.ban) {
        entry.effect.ban->soft_until = ban.soft_until;
    }
    if (entry.state == BanState::Adding && ban.is_persistent) {
        ++entry.joined;  // it fails with what is under way
    }
    const auto left = left_of(ban, now);
    const bool is_longer = ban.soft_until != before.soft_until && *ban.soft_until > ban.until;
    if (!is_longer) {
        finish(record, Outcome::Unchanged,
               fmt::format("blocked already, {}{}", duration_text(left),
                           ban.until == kNever ? "" : " more"),
               on_reply);
        return;
    }
    const seconds soft =
        *ban.soft_until == kNever ? seconds(0) : whole_seconds(*ban.soft_until - ban.until);
    finish(record, ban.is_dry ? Outcome::DryRun : Outcome::Executed,
           fmt::format("blocked hard {} more, then softly {}", duration_text(left),
                       duration_text(soft)),
           on_reply);
}

}  // namespace portcullis::execd
