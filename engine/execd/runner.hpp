// Runner: the seam between Executor and the commands; tests put a recorder in its place.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/evidence.hpp"
#include "base/hold_config.hpp"
#include "base/ip_address.hpp"

namespace portcullis::execd {

enum class Action {
    Add,
    Delete,
    Release,  // ends a hold of the kernel and leaves every ban; only for persistent responders
};

constexpr std::string_view word_of(Action action) {
    switch (action) {
        case Action::Add:
            return "add";
        case Action::Release:
            return "release";
        case Action::Delete:
            break;
    }
    return "delete";
}

// One call of a command: argv is `add|delete user address alert-id rule-id location filename`.
// The texts hold no control characters, and do not begin with '-', but for "-" itself.
struct Job {
    Action action = Action::Add;
    std::string executable;
    bool is_persistent = false;
    std::string user = "-";
    std::string address = "-";
    std::string alert_id = "-";
    int rule_id = 0;
    std::string location = "-";
    std::string filename = "-";
    std::chrono::seconds timeout{0};  // remaining time; 0 = no end
    base::BlockKind block = base::BlockKind::Hard;
};

struct JobResult {
    bool ok = true;
    std::string reason;  // of a failure, or a remark; for a person
    // It failed, but may have been carried out: a responder ended without an answer to this or an
    // earlier attempt.
    bool may_have_happened = false;
    // Of an `add` that succeeded: the kind of block that it made; nullopt = as in the job.
    std::optional<base::BlockKind> block = std::nullopt;
};

// An address or network that a responder reports as blocked.
struct Held {
    std::string address;                       // canonical, as base::ban_target_text() writes it
    std::optional<std::chrono::seconds> left;  // nullopt = it has no end
    base::BlockKind block = base::BlockKind::Hard;
    bool is_hold = false;  // a hold of the kernel, not a ban (docs/hold.md)
};

// How a responder has to hold scans, and the addresses that it must spare.
struct HoldRequest {
    base::HoldConfig config;
    bool is_dry = false;  // the kernel counts, and drops nothing
    std::vector<base::Cidr> spared;
    std::vector<base::Cidr> on_link;  // IPv6 networks whose hosts are held one by one

    bool operator==(const HoldRequest& other) const;
};

// A message of a responder that answers no request.
struct HoldEvent {
    std::optional<base::Cidr> target;  // held from now on
    std::uint64_t more = 0;            // number of further sources that are held
};

enum class HeldAnswer {
    Complete,   // all that it blocks was reported
    CannotSay,  // the responder does not support the question
    Failed,     // there was no answer, or only a part of it
};
struct HeldResult {
    HeldAnswer answer = HeldAnswer::CannotSay;
    std::string reason;  // of Failed, for a person
};

class Runner {
  public:
    virtual ~Runner() = default;
    // Runs `job` and then calls `on_done`, from the event loop or within this call. Jobs of one
    // executable and address run one after the other, in the order of the calls.
    virtual void run(const Job& job, std::function<void(const JobResult&)> on_done) = 0;

    // Asks the persistent responder `executable` whether it blocks `address`, or for all addresses
    // that it blocks ("-"). Calls `on_held` for each, at times twice for the same, and then
    // `on_done` once. A report that comes before the result of a job describes the time before that
    // job.
    virtual void list(const std::string& executable, const std::string& address,
                      std::function<void(const Held&)> on_held,
                      std::function<void(const HeldResult&)> on_done) {
        static_cast<void>(executable);
        static_cast<void>(address);
        on_held = nullptr;  // it has nothing to report
        std::exchange(on_done, nullptr)({});
    }

    // Has the persistent responder `executable` hold scans from now on. Calls `on_done` once, when
    // the kernel holds them or that has failed. If the responder ends before, `on_done` is never
    // called.
    virtual void hold(const std::string& executable, const HoldRequest& request,
                      std::function<void(const JobResult&)> on_done) {
        static_cast<void>(request);
        std::exchange(on_done, nullptr)({false, executable + " cannot hold", false});
    }
};

}  // namespace portcullis::execd
