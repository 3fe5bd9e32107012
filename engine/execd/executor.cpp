#include "engine/execd/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "base/ban_target.hpp"
#include "engine/execd/executor_texts.hpp"
#include "engine/execd/request_texts.hpp"

namespace portcullis::execd {
namespace {

using base::Timestamp;
using std::chrono::seconds;

// `ban` after the clock was set by `by`.
Ban moved(Ban ban, std::chrono::nanoseconds by) {
    ban.since += by;
    if (ban.until != kNever) {
        ban.until += by;
    }
    if (ban.soft_until && *ban.soft_until != kNever) {
        *ban.soft_until += by;
    }
    return ban;
}

// How long to wait before asking again after one more than `failed_before` failures in a row.
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
      protection_(protection),
      records_(records),
      log_(log),
      offenders_(std::move(state.offenders)),
      report_seed_((std::uint64_t{std::random_device{}()} << 32) | std::random_device{}()) {
    for (const auto& absurdity : state.absurdities) {
        log_.warning(
            "the journal of bans holds what execd cannot have written, which makes no ban: " +
            absurdity);
    }
    for (auto& [key, ban] : state.bans) {
        Entry& entry = bans_[key];
        entry.ban = std::move(ban);
        entry.in_force = entry.ban;
        entry.is_uncertain = true;
        set_due(entry, entry.ban.until);
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

void Executor::set_due(Entry& entry, Timestamp due) {
    due_.erase({entry.due, entry.ban.key});
    entry.due = due;
    if (due != kNever) {
        due_.emplace(due, entry.ban.key);
    }
}

void Executor::forget(Bans::iterator it) {
    set_due(it->second, kNever);
    bans_.erase(it);
}

std::optional<Timestamp> Executor::next_due() const {
    std::optional<Timestamp> earliest = records_.next_due();
    if (next_make_up_ && (!earliest || *next_make_up_ < *earliest)) {
        earliest = next_make_up_;
    }
    if (!due_.empty() && (!earliest || due_.begin()->first < *earliest)) {
        earliest = due_.begin()->first;
    }
    return earliest;
}

void Executor::write_to_journal(const Ban& ban) {
    if (!journal_.put(ban)) {
        log_.error("cannot write the journal of bans: is the disk full?");
    }
}

// Applies `entry` and ends its request with `record`, whose reason says what kind it was.
void Executor::add(Entry& entry, Record record, const OnReply& on_reply) {
    const auto generation = entry.generation = ++last_generation_;
    const bool is_dry = entry.ban.is_dry || config_.dry_run;
    entry.under_way = Task::Adding;
    run(job_of(Action::Add, entry.ban, left_of(entry.ban, entry.ban.since)), is_dry,
        [this, asked = entry.ban, steps = clock_steps_, generation, record = std::move(record),
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
            const auto it = bans_.find(asked.key);
            if (!result.ok && asked.is_persistent && it != bans_.end() &&
                it->second.generation == generation && it->second.joined > 0) {
                reason += fmt::format("; the requests that came meanwhile fail with it: {}",
                                      std::exchange(it->second.joined, 0));
            }
            finish(record, outcome_of_add(result, is_dry), std::move(reason), on_reply);
            finish_add(moved(asked, clock_steps_ - steps), generation, result);
        });
}

// Notes the answer to the `add` of `asked`. Returns its entry, which has nothing under way then;
// bans_.end() if the ban is not there any more, or a later job of it has begun.
Executor::Bans::iterator Executor::take_result(const Ban& asked, std::uint64_t generation,
                                               const JobResult& result) {
    const auto it = bans_.find(asked.key);
    if (it == bans_.end()) {
        return it;
    }
    Entry& entry = it->second;
    Ban made = asked;
    made.block = result.ok ? result.block.value_or(made.block) : made.block;
    note_result(entry, generation, made, result);
    if (entry.generation != generation) {
        return bans_.end();
    }
    entry.under_way = Task::Nothing;
    if (made.block != asked.block && entry.ban.block == asked.block) {
        entry.ban.block = made.block;
        write_to_journal(entry.ban);
    }
    return it;
}

void Executor::finish_add(const Ban& asked, std::uint64_t generation, const JobResult& result) {
    const auto it = take_result(asked, generation, result);
    if (it == bans_.end()) {
        return;
    }
    Entry& entry = it->second;
    // A persistent responder says what is real. A script's exit code says less: its undo runs.
    if (!result.ok && entry.ban.is_persistent) {
        fall_back(it, asked.since);
    } else if (std::exchange(entry.joined, 0) > 0) {
        // Their records say that they were carried out: nothing may take that back.
        entry.in_force = entry.ban;
        entry.is_uncertain = true;
        set_due(entry, entry.ban.since);  // tick() renews it
    }
}

// Remembers what the kernel holds after the answer to the job `generation` of a persistent command.
// `asked`: the ban of an `add`; nullopt = a `delete`.
void Executor::note_result(Entry& entry, std::uint64_t generation, const std::optional<Ban>& asked,
                           const JobResult& result) {
    if (generation < entry.noted) {
        return;
    }
    if (result.ok) {
        entry.noted = generation;
        entry.in_force = asked;
        if (asked && entry.ban.block == asked->block) {
            entry.in_force->soft_until = entry.ban.soft_until;  // no request says it
        }
        entry.is_uncertain = false;
        entry.failed_attempts = 0;
        entry.interrupted_undo.reset();
    } else {
        entry.is_uncertain = entry.is_uncertain || result.may_have_happened;
    }
}

// The ban or prolongation that `it` shows has failed: goes back to the state before.
void Executor::fall_back(Bans::iterator it, Timestamp now) {
    Entry& entry = it->second;
    if (!entry.in_force && !entry.is_uncertain) {
        if (!journal_.undone(it->first)) {
            log_.error("cannot write the journal of bans: is the disk full?");
        }
        forget(it);
        return;
    }
    if (entry.interrupted_undo || !entry.in_force) {
        entry.ban = entry.in_force.value_or(entry.ban);
        undo(it,
             std::exchange(entry.interrupted_undo, {})
                 .value_or("the answer of its responder was lost"),
             now, {});
        return;
    }
    entry.ban = *entry.in_force;
    write_to_journal(entry.ban);
    set_due(entry, entry.is_uncertain ? now : entry.ban.until);  // tick() renews or undoes it
}

void Executor::renew(Entry& entry, Timestamp now) {
    const seconds left = left_of(entry.ban, now);
    const bool is_dry = entry.ban.is_dry || config_.dry_run;
    entry.applied_until = entry.ban.until;
    set_due(entry, entry.ban.until);
    if (entry.ban.until != kNever && left == seconds(0)) {
        return;  // timeouts are whole seconds, and 0 would have no end
    }
    const auto generation = entry.generation = ++last_generation_;
    entry.under_way = Task::Renewing;
    if (!entry.ban.is_persistent) {
        // Twice the same rule would be undone once: take away what may be there.
        run(job_of(Action::Delete, entry.ban, seconds(0)), is_dry, [](const JobResult&) {});
    }
    run(job_of(Action::Add, entry.ban, left), is_dry,
        [this, asked = entry.ban, steps = clock_steps_, generation, now](const JobResult& result) {
            const auto by = clock_steps_ - steps;
            finish_renewal(moved(asked, by), generation, result, now + by);
        });
}

void Executor::finish_renewal(const Ban& asked, std::uint64_t generation, const JobResult& result,
                              Timestamp now) {
    const auto it = take_result(asked, generation, result);
    if (it == bans_.end()) {
        return;
    }
    Entry& entry = it->second;
    if (result.ok) {
        return;
    }
    const int failed_before = entry.failed_attempts++;
    if (failed_before == 0) {
        log_.error(fmt::format("cannot renew the ban of {}{}: {}", asked.key.address,
                               asked.is_persistent ? " yet, trying again" : "", result.reason));
    }
    if (asked.is_persistent) {
        set_due(entry, std::min(entry.ban.until, now + pause_after(failed_before)));
    }
}

void Executor::restore(Timestamp now) {
    std::vector<BanKey> keys;
    for (const auto& [key, entry] : bans_) {
        keys.push_back(key);
    }
    // Nor must it keep an address in the history of offenders for ever.
    for (auto& [key, offender] : offenders_) {
        offender.last = std::min(offender.last, now);
    }
    int renewed = 0;
    int expired = 0;
    for (const auto& key : keys) {
        const auto it = bans_.find(key);
        if (it == bans_.end()) {
            continue;
        }
        Entry& entry = it->second;
        // A clock that was set back must not make a ban longer than it was to be.
        if (entry.ban.until != kNever && entry.ban.since > now) {
            entry.ban = moved(entry.ban, now - entry.ban.since);
            entry.in_force = entry.ban;
            set_due(entry, entry.ban.until);
        }
        if (is_followed_by_soft_block(entry, now)) {
            ++renewed;
            weaken(entry, now);
        } else if (entry.ban.until <= now) {
            ++expired;
            undo(it, "its time was over while execd was not running", now, {});
        } else if (entry.ban.until == kNever || left_of(entry.ban, now) > seconds(0)) {
            // With less than a second left a kernel timeout in whole seconds would outlast it.
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
    lift_protected(now);
}

void Executor::apply_again(const std::string& executable, Timestamp now) {
    for (auto& [key, entry] : bans_) {
        // Requests under way are repeated by PersistentResponder, an undo by tick().
        if (key.executable == executable && entry.ban.is_persistent && !entry.is_undoing &&
            entry.under_way == Task::Nothing &&
            (entry.ban.until == kNever || left_of(entry.ban, now) > seconds(0))) {
            entry.is_uncertain = true;
            renew(entry, now);
        }
    }
}

// A hard ban that is over, and a scan that went on in the name of its address until the end.
bool Executor::is_followed_by_soft_block(const Entry& entry, Timestamp now) {
    return !entry.is_undoing && entry.ban.until <= now && entry.ban.soft_until &&
           *entry.ban.soft_until >= now + seconds(1);
}

// Lets the soft block follow the hard one.
void Executor::weaken(Entry& entry, Timestamp now) {
    Ban& ban = entry.ban;
    ban.block = base::BlockKind::Soft;
    ban.evidence = base::Evidence::Forgeable;
    ban.since = now;
    ban.until = *ban.soft_until;
    ban.soft_until.reset();
    ban.timeout = ban.until == kNever ? seconds(0) : std::chrono::ceil<seconds>(ban.until - now);
    write_to_journal(ban);
    // Its record says that it was carried out: nothing may take that back.
    entry.in_force = ban;
    entry.is_uncertain = true;
    Record record = record_of(Action::Add, ban, now);
    record.timeout = left_of(ban, now);
    finish(record, ban.is_dry || config_.dry_run ? Outcome::DryRun : Outcome::Executed,
           "the hard block is over, a soft one follows " + duration_text(record.timeout), {});
    renew(entry, now);
}

void Executor::tick(Timestamp now) {
    records_.tick(now);
    while (!due_.empty() && due_.begin()->first <= now) {
        const auto it = bans_.find(due_.begin()->second);
        if (it == bans_.end()) {
            due_.erase(due_.begin());
            continue;
        }
        Entry& entry = it->second;
        if (entry.ban.until > now && !entry.is_undoing) {
            renew(entry, now);
        } else if (is_followed_by_soft_block(entry, now)) {
            weaken(entry, now);
        } else {
            undo(it, entry.is_undoing ? entry.undo_reason : "timeout is over", now, {});
        }
    }
    if (next_make_up_ && *next_make_up_ <= now) {
        make_up(now);
    }
}

void Executor::clock_jumped(std::chrono::nanoseconds by, Timestamp now) {
    evidence_clock_.clock_jumped(by, now);
    bans_per_minute_.clock_jumped(by);
    deferred_.clock_jumped(by);
    if (report_counts_) {
        report_counts_->clock_jumped(by);
    }
    for (auto* const time : {&last_deferral_, &next_make_up_}) {
        if (*time) {
            **time += by;
        }
    }
    const auto move = [by](Timestamp& time) {
        if (time != kNever) {
            time += by;
        }
    };
    due_.clear();
    clock_steps_ += by;
    for (auto& [key, entry] : bans_) {
        entry.ban = moved(std::move(entry.ban), by);
        if (entry.in_force) {
            entry.in_force = moved(*std::move(entry.in_force), by);
        }
        move(entry.applied_until);
        move(entry.due);
        if (entry.due != kNever) {
            due_.emplace(entry.due, key);
        }
    }
    if (bans_.empty()) {
        return;
    }
    log_.warning(fmt::format("the clock was set by {:+.1f} s: {} bans keep the time they have left",
                             std::chrono::duration<double>(by).count(), bans_.size()));
    if (auto written = compact_journal(); !written) {
        log_.error(base::render(written.error()));
    }
}

void Executor::undo(Bans::iterator it, std::string reason, Timestamp now,
                    std::function<void(bool)> on_done) {
    Entry& entry = it->second;
    if (!entry.is_undoing) {
        entry.failed_attempts = 0;
    }
    entry.is_undoing = true;
    entry.under_way = Task::Undoing;
    entry.joined = 0;
    entry.undo_reason = std::move(reason);
    set_due(entry, kNever);
    const auto generation = entry.generation = ++last_generation_;
    run(job_of(Action::Delete, entry.ban, seconds(0)), entry.ban.is_dry,
        [this, asked = entry.ban, why = entry.undo_reason, steps = clock_steps_, generation, now,
         on_done = std::move(on_done)](const JobResult& result) {
            const auto by = clock_steps_ - steps;
            const bool is_undone = finish_undo(moved(asked, by), why, generation, result, now + by);
            if (on_done) {
                on_done(is_undone);
            }
        });
}

// Whether the undo was carried out, also if the address was banned anew meanwhile.
bool Executor::finish_undo(const Ban& asked, const std::string& why, std::uint64_t generation,
                           const JobResult& result, Timestamp now) {
    const auto it = bans_.find(asked.key);
    if (it == bans_.end()) {
        return true;  // an earlier undo has taken it out
    }
    Entry& entry = it->second;
    const bool is_undone = result.ok || !asked.is_persistent;
    note_result(entry, generation, std::nullopt, result);
    Record record = record_of(Action::Delete, asked, now);
    if (entry.generation != generation) {
        if (!entry.is_undoing) {
            finish(record, is_undone ? Outcome::Undone : Outcome::Failed,
                   is_undone ? why + " (banned anew meanwhile)"
                             : "cannot be undone, and banned anew meanwhile: " + result.reason,
                   {});
        }
        return is_undone;
    }
    entry.under_way = Task::Nothing;
    if (!is_undone) {
        // Its kernel timeout may have undone it, but only the responder can say so: ask again, also
        // after a restart, which must not take it for an active ban.
        const auto wait = pause_after(entry.failed_attempts);
        if (entry.failed_attempts++ == 0) {
            entry.ban.until = std::min(entry.ban.until, now);
            entry.ban.soft_until.reset();
            write_to_journal(entry.ban);
            finish(record, Outcome::Failed,
                   fmt::format("cannot be undone yet, trying again: {}", result.reason), {});
        }
        set_due(entry, now + wait);
        return false;
    }
    if (!journal_.undone(asked.key)) {
        log_.error("cannot write the journal of bans: is the disk full?");
    }
    const Outcome outcome = asked.is_dry ? Outcome::DryRun : Outcome::Undone;
    forget(it);
    finish(record, outcome, result.reason.empty() ? why : why + " (" + result.reason + ")", {});
    return true;
}

void Executor::lift_protected(Timestamp now) {
    for (auto it = bans_.begin(); it != bans_.end();) {
        const auto current = it++;  // undo() may erase it
        const auto target = base::parse_ban_target(current->first.address);
        if (current->second.is_undoing || !target) {
            continue;
        }
        if (auto reason = protection_.standing_reason(*target)) {
            log_.warning(fmt::format("lifting the ban of {}, which must never be blocked: {}",
                                     current->first.address, *reason));
            undo(current, fmt::format("protected from now on: released ({})", *reason), now, {});
        }
    }
}

base::Reply Executor::list(const base::ListRequest& request) const {
    base::Reply reply;
    auto it =
        request.after.empty() ? bans_.begin() : bans_.upper_bound(ban_key_of_cursor(request.after));
    std::size_t room = base::kMaxMessageSize - 1024;  // for the members around the rows
    for (; it != bans_.end(); ++it) {
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
    if (it == bans_.end()) {
        reply.next.clear();
    }
    reply.text = fmt::format("{} ban{}", bans_.size(), bans_.size() == 1 ? "" : "s");
    return reply;
}

base::Result<void> Executor::compact_journal() {
    JournalState state;
    for (const auto& [key, entry] : bans_) {
        state.bans.emplace(key, entry.ban);
    }
    state.offenders = offenders_;
    return journal_.compact(state);
}

void Executor::settle() {
    if (journal_.wants_compaction(bans_.size() + offenders_.size())) {
        if (auto compacted = compact_journal(); !compacted) {
            log_.error(base::render(compacted.error()));
        }
    }
    journal_.sync();
}

}  // namespace portcullis::execd
