// Requests for bans: their checks, and how a ban begins or is prolonged.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ban_target.hpp"
#include "engine/execd/executor.hpp"
#include "engine/execd/executor_texts.hpp"
#include "engine/execd/request_texts.hpp"

namespace portcullis::execd {

using base::BlockKind;
using base::Evidence;
using base::Timestamp;
using std::chrono::seconds;

namespace {

constexpr std::string_view kByHand = "banned by hand";

}  // namespace

// Fills in the command, and the address, user and file name that it expects. Returns why that is
// not possible; "" = it is done.
std::string Executor::read_target(const base::RespondRequest& request, const Command& command,
                                  CheckedRequest& checked) {
    if (command.expects_srcip) {
        checked.target = base::parse_offender(request.srcip);
        if (!checked.target) {
            return "srcip is not an IP address";
        }
        checked.target = policy_.widen(*checked.target);
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
    switch (policy_.judge_evidence(checked, request, table_.has_hard_ban(checked.ban.key), now)) {
        case Verdict::Report:
            finish(record, Outcome::Reported, "the evidence is doubtful, so nothing is blocked",
                   {});
            return;
        case Verdict::TooOld:
            finish_as_expired(std::move(checked), now);
            return;
        case Verdict::Block:
            break;
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

void Executor::finish_as_expired(CheckedRequest request, Timestamp now) {
    const seconds age = add_age_of_expired(request, now);
    request.record.time = now;
    finish(request.record, Outcome::Expired,
           fmt::format("the evidence is {} s old, and the ban would be over after {} s: nothing "
                       "is blocked",
                       age.count(), request.ban.timeout.count()),
           {});
}

void Executor::carry_out(CheckedRequest request, Timestamp now, const OnReply& on_reply) {
    auto& steps = request.record.steps;
    if (const auto reason = policy_.reason_to_spare(request)) {
        finish(request.record, Outcome::Spared, "never blocked: " + *reason, on_reply);
        return;
    }
    const auto it = table_.find(request.ban.key);
    if (it != table_.end() && !it->second.ban.is_dry && config_.dry_run) {
        // A dry run does not change a real ban.
        steps.emplace_back("banned already, and this is a dry run");
        request.record.is_repeat = true;
        finish(request.record, Outcome::DryRun, "banned already (dry run: no command was run)",
               on_reply);
        return;
    }
    const bool was_dry_only = it != table_.end() && it->second.ban.is_dry && !config_.dry_run;
    if (it != table_.end() && !it->second.is_being_undone() && !was_dry_only) {
        policy_.forget_deferred(request.ban.key);
        prolong(it->second, std::move(request), now, on_reply);
        return;
    }
    const auto why = policy_.take_room(request, table_.size(), now);
    if (!why) {
        policy_.forget_deferred(request.ban.key);
        start_ban(std::move(request), now, on_reply);
        return;
    }
    if (request.is_manual) {
        steps.push_back("limit: " + *why);
        finish(request.record, Outcome::Refused, *why, on_reply);
        return;
    }
    if (policy_.note_deferral(now)) {
        raise_alarm(*why, now);
    }
    defer(std::move(request), *why, now);
}

// One loud message when an episode of deferrals begins.
void Executor::raise_alarm(const std::string& what, Timestamp now) {
    log_.critical(what + ": further bans wait until there is room, the loudest first");
    Record alarm;
    alarm.time = now;
    finish(alarm, Outcome::Alarm, what, {});
}

void Executor::defer(CheckedRequest request, const std::string& why, Timestamp now) {
    request.record.steps.push_back("deferred: " + why);
    finish(request.record, Outcome::Deferred,
           request.reports > 1 ? fmt::format("{} (report {} of this address)", why, request.reports)
                               : why,
           {});
    if (auto given_up = policy_.defer(std::move(request), now)) {
        given_up->record.time = now;
        finish(given_up->record, Outcome::Deferred,
               fmt::format("forgotten, since {} louder ones are waiting", policy_.deferred_count()),
               {});
    }
}

// Bans deferred requests while there is room.
void Executor::ban_deferred(Timestamp now) {
    for (auto& expired : policy_.take_expired(now)) {
        finish_as_expired(std::move(expired), now);
    }
    while (auto request = policy_.take_next(table_.size(), now)) {
        request->record.time = now;
        if (!is_bound(request->binding)) {
            finish(request->record, Outcome::Refused, "it is not configured any more", {});
            continue;
        }
        const auto waited = whole_seconds(now - *request->deferred_at);
        request->record.steps.push_back(fmt::format("made up for after {} s", waited.count()));
        carry_out(*std::move(request), now, {});
    }
    policy_.plan_next_attempt(now);
}

// Drops the deferred requests for `address`, which is released by hand; "" = for all addresses.
// Returns their number.
std::size_t Executor::drop_deferred(const std::string& address, Timestamp now) {
    const auto dropped = policy_.take_released(address);
    for (const auto& request : dropped) {
        Record record = request.record;
        record.time = now;
        record.steps.emplace_back("released by hand");
        finish(record, Outcome::Deferred, "forgotten, since it was released by hand", {});
    }
    return dropped.size();
}

// Returns the time of the ban.
seconds Executor::note_offence(const Offence& offence) {
    if (!offence.forgotten.empty()) {
        log_.warning(
            fmt::format("the history of repeated offenders is full, forgot {}", offence.forgotten));
    }
    if (offence.entry) {
        journal_.put(*offence.entry);
    }
    return offence.timeout;
}

void Executor::start_ban(CheckedRequest request, Timestamp now, const OnReply& on_reply) {
    Ban ban = std::move(request.ban);
    request.ban = ban;
    ban.is_dry = config_.dry_run;
    ban.timeout = note_offence(policy_.count_offence(request, now));
    ban.since = now;
    ban.until = end_after(request.evidence_time, ban.timeout);
    if (request.short_timeout) {
        ban.until = std::min(ban.until, now + *request.short_timeout);
    }
    Record record = std::move(request.record);
    record.timeout = left_of(ban, now);

    // Without a timeout, an address and a user there is nothing to undo.
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
        // The kernel undoes the bans of a persistent responder by their timeouts. The effect of a
        // script would never be undone.
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
        // The kernel holds nothing of a dry run, so there is no earlier state.
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

void Executor::prolong(BanEntry& entry, CheckedRequest request, Timestamp now,
                       const OnReply& on_reply) {
    Ban& ban = entry.ban;
    const Ban before = ban;
    if (const auto offence = policy_.change_ban(ban, request, now)) {
        note_offence(*offence);
    }
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
    // Proven evidence is applied again even if it comes in the same instant as the ban.
    const bool is_forgeable = !request.is_manual && request.ban.evidence != Evidence::Proven;
    if (is_same_block && (is_forgeable || request.ban.block != ban.block)) {
        keep(entry, before, record, now, on_reply);
        return;
    }
    std::string change = ban.until < before.until ? "shortened, now" : "prolonged";
    if (is_harder) {
        change = "blocked hard now";
    }
    // Requests may come faster than a responder answers. To keep the memory bounded, one job of
    // each ban is under way, and one more follows for all requests that came in the meantime.
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
    // A script that inserts a rule would insert it twice. So its ban is renewed by `delete` and
    // `add` shortly before the last timeout of the script ends (see tick()).
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

// Ends a request that needs no job of the responder.
void Executor::keep(BanEntry& entry, const Ban& before, const Record& record, Timestamp now,
                    const OnReply& on_reply) {
    Ban& ban = entry.ban;
    if (entry.effect.ban) {
        entry.effect.ban->soft_until = ban.soft_until;
    }
    if (entry.state == BanState::Adding && ban.is_persistent) {
        ++entry.joined;  // it fails if the job under way fails
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
