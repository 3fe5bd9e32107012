// Executor: carries out every request, keeps the journal, and undoes bans in time.
//
//   request ─▶ configured? ─▶ an address? ─▶ BanPolicy ─▶ Journal ─▶ BanTable ─▶ Runner ─▶ record
//
// If a limit is reached, the request waits in BanPolicy. When there is room, it is checked again
// from the never-block list on.
//
// Single-threaded; time is a parameter. Invariants:
// - a ban is in the journal before its command runs, and until its undo was carried out, unless the
//   journal cannot be written and the kernel's timeout ends the ban;
// - no `add` runs for a protected address;
// - each request leaves at least one record; a deferred one leaves another when it is banned,
//   forgotten or too old, unless another request for the same ban takes its place;
// - without proof no hard ban gets longer, and no ban gets a step of <repeated_offenders>, unless
//   <block> asks for hard bans for any evidence.
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
    // `state` is the content of the journal.
    Executor(ExecdConfig config, JournalState state, Journal& journal, Runner& runner,
             Protection& protection, RecordSink& records, base::Log& log);
    ~Executor() = default;
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    // Call it after a start. Undoes the bans whose time is over, and applies the others again for
    // the time that they have left.
    void restore(base::Timestamp now);

    // Call it after the persistent responder `executable` was started again. Applies its bans for
    // the time that they have left: the state of the earlier process is lost, and its effects may
    // have been removed.
    void apply_again(const std::string& executable, base::Timestamp now);

    void respond(const base::RespondRequest& request, base::Timestamp now);
    // The administrator's requests. `on_reply` is called once: when the request was carried out,
    // refused, or has failed.
    void ban(const base::BanRequest& request, base::Timestamp now, const OnReply& on_reply);
    // unban() and flush() also release addresses that responders block and no ban explains.
    void unban(const base::UnbanRequest& request, base::Timestamp now, const OnReply& on_reply);
    void flush(base::Timestamp now, const OnReply& on_reply);
    // Returns one page of the bans, within base::kMaxMessageSize.
    base::Reply list(const base::ListRequest& request) const;
    // Replies with one page of the addresses that responders block and no ban explains. The first
    // page asks the responders; the others continue it. If the reply is not ok, its text says which
    // responder did not answer, and why.
    void list_unexplained(const base::UnexplainedRequest& request, const OnReply& on_reply);
    // Call it after a start. Asks the responders, and logs the blocks that no ban explains.
    void log_unexplained();

    // Undoes and renews the bans that are due, and bans deferred requests while there is room.
    void tick(base::Timestamp now);
    // When tick() has work; nullopt = never.
    std::optional<base::Timestamp> next_due() const;
    // Call it when the wall clock was set by `by`. Every ban keeps the time that it has left.
    void clock_jumped(std::chrono::nanoseconds by, base::Timestamp now);
    // Lifts the bans of addresses that have become protected.
    void lift_protected(base::Timestamp now);
    // Compacts the journal if need be, and waits until it is on the disk. Call it soon after other
    // calls, which leave that out so that no effect waits for the disk.
    void sync_journal();

    // Replaces limits, commands and lists. Active bans stay as they are.
    void set_config(ExecdConfig config) { config_ = std::move(config); }
    std::size_t ban_count() const { return table_.size(); }
    std::size_t deferred_count() const { return policy_.deferred_count(); }
    // Makes runs repeatable. REQUIRES: no request came before.
    void set_report_seed(std::uint64_t seed) { policy_.set_report_seed(seed); }
    // Number of commands that run.
    int jobs_under_way() const { return jobs_under_way_; }

  private:
    struct Releases;  // the progress of one unban() or flush()
    using ReleasesPtr = std::shared_ptr<Releases>;
    void undo_for(const ReleasesPtr& releases, BanTable::Iterator it);
    void release_for(const ReleasesPtr& releases, const UnexplainedBlock& block);
    void release_next(const ReleasesPtr& releases);
    void release_unexplained(const ReleasesPtr& releases);
    void release(const UnexplainedBlock& block, const Record& request,
                 std::function<void(bool)> on_done);
    void end_one(const ReleasesPtr& releases);
    void reply_to(const Releases& releases);
    // The persistent responders of the configuration and of bans; empty in a dry run.
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
    Survey last_survey_;  // the pages of list_unexplained()
    int jobs_under_way_ = 0;
};

}  // namespace portcullis::execd
