// Executor: carries out every request, keeps the journal, and undoes bans in time.
//
//   request ─▶ configured? ─▶ an address? ─▶ BanPolicy ─▶ Journal ─▶ BanTable ─▶ Runner ─▶ record
//
// What finds the limits reached waits in BanPolicy, and is decided about again from the never-block
// list on.
//
// Single-threaded; time is a parameter. Invariants:
// - a ban is in the journal before its command runs, and leaves it after its undo was carried out;
// - an address that is protected is never handed to an `add`;
// - each request leaves one record at least: a deferred one a further one when it is made up for,
//   forgotten or too old;
// - without proof a hard ban never gets longer, and no ban gets a step of <repeated_offenders>,
//   unless <block> asks for hard bans whatever the evidence.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/response_message.hpp"
#include "engine/execd/ban.hpp"
#include "engine/execd/ban_policy.hpp"
#include "engine/execd/ban_table.hpp"
#include "engine/execd/checked_request.hpp"
#include "engine/execd/execd_config.hpp"
#include "engine/execd/journal.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/records.hpp"
#include "engine/execd/runner.hpp"
#include "engine/execd/survey.hpp"

namespace portcullis::execd {

class Executor {
  public:
    using OnReply = std::function<void(const base::Reply&)>;

    // All references must outlive the Executor and the jobs that `runner` still holds.
    // `state` is what the journal held.
    Executor(ExecdConfig config, JournalState state, Journal& journal, Runner& runner,
             Protection& protection, RecordSink& records, base::Log& log);
    ~Executor() = default;
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    // After a start: undoes the bans whose time is over, and applies the others again for the time
    // that they have left.
    void restore(base::Timestamp now);

    // After the persistent responder `executable` was started again: applies its bans for the time
    // that they have left, since what the one before kept in mind (and perhaps somebody removed
    // meanwhile) is gone with it.
    void apply_again(const std::string& executable, base::Timestamp now);

    void respond(const base::RespondRequest& request, base::Timestamp now);
    // The administrator's requests. `on_reply` is called once, when the effect is real or refused.
    void ban(const base::BanRequest& request, base::Timestamp now, const OnReply& on_reply);
    // Both also release what responders block without a ban that explains it.
    void unban(const base::UnbanRequest& request, base::Timestamp now, const OnReply& on_reply);
    void flush(base::Timestamp now, const OnReply& on_reply);
    // One page of the table, within base::kMaxMessageSize.
    base::Reply list(const base::ListRequest& request) const;
    // One page of what responders block and no ban explains. The first page asks them; the others
    // continue it. Not ok: the text says which responder did not answer, and why.
    void list_unexplained(const base::UnexplainedRequest& request, const OnReply& on_reply);
    // After a start: asks the responders, and logs what no ban explains.
    void log_unexplained();

    // Undoes and renews what is due, and bans what was deferred as far as there is room.
    void tick(base::Timestamp now);
    // When tick() has something to do next; nullopt = never.
    std::optional<base::Timestamp> next_due() const;
    // The wall clock was set by `by`: every ban keeps the time that it has left.
    void clock_jumped(std::chrono::nanoseconds by, base::Timestamp now);
    // Lifts every ban whose address has become protected.
    void lift_protected(base::Timestamp now);
    // Disk work that must not stand between a request and its effect: the journal's sync and
    // compaction. Call it soon after other calls.
    void sync_journal();

    // New limits, commands and lists; bans in force stay as they are.
    void set_config(ExecdConfig config) { config_ = std::move(config); }
    std::size_t ban_count() const { return table_.size(); }
    std::size_t deferred_count() const { return policy_.deferred_count(); }
    // Makes what depends on chance the same in each run. REQUIRES: before the first request.
    void set_report_seed(std::uint64_t seed) { policy_.set_report_seed(seed); }
    // Commands under way.
    int jobs_under_way() const { return jobs_under_way_; }

  private:
    struct Releases;  // what one request for releases has come to
    using ReleasesPtr = std::shared_ptr<Releases>;
    void undo_for(const ReleasesPtr& releases, BanTable::Iterator it);
    void release_for(const ReleasesPtr& releases, const UnexplainedBlock& block);
    void release_next(const ReleasesPtr& releases);
    void release_unexplained(const ReleasesPtr& releases);
    void release(const UnexplainedBlock& block, const Record& request,
                 std::function<void(bool)> on_done);
    void end_one(const ReleasesPtr& releases);
    void reply_to(const Releases& releases);
    // The persistent responders of the configuration and of bans; none in a dry run.
    std::vector<std::string> responders() const;
    base::Reply page_of_survey(const std::string& after) const;
    const Command* find_command(std::string_view name) const;
    bool is_bound(const Binding& binding) const;
    std::string read_target(const base::RespondRequest& request, const Command& command,
                            CheckedRequest& checked);
    void finish_as_expired(CheckedRequest request, base::Timestamp now);
    void carry_out(CheckedRequest request, base::Timestamp now, const OnReply& on_reply);
    void start_ban(CheckedRequest request, base::Timestamp now, const OnReply& on_reply);
    void prolong(BanEntry& entry, CheckedRequest request, base::Timestamp now,
                 const OnReply& on_reply);
    void keep(BanEntry& entry, const Ban& before, const Record& record, base::Timestamp now,
              const OnReply& on_reply);
    void weaken(BanEntry& entry, base::Timestamp now);
    std::chrono::seconds note_offence(const Offence& offence);
    void raise_alarm(const std::string& what, base::Timestamp now);
    void defer(CheckedRequest request, const std::string& why, base::Timestamp now);
    void ban_deferred(base::Timestamp now);
    std::size_t drop_deferred(const std::string& address, base::Timestamp now);
    void add(BanEntry& entry, Record record, const OnReply& on_reply);
    BanTable::Iterator take_result(const Ban& asked, std::uint64_t job, const JobResult& result);
    void finish_add(const Ban& asked, std::uint64_t job, const JobResult& result);
    void fall_back(BanTable::Iterator it, base::Timestamp now);
    void finish_renewal(const Ban& asked, std::uint64_t job, const JobResult& result,
                        base::Timestamp now);
    void undo(BanTable::Iterator it, std::string reason, base::Timestamp now,
              std::function<void(bool)> on_done);
    bool finish_undo(const Ban& asked, const std::string& why, std::uint64_t job,
                     const JobResult& result, base::Timestamp now);
    void write_to_journal(const Ban& ban);
    void renew(BanEntry& entry, base::Timestamp now);
    base::Result<void> compact_journal();
    void run(const Job& job, bool is_dry, std::function<void(const JobResult&)> on_done);
    void finish(Record record, Outcome outcome, std::string reason, const OnReply& on_reply);

    ExecdConfig config_;  // policy_ reads it as well
    Journal& journal_;
    Runner& runner_;
    RecordSink& records_;
    base::Log& log_;

    BanTable table_;
    BanPolicy policy_;
    Survey last_survey_;  // of list_unexplained(), whose pages it holds
    int jobs_under_way_ = 0;
};

}  // namespace portcullis::execd
