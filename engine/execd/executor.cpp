#include "engine/execd/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/ban_target.hpp"
#include "engine/execd/executor_texts.hpp"
#include "engine/execd/request_texts.hpp"

namespace portcullis::execd {
namespace {

using base::Timestamp;
using std::chrono::seconds;

// Pause before the next attempt, after one more failure than `failed_before` in a row.
seconds pause_after(int failed_before) {
    return seconds(std::min(1 << std::min(failed_before, 9), 300));
}

std::int64_t unix_time(Timestamp time) {
    return time == kNever ? 0
                          : std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

Executor::Executor(ExecdConfig config, JournalState state, Journal& journal, Runner& runner,
                   Protection& protection, RecordSink& records, base::Log& log)
    : config_(std::move(config)),
      journal_(journal),
      runner_(runner),
      records_(records),
      log_(log),
      table_(state.bans),
      policy_(config_, protection, std::move(state.offenders)) {
    for (const auto& absurdity : state.absurdities) {
        log_.warning("the journal of bans holds impossible values, which make no ban: " +
                     absurdity);
    }
}

const Command* Executor::find_command(std::string_view name) const {
    const auto it = std::find_if(config_.commands.begin(), config_.commands.end(),
                                 [&](const Command& command) { return command.name == name; });
    return it == config_.commands.end() ? nullptr : &*it;
}

void Executor::finish(Record record, Outcome outcome, std::string reason, const OnReply& on_reply) {
    record.outcome = outcome;
    record.reason = std::move(reason);
    records_.write(record);
    if (on_reply) {
        base::Reply reply;
        reply.ok = outcome == Outcome::Executed || outcome == Outcome::Undone ||
                   outcome == Outcome::DryRun || outcome == Outcome::Unchanged;
        reply.text = fmt::format("{}: {}: {}", record.address, word_of(outcome), record.reason);
        on_reply(reply);
    }
}

void Executor::run(const Job& job, bool is_dry, std::function<void(const JobResult&)> on_done) {
    if (is_dry) {
        on_done({true, "dry run: no command was run"});
        return;
    }
    ++jobs_under_way_;
    runner_.run(job, [this, on_done = std::move(on_done)](const JobResult& result) {
        --jobs_under_way_;
        on_done(result);
    });
}

std::optional<Timestamp> Executor::next_due() const {
    std::optional<Timestamp> earliest = records_.next_due();
    for (const auto& due : {table_.next_due(), policy_.next_attempt()}) {
        if (due && (!earliest || *due < *earliest)) {
            earliest = due;
        }
    }
    return earliest;
}

void Executor::write_to_journal(const Ban& ban) {
    if (!journal_.put(ban)) {
        log_.error("cannot write the journal of bans: is the disk full?");
    }
}

// Runs the `add` of `entry`, and ends its request with `record`, whose reason begins the text of a
// success ("blocked").
void Executor::add(BanEntry& entry, Record record, const OnReply& on_reply) {
    const auto job = table_.begin_job(entry, BanState::Adding);
    const bool is_dry = entry.ban.is_dry || config_.dry_run;
    run(job_of(Action::Add, entry.ban, left_of(entry.ban, entry.ban.since)), is_dry,
        [this, asked = entry.ban, steps = table_.clock_steps(), job, record = std::move(record),
         on_reply, is_dry](const JobResult& result) mutable {
            std::string reason = fmt::format("{}{} {}", is_dry ? "would be " : "", record.reason,
                                             duration_text(record.timeout));
            if (result.ok && result.block && *result.block != record.block) {
                record.block = *result.block;
                record.steps.emplace_back("responder: knows no soft block");
            }
            if (!result.reason.empty()) {
                reason = result.ok ? reason + " (" + result.reason + ")" : result.reason;
            }
            const auto it = table_.find(asked.key);
            if (!result.ok && asked.is_persistent && it != table_.end() &&
                it->second.last_job == job && it->second.joined > 0) {
                reason += fmt::format("; the requests that came meanwhile fail with it: {}",
                                      std::exchange(it->second.joined, 0));
            }
            finish(record, outcome_of_add(result, is_dry), std::move(reason), on_reply);
            finish_add(moved(asked, table_.clock_steps() - steps), job, result);
        });
}

// Handles the answer to the `add` of `asked`. Returns its entry, whose state is Kept then;
// table_.end() if the ban no longer exists, or if a later job of it has begun.
BanTable::Iterator Executor::take_result(const Ban& asked, std::uint64_t job,
                                         const JobResult& result) {
    const auto it = table_.find(asked.key);
    if (it == table_.end()) {
        return it;
    }
    BanEntry& entry = it->second;
    Ban made = asked;
    made.block = result.ok ? result.block.value_or(made.block) : made.block;
    entry.note_answer(job, made, result);
    if (entry.last_job != job) {
        return table_.end();
    }
    entry.state = BanState::Kept;
    if (made.block != asked.block && entry.ban.block == asked.block) {
        entry.ban.block = made.block;
        write_to_journal(entry.ban);
    }
    return it;
}

void Executor::finish_add(const Ban& asked, std::uint64_t job, const JobResult& result) {
    const auto it = take_result(asked, job, result);
    if (it == table_.end()) {
        return;
    }
    BanEntry& entry = it->second;
    // A persistent responder knows the state of the kernel, a script does not: after the failure of
    // a script the ban stays, so that its undo runs.
    if (!result.ok && entry.ban.is_persistent) {
        fall_back(it, asked.since);
    } else if (std::exchange(entry.joined, 0) > 0) {
        // The records of these requests say that they were carried out, so a failure must not go
        // back to the state before them.
        entry.effect.ban = entry.ban;
        entry.effect.is_uncertain = true;
        table_.set_due(entry, entry.ban.since);  // tick() renews it
    }
}

// The ban or prolongation of `it` has failed: goes back to the state before.
void Executor::fall_back(BanTable::Iterator it, Timestamp now) {
    BanEntry& entry = it->second;
    if (!entry.effect.ban && !entry.effect.is_uncertain) {
        if (!journal_.put_undone(it->first)) {
            log_.error("cannot write the journal of bans: is the disk full?");
        }
        table_.erase(it);
        return;
    }
    if (entry.interrupted_undo || !entry.effect.ban) {
        entry.ban = entry.effect.ban.value_or(entry.ban);
        undo(it,
             std::exchange(entry.interrupted_undo, {})
                 .value_or("the answer of its responder was lost"),
             now, {});
        return;
    }
    entry.ban = *entry.effect.ban;
    write_to_journal(entry.ban);
    // tick() renews or undoes it.
    table_.set_due(entry, entry.effect.is_uncertain ? now : entry.ban.until);
}

void Executor::renew(BanEntry& entry, Timestamp now) {
    const seconds left = left_of(entry.ban, now);
    const bool is_dry = entry.ban.is_dry || config_.dry_run;
    entry.applied_until = entry.ban.until;
    table_.set_due(entry, entry.ban.until);
    if (entry.ban.until != kNever && left == seconds(0)) {
        return;  // timeouts are whole seconds, and 0 would have no end
    }
    const auto job = table_.begin_job(entry, BanState::Renewing);
    if (!entry.ban.is_persistent) {
        // A rule that was inserted twice would be removed once: remove the old one first.
        run(job_of(Action::Delete, entry.ban, seconds(0)), is_dry, [](const JobResult&) {});
    }
    run(job_of(Action::Add, entry.ban, left), is_dry,
        [this, asked = entry.ban, steps = table_.clock_steps(), job, now](const JobResult& result) {
            const auto by = table_.clock_steps() - steps;
            finish_renewal(moved(asked, by), job, result, now + by);
        });
}

void Executor::finish_renewal(const Ban& asked, std::uint64_t job, const JobResult& result,
                              Timestamp now) {
    const auto it = take_result(asked, job, result);
    if (it == table_.end()) {
        return;
    }
    BanEntry& entry = it->second;
    if (result.ok) {
        return;
    }
    const int failed_before = entry.failed_attempts++;
    if (failed_before == 0) {
        log_.error(fmt::format("cannot renew the ban of {}{}: {}", asked.key.address,
                               asked.is_persistent ? " yet, trying again" : "", result.reason));
    }
    if (asked.is_persistent) {
        table_.set_due(entry, std::min(entry.ban.until, now + pause_after(failed_before)));
    }
}

void Executor::restore(Timestamp now) {
    std::vector<BanKey> keys;
    for (const auto& [key, entry] : table_) {
        keys.push_back(key);
    }
    policy_.limit_offences_to(now);
    lift_protected(now);  // before anything is applied again
    int renewed = 0;
    int expired = 0;
    for (const auto& key : keys) {
        const auto it = table_.find(key);
        if (it == table_.end() || it->second.is_being_undone()) {
            continue;
        }
        BanEntry& entry = it->second;
        // If the clock was set back, the ban must not become longer than its timeout.
        if (entry.ban.until != kNever && entry.ban.since > now) {
            entry.ban = moved(entry.ban, now - entry.ban.since);
            entry.effect.ban = entry.ban;
            table_.set_due(entry, entry.ban.until);
        }
        if (entry.is_followed_by_soft_block(now)) {
            ++renewed;
            weaken(entry, now);
        } else if (entry.ban.until <= now) {
            ++expired;
            undo(it, "its time was over while execd was not running", now, {});
        } else if (entry.ban.until == kNever || left_of(entry.ban, now) > seconds(0)) {
            // With less than a second left, a kernel timeout in whole seconds would be too long.
            ++renewed;
            renew(entry, now);
        }
    }
    if (!keys.empty()) {
        log_.info(
            fmt::format("bans from before: {} applied again, {} undone because their time is "
                        "over",
                        renewed, expired));
    }
}

void Executor::apply_again(const std::string& executable, Timestamp now) {
    for (auto& [key, entry] : table_) {
        // PersistentResponder repeats the requests that are under way, and tick() repeats undos.
        if (key.executable == executable && entry.ban.is_persistent &&
            entry.state == BanState::Kept &&
            (entry.ban.until == kNever || left_of(entry.ban, now) > seconds(0))) {
            entry.effect.is_uncertain = true;
            renew(entry, now);
        }
    }
}

// Lets the soft ban follow the hard one.
void Executor::weaken(BanEntry& entry, Timestamp now) {
    const Ban& ban = entry.ban = soft_ban_after(entry.ban, now);
    write_to_journal(ban);
    // Its record says that it was carried out, so a failure must not go back to the state before.
    entry.effect.ban = ban;
    entry.effect.is_uncertain = true;
    Record record = record_of(Action::Add, ban, now);
    record.timeout = left_of(ban, now);
    finish(record, ban.is_dry || config_.dry_run ? Outcome::DryRun : Outcome::Executed,
           "the hard block is over, a soft one follows " + duration_text(record.timeout), {});
    renew(entry, now);
}

void Executor::tick(Timestamp now) {
    records_.tick(now);
    for (auto it = table_.first_due(now); it != table_.end(); it = table_.first_due(now)) {
        BanEntry& entry = it->second;
        if (entry.ban.until > now && !entry.is_being_undone()) {
            renew(entry, now);
        } else if (entry.is_followed_by_soft_block(now)) {
            weaken(entry, now);
        } else {
            undo(it, entry.is_being_undone() ? entry.undo_reason : "timeout is over", now, {});
        }
    }
    if (const auto next = policy_.next_attempt(); next && *next <= now) {
        ban_deferred(now);
    }
}

void Executor::clock_jumped(std::chrono::nanoseconds by, Timestamp now) {
    policy_.clock_jumped(by, now);
    table_.clock_jumped(by);
    if (table_.empty()) {
        return;
    }
    log_.warning(fmt::format("the clock was set by {:+.1f} s: {} bans keep the time they have left",
                             std::chrono::duration<double>(by).count(), table_.size()));
    if (auto written = compact_journal(); !written) {
        log_.error(base::render(written.error()));
    }
}

void Executor::undo(BanTable::Iterator it, std::string reason, Timestamp now,
                    std::function<void(bool)> on_done) {
    BanEntry& entry = it->second;
    if (!entry.is_being_undone()) {
        entry.failed_attempts = 0;
    }
    entry.joined = 0;
    entry.undo_reason = std::move(reason);
    table_.set_due(entry, kNever);
    const auto job = table_.begin_job(entry, BanState::Undoing);
    run(job_of(Action::Delete, entry.ban, seconds(0)), entry.ban.is_dry,
        [this, asked = entry.ban, why = entry.undo_reason, steps = table_.clock_steps(), job, now,
         on_done = std::move(on_done)](const JobResult& result) {
            const auto by = table_.clock_steps() - steps;
            const bool is_undone = finish_undo(moved(asked, by), why, job, result, now + by);
            if (on_done) {
                on_done(is_undone);
            }
        });
}

// Returns whether the undo was carried out, also if the address was banned again in the meantime.
bool Executor::finish_undo(const Ban& asked, const std::string& why, std::uint64_t job,
                           const JobResult& result, Timestamp now) {
    const auto it = table_.find(asked.key);
    if (it == table_.end()) {
        return true;  // an earlier undo has removed it
    }
    BanEntry& entry = it->second;
    const bool is_undone = result.ok || !asked.is_persistent;
    entry.note_answer(job, std::nullopt, result);
    Record record = record_of(Action::Delete, asked, now);
    if (entry.last_job != job) {
        if (!entry.is_being_undone()) {
            finish(record, is_undone ? Outcome::Undone : Outcome::Failed,
                   is_undone ? why + " (banned anew meanwhile)"
                             : "cannot be undone, and banned anew meanwhile: " + result.reason,
                   {});
        }
        return is_undone;
    }
    if (!is_undone) {
        entry.state = BanState::UndoFailed;
        // Its kernel timeout may have undone the ban, but only the responder knows that. The undo
        // is repeated, also after a restart, which must not take the ban for an active one.
        const auto wait = pause_after(entry.failed_attempts);
        if (entry.failed_attempts++ == 0) {
            entry.ban.until = std::min(entry.ban.until, now);
            entry.ban.soft_until.reset();
            write_to_journal(entry.ban);
            finish(record, Outcome::Failed,
                   fmt::format("cannot be undone yet, trying again: {}", result.reason), {});
        }
        table_.set_due(entry, now + wait);
        return false;
    }
    if (!journal_.put_undone(asked.key)) {
        log_.error("cannot write the journal of bans: is the disk full?");
    }
    const Outcome outcome = asked.is_dry ? Outcome::DryRun : Outcome::Undone;
    table_.erase(it);
    finish(record, outcome, result.reason.empty() ? why : why + " (" + result.reason + ")", {});
    return true;
}

void Executor::lift_protected(Timestamp now) {
    for (auto it = table_.begin(); it != table_.end();) {
        const auto current = it++;  // undo() may erase it
        const auto target = base::parse_ban_target(current->first.address);
        if (current->second.is_being_undone() || !target) {
            continue;
        }
        if (auto reason = policy_.reason_to_lift(*target)) {
            log_.warning(fmt::format("lifting the ban of {}, which must never be blocked: {}",
                                     current->first.address, *reason));
            undo(current, fmt::format("protected from now on: released ({})", *reason), now, {});
        }
    }
}

base::Reply Executor::list(const base::ListRequest& request) const {
    base::Reply reply;
    auto it = request.after.empty() ? table_.begin()
                                    : table_.upper_bound(ban_key_of_cursor(request.after));
    std::size_t room = base::kMaxMessageSize - 1024;  // for the members around the rows
    for (; it != table_.end(); ++it) {
        const Ban& ban = it->second.ban;
        base::BanRow row{
            ban.command,          ban.key.address, ban.key.user, ban.rule_id, unix_time(ban.since),
            unix_time(ban.until), ban.evidence,    ban.block,    ban.is_dry};
        const auto size = base::encoded_size_of(row);
        if (size > room) {
            break;
        }
        room -= size;
        reply.bans.push_back(std::move(row));
        reply.next = cursor_of(it->first);
    }
    if (it == table_.end()) {
        reply.next.clear();
    }
    reply.text = fmt::format("{} ban{}", table_.size(), table_.size() == 1 ? "" : "s");
    return reply;
}

base::Result<void> Executor::compact_journal() {
    JournalState state;
    state.bans = table_.bans();
    state.offenders = policy_.offenders();
    return journal_.compact(state);
}

void Executor::sync_journal() {
    if (journal_.wants_compaction(table_.size() + policy_.offenders().size())) {
        if (auto compacted = compact_journal(); !compacted) {
            log_.error(base::render(compacted.error()));
        }
    }
    journal_.sync();
}

}  // namespace portcullis::execd
