// Runner: the seam between deciding (Executor) and doing (commands, or a recorder in tests).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::execd {

enum class Action { Add, Delete };

constexpr std::string_view word_of(Action action) {
    return action == Action::Add ? "add" : "delete";
}

// One call of a command: argv is `add|delete user address alert-id rule-id location filename`.
// All texts are checked: no control characters, no leading '-' but in "-" itself.
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
    std::chrono::seconds timeout{0};  // what is left of it; 0 = none
};

struct JobResult {
    bool ok = true;
    std::string reason;  // why it failed, or what is worth saying; for a person
    // It failed, but may have been carried out all the same: a responder ended without an answer,
    // be it to this or to an earlier attempt.
    bool may_have_happened = false;
};

class Runner {
  public:
    virtual ~Runner() = default;
    // Runs `job` and then calls `on_done`, from the event loop or from within this call. Jobs of
    // one executable and address run one after the other, in the order of the calls.
    virtual void run(const Job& job, std::function<void(const JobResult&)> on_done) = 0;
};

}  // namespace portcullis::execd
