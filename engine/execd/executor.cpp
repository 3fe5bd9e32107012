#include "engine/execd/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/base/ban_target.hpp"
#include "engine/execd/request_texts.hpp"

namespace portcullis::execd {
namespace {

using base::Timestamp;
using std::chrono::seconds;

constexpr std::size_t kMaxOffenders = 100'000;
constexpr std::string_view kByHand = "banned by hand";
// A kernel counts its timeout from when it hears of it. A script's effect may carry such a timeout
// (PORTCULLIS_TIMEOUT), so it is renewed a little before that runs out.
constexpr seconds kRenewAhead{1};

Timestamp deadline(Timestamp from, seconds timeout) {
    return timeout == seconds(0) ? kNever : from + timeout;
}

seconds left_of(const Ban& ban, Timestamp now) {
    if (ban.until == kNever) {
        return seconds(0);
    }
    return std::chrono::duration_cast<seconds>(ban.until - now);
}

// `ban` after the clock was set by `by`.
Ban moved(Ban ban, std::chrono::nanoseconds by) {
    ban.since += by;
    if (ban.until != kNever) {
        ban.until += by;
    }
    return ban;
}

// How long to wait before asking again after one more than `failed_before` failures in a row.
seconds pause_after(int failed_before) {
    return seconds(std::min(1 << std::min(failed_before, 9), 300));
}

Job job_of(Action action, const Ban& ban, seconds timeout) {
    return {action,       ban.key.executable, ban.is_persistent, ban.key.user, ban.key.address,
            ban.alert_id, ban.rule_id,        ban.location,      ban.filename, timeout,
            ban.block};
}

Record record_of(Action action, const Ban& ban, Timestamp now) {
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
    return record;
}

// "for 600 s" or "until it is lifted by hand".
std::string duration_text(seconds timeout) {
    return timeout == seconds(0) ? "until it is lifted by hand"
                                 : fmt::format("for {} s", timeout.count());
}

Outcome outcome_of_add(const JobResult& result, bool is_dry) {
    if (!result.ok) {
        return Outcome::Failed;
    }
    return is_dry ? Outcome::DryRun : Outcome::Executed;
}

std::int64_t unix_time(Timestamp time) {
    return time == kNever ? 0
                          : std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

struct Executor::Wish {
    const Command* command = nullptr;
    Ban ban;  // since and until are not set yet
    std::optional<base::Cidr> target;
    bool is_manual = false;
    Record record;
};

Executor::Executor(ExecdConfig config, JournalState state, Journal& journal, Runner& runner,
                   Protection& protection, RecordSink& records, base::Log& log)
    : config_(std::move(config)),
      journal_(journal),
      runner_(runner),
      protection_(protection),
      records_(records),
      log_(log),
      offenders_(std::move(state.offenders)) {
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
                   outcome == Outcome::DryRun;
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
    return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

void Executor::respond(const base::RespondRequest& request, Timestamp now) {
    Wish wish;
    Record& record = wish.record;
    record.time = now;
    record.command = request.command;
    record.address = request.srcip;
    record.user = request.user;
    record.rule_id = request.rule_id;
    record.alert_id = request.alert_id;
    record.location = request.location;
    record.filename = request.filename;
    record.timeout = request.timeout;
    const auto refuse = [&](std::string why) {
        finish(record, Outcome::Refused, std::move(why), {});
    };

    wish.command = find_command(request.command);
    if (wish.command == nullptr) {
        return refuse("the configuration has no command of this name");
    }
    const bool is_bound =
        std::any_of(config_.bindings.begin(), config_.bindings.end(), [&](const Binding& binding) {
            return binding.command == request.command && binding.timeout == request.timeout;
        });
    if (!is_bound) {
        return refuse("no active-response of the configuration has this command and timeout");
    }
    if (wish.command->expects_srcip) {
        wish.target = base::parse_offender(request.srcip);
        if (!wish.target) {
            return refuse("srcip is not an IP address");
        }
        wish.ban.key.address = base::ban_target_text(*wish.target);
        record.address = wish.ban.key.address;
    }
    if (wish.command->expects_user) {
        if (!is_user_name(request.user)) {
            return refuse("the user is missing or no plain user name");
        }
        wish.ban.key.user = request.user;
    }
    if (wish.command->expects_filename) {
        if (!is_plain_argument(request.filename)) {
            return refuse("the file name is missing or holds control characters");
        }
        wish.ban.filename = request.filename;
    }
    wish.ban.key.executable = wish.command->executable;
    wish.ban.command = wish.command->name;
    wish.ban.is_persistent = wish.command->is_persistent;
    wish.ban.alert_id = plain_argument(request.alert_id);
    wish.ban.rule_id = request.rule_id;
    wish.ban.location = plain_argument(request.location);
    wish.ban.timeout = request.timeout;
    carry_out(wish, now, {});
}

void Executor::ban(const base::BanRequest& request, Timestamp now, const OnReply& on_reply) {
    Wish wish;
    wish.is_manual = true;
    wish.record.time = now;
    wish.record.command = kManualBanCommand;
    wish.record.address = request.address;
    wish.record.timeout = request.timeout;
    wish.command = find_command(kManualBanCommand);
    wish.target = base::parse_ban_target(request.address);
    if (wish.command == nullptr || !wish.command->expects_srcip) {
        finish(wish.record, Outcome::Refused,
               fmt::format("bans by hand use the command \"{}\", and the configuration has none "
                           "of this name that expects srcip",
                           kManualBanCommand),
               on_reply);
        return;
    }
    if (!wish.target) {
        finish(wish.record, Outcome::Refused, "not an IP address", on_reply);
        return;
    }
    wish.ban.key.executable = wish.command->executable;
    wish.ban.key.address = base::ban_target_text(*wish.target);
    wish.ban.command = wish.command->name;
    wish.ban.is_persistent = wish.command->is_persistent;
    wish.ban.location = "portcullis-control";
    wish.ban.timeout = request.timeout;
    wish.record.address = wish.ban.key.address;
    carry_out(wish, now, on_reply);
}

void Executor::carry_out(const Wish& wish, Timestamp now, const OnReply& on_reply) {
    if (wish.target) {
        if (auto reason = protection_.reason_to_spare(*wish.target)) {
            finish(wish.record, Outcome::Spared, "never blocked: " + *reason, on_reply);
            return;
        }
    }
    const auto it = bans_.find(wish.ban.key);
    if (it != bans_.end() && !it->second.ban.is_dry && config_.dry_run) {
        // A dry run changes nothing about what is really banned.
        finish(wish.record, Outcome::DryRun, "banned already (dry run: no command was run)",
               on_reply);
        return;
    }
    const bool was_dry_only = it != bans_.end() && it->second.ban.is_dry && !config_.dry_run;
    if (it != bans_.end() && !it->second.is_undoing && !was_dry_only) {
        prolong(it->second, wish, now, on_reply);
        return;
    }
    if (auto limit = limit_reached(wish, now)) {
        finish(wish.record, Outcome::Deferred, *limit, on_reply);
        return;
    }
    start_ban(wish, now, on_reply);
}

std::optional<std::string> Executor::limit_reached(const Wish& wish, Timestamp now) {
    // One loud message when an episode begins; it ends with the first ban that is let through.
    const auto episode = [&](bool& is_within, std::string what) {
        if (!is_within) {
            is_within = true;
            log_.critical(what + ": further ones only alert until it is below the limit again");
            Record alarm;
            alarm.time = now;
            finish(alarm, Outcome::Alarm, what, {});
        }
        return what;
    };
    if (bans_.size() >= static_cast<std::size_t>(std::max(config_.max_bans, 0))) {
        return episode(is_table_full_, fmt::format("max_bans ({}) is reached", config_.max_bans));
    }
    is_table_full_ = false;
    // The administrator's own bans are not counted: the limit guards against forged evidence.
    if (!wish.is_manual && !bans_per_minute_.take(config_.max_bans_per_minute, now)) {
        return episode(is_rate_limited_, fmt::format("max_bans_per_minute ({}) is reached",
                                                     config_.max_bans_per_minute));
    }
    is_rate_limited_ = is_rate_limited_ && wish.is_manual;
    return std::nullopt;
}

seconds Executor::next_timeout(const Wish& wish, Timestamp now) {
    const auto& steps = config_.repeated_offenders;
    if (steps.empty() || wish.is_manual || !wish.target || wish.ban.timeout == seconds(0)) {
        return wish.ban.timeout;
    }
    BanKey key = wish.ban.key;
    key.user = "-";
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
    seconds timeout = wish.ban.timeout;
    if (offender.offences > 0) {
        const auto step = std::min<std::size_t>(static_cast<std::size_t>(offender.offences) - 1,
                                                steps.size() - 1);
        timeout = std::chrono::duration_cast<seconds>(steps[step]);
    }
    if (offender.offences <= static_cast<int>(steps.size())) {
        ++offender.offences;
    }
    journal_.put(offender);
    return timeout;
}

void Executor::start_ban(const Wish& wish, Timestamp now, const OnReply& on_reply) {
    Ban ban = wish.ban;
    ban.is_dry = config_.dry_run;
    ban.timeout = next_timeout(wish, now);
    ban.since = now;
    ban.until = deadline(now, ban.timeout);
    Record record = wish.record;
    record.timeout = ban.timeout;

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
    Entry& entry = bans_[ban.key];
    if (entry.ban.is_dry) {
        // Nothing of a dry run is in the kernel: there is nothing to go back to.
        entry.in_force.reset();
        entry.is_uncertain = false;
    }
    if (entry.is_undoing) {
        entry.interrupted_undo = entry.undo_reason;
    }
    entry.ban = ban;
    entry.is_undoing = false;
    entry.joined = 0;
    entry.failed_attempts = 0;
    entry.applied_until = ban.until;
    set_due(entry, ban.until);
    record.reason = std::string(wish.is_manual ? kByHand : "blocked");
    add(entry, std::move(record), on_reply);
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
    run(job_of(Action::Add, entry.ban, entry.ban.timeout), is_dry,
        [this, asked = entry.ban, steps = clock_steps_, generation, record = std::move(record),
         on_reply, is_dry](const JobResult& result) {
            std::string reason = fmt::format("{} {}", record.reason, duration_text(record.timeout));
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
    note_result(it->second, generation, asked, result);
    if (it->second.generation != generation) {
        return bans_.end();
    }
    it->second.under_way = Task::Nothing;
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

void Executor::prolong(Entry& entry, const Wish& wish, Timestamp now, const OnReply& on_reply) {
    Ban& ban = entry.ban;
    const Timestamp until_before = ban.until;
    // A scan that continues is not a further offence: only a new ban is.
    const seconds asked = wish.ban.timeout;
    if (wish.is_manual) {
        ban.timeout = asked;  // the administrator's word counts, even if it is shorter
    } else if (ban.timeout != seconds(0)) {
        ban.timeout = asked == seconds(0) ? asked : std::max(ban.timeout, asked);
    }
    ban.since = now;
    ban.until = wish.is_manual ? deadline(now, ban.timeout)
                               : std::max(ban.until, deadline(now, ban.timeout));
    ban.alert_id = wish.ban.alert_id;
    ban.rule_id = wish.ban.rule_id;
    Record record = wish.record;
    record.timeout = ban.timeout;
    const std::string change = ban.until < until_before ? "shortened, now" : "prolonged";
    // Requests may come faster than a responder answers. To keep the memory bounded, one request of
    // each ban is under way, and one more follows for all that came meanwhile.
    write_to_journal(ban);
    if (entry.under_way == Task::Adding && ban.is_persistent && !wish.is_manual) {
        ++entry.joined;
        set_due(entry, ban.until);
        finish(record, Outcome::Executed, change + " " + duration_text(ban.timeout), on_reply);
        return;
    }
    if (ban.is_persistent || ban.is_dry) {
        set_due(entry, ban.until);
        record.reason = change;
        add(entry, std::move(record), on_reply);
        return;
    }
    // A script that blocks by inserting a rule would insert it twice. It is renewed by delete and
    // add just before the timeout that it was last given runs out (see tick()).
    if (wish.is_manual) {
        set_due(entry, now);
    } else if (entry.applied_until == kNever) {
        set_due(entry, ban.until);
    } else {
        set_due(entry, std::min(ban.until, entry.applied_until - kRenewAhead));
    }
    finish(record, config_.dry_run ? Outcome::DryRun : Outcome::Executed,
           change + " " + duration_text(ban.timeout), on_reply);
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
        if (entry.ban.until <= now) {
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

void Executor::tick(Timestamp now) {
    while (!due_.empty() && due_.begin()->first <= now) {
        const auto it = bans_.find(due_.begin()->second);
        if (it == bans_.end()) {
            due_.erase(due_.begin());
            continue;
        }
        Entry& entry = it->second;
        if (entry.ban.until > now && !entry.is_undoing) {
            renew(entry, now);
        } else {
            undo(it, entry.is_undoing ? entry.undo_reason : "timeout is over", now, {});
        }
    }
}

void Executor::clock_jumped(std::chrono::nanoseconds by) {
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
            undo(current, "never blocked any more: " + *reason, now, {});
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
        base::BanRow row{ban.command, ban.key.address,      ban.key.user,
                         ban.rule_id, unix_time(ban.since), unix_time(ban.until)};
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
