// Records: writes what execd did and why, for people (logs/active-responses.log, a line in OSSEC's
// form) and for programs (logs/active-responses.json, one object per line).
//
// Each request leaves one record when it ends, or is counted in a summary (record_limit.hpp). If a
// record cannot be written, it is lost, and the response still runs. Single-threaded.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

enum class Outcome {
    Executed,  // the command ran, or was prolonged
    Undone,
    DryRun,     // would have been executed or undone
    Spared,     // the address is never blocked
    Refused,    // not allowed, or not an address
    Deferred,   // beyond a limit: nothing is blocked yet
    Failed,     // the command reported a failure
    Alarm,      // not a request: something that the administrator must know
    Expired,    // the evidence is older than the time of the ban: nothing was blocked
    Reported,   // the evidence is doubtful: only the alert remains
    Unchanged,  // the ban exists already, or there is nothing to undo
    Summary,    // not a request: counts of the records that were not written one by one
    // Not requests: begin and result of a hold of the kernel (hold_reports.hpp).
    Held,
    Confirmed,
    Lifted,
};
std::string_view word_of(Outcome outcome);

struct Record {
    base::Timestamp time;
    Action action = Action::Add;
    std::string command = "-";
    std::string address = "-";
    std::string user = "-";
    int rule_id = 0;
    std::string alert_id = "-";
    std::string location = "-";
    std::string filename = "-";
    std::chrono::seconds timeout{0};
    base::Evidence evidence = base::Evidence::Proven;
    base::BlockKind block = base::BlockKind::Hard;
    Outcome outcome = Outcome::Executed;
    std::string reason;
    // The checks in their order, each with its result ("protected: no"). The last one decided.
    std::vector<std::string> steps;
    std::map<Outcome, std::uint64_t> counts;  // of a Summary

    // Not written; for RecordLimit.
    // Uid of the client whose message it is about; 0 = the administrator; nullopt = the engine, or
    // no client.
    std::optional<uid_t> asker;
    bool is_repeat =
        false;  // about a ban that exists already, so that the limit of bans does not apply
};

// The record in each form, without a line feed at the end. Control characters are replaced.
std::string to_log_line(const Record& record);
std::string to_json_line(const Record& record);

// The seam to the files of records.
class RecordSink {
  public:
    virtual ~RecordSink() = default;
    virtual void write(const Record& record) = 0;
    // For sinks that write by time. next_due() says when tick() has work; nullopt = never.
    virtual void tick(base::Timestamp /*now*/) {}
    virtual std::optional<base::Timestamp> next_due() const { return std::nullopt; }
};

class Records final : public RecordSink {
  public:
    // Opens both for appending (0640, no symbolic link is followed). Error: "unwritable-file".
    static base::Result<Records> open(const std::string& log_path, const std::string& json_path);
    void write(const Record& record) override;

  private:
    struct File {
        base::UniqueFd fd;
        bool starts_torn = false;  // it ends within a line: begin the next one afresh
    };
    Records(base::UniqueFd log, base::UniqueFd json)
        : log_{std::move(log)}, json_{std::move(json)} {}
    bool write_to_both(const Record& record);
    static bool append(File& file, const std::string& line);

    File log_;
    File json_;
    int lost_ = 0;  // records that a full disk did not take, not admitted yet
};

}  // namespace portcullis::execd
