// Hold: the part of the persistent responder that keeps the table `inet portcullis_hold` as execd
// requests it, and reports the sources that the kernel begins to hold (docs/hold.md).
//
// nft(8) and the trial take up to hundreds of milliseconds, and bans must not wait that long. So a
// child process does this work, one job at a time, and reports by a pipe. Single-threaded.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "active-response/hold_log.hpp"
#include "active-response/hold_script.hpp"
#include "active-response/hold_table.hpp"
#include "base/fd.hpp"

namespace portcullis::active_response {

// Reads the settings of a request {"action":"hold",…}. Error "bad-request".
base::Result<HoldSettings> read_hold_settings(const nlohmann::json& request);

// Lines for standard output: replies and events. Empty = nothing to write.
class Hold {
  public:
    // Events beyond this many in a second are summed up.
    static constexpr int kMaxEventsPerSecond = 100;

    Hold();
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // Begins the work for `request`. The reply follows when the table is as requested.
    std::string take_request(const nlohmann::json& request);

    // Descriptors to poll, -1 = none, and the functions to call when they are readable.
    int work_fd() const { return work_out_.get(); }
    std::string take_work();
    int log_fd() const { return log_ ? log_->fd() : -1; }
    std::string take_log();
    int watch_fd() const { return watch_ ? watch_->fd() : -1; }
    void follow_table();
    // Has the next on_time() compare the table, which finds changes without a report.
    void check();

    // When on_time() has work; nullopt = never.
    std::optional<std::chrono::steady_clock::time_point> next_due() const;
    std::string on_time();

    // The sources that are held now; none in a dry run.
    std::vector<Held> held();
    // Ends the holds of `target` and of the network by which it is held. Succeeds if it is not
    // held. Error "not-unblocked": the first one.
    base::Result<void> release(const base::Cidr& target);

    // Whether a table that blocks is wanted: false in a dry run.
    bool is_dry() const { return wanted_ && wanted_->is_dry; }

    // Call it when execd has ended. Removes the table, since its list of spared addresses would
    // become outdated.
    void end();

  private:
    enum class Work { Install, ChangeLists, Remove };
    // A report of the child process.
    struct WorkResult {
        std::string error;
        std::string warning;
        std::optional<HoldForm> form;
        std::size_t form_hash = 0;
        std::size_t lists_hash = 0;
    };
    // The form of a table that was tried out, and the hash of its text, if that is known.
    struct KnownForm {
        HoldForm form;
        std::optional<std::size_t> hash;
    };
    static WorkResult do_work(Work work, const HoldSettings& settings,
                              const std::optional<KnownForm>& known);
    static WorkResult install(const HoldSettings& settings, const std::optional<KnownForm>& known);
    // Carries the script out, again if another process changes rulesets meanwhile, and fills in the
    // hashes of the table. Errors: those of nft; "not-read"; "changed" if the table never was as it
    // should be.
    static base::Result<void> make(const std::string& script, const HoldSettings& settings,
                                   std::optional<std::size_t> form_hash, WorkResult& result);
    std::optional<KnownForm> known_form() const;

    // Listens to NFLOG. Returns false if another program does; it is then tried again.
    bool ensure_log();
    std::string begin_work();
    void stop_worker();
    void wait_for_worker();
    std::string start(Work work);
    std::string answer_all(std::vector<nlohmann::json>& ids, const std::string& error);
    void release_spared();
    // Compares the table, if a ruleset of the host has changed since the last look.
    bool is_still_intact();
    void put_back(const char* why);

    std::optional<HoldTable> table_;
    std::optional<HoldLog> log_;
    std::optional<HoldWatch> watch_;

    std::optional<HoldSettings> wanted_;
    std::optional<HoldSettings> installed_;
    bool may_be_there_ = false;  // a table that this process has made
    // The form that the trial found for this mode.
    std::optional<HoldForm> form_;
    base::HoldMode form_mode_ = base::HoldMode::No;
    std::size_t form_hash_ = 0;
    std::optional<HoldSettings> hashed_;  // form_hash_ is that of a table with their rules
    std::size_t lists_hash_ = 0;
    std::optional<std::uint32_t> generation_;  // of the ruleset whose hold was found intact
    std::vector<nlohmann::json> waiting_;      // ids of requests that the next job answers

    base::UniqueFd work_out_;  // of the child process; none = no job runs
    pid_t worker_ = 0;
    Work work_ = Work::Install;
    HoldSettings work_settings_;
    std::vector<nlohmann::json> in_work_;  // ids that the running job answers
    std::string work_text_;
    std::chrono::steady_clock::time_point work_deadline_;

    std::optional<std::chrono::steady_clock::time_point> next_bind_;  // to NFLOG
    std::chrono::steady_clock::time_point bind_limit_;
    std::optional<std::chrono::steady_clock::time_point> next_look_;  // at the table
    std::chrono::steady_clock::time_point next_repair_;
    bool has_news_ = false;  // the table has changed since the last look
    bool was_interrupted_ = false;

    std::chrono::steady_clock::time_point second_;  // whose events are counted in events_
    int events_ = 0;
    std::uint64_t more_ = 0;  // events that were not written
};

}  // namespace portcullis::active_response
