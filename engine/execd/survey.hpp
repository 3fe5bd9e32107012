// take_survey(): compares what persistent responders block with what bans explain.
//
// A ruleset that was saved and restored, a lost journal or another home leave addresses in the
// kernel that no ban of this home explains, and that nobody would ever release. Single-threaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/execd/runner.hpp"

namespace portcullis::execd {

// An address that a responder blocks and no ban explains.
struct UnexplainedBlock {
    std::string address;
    std::string executable;                    // of the responder
    std::optional<std::chrono::seconds> left;  // nullopt = it has no end
    bool is_hold = false;                      // of the kernel (docs/hold.md): no ban explains it
};

struct Survey {
    std::vector<UnexplainedBlock> blocks;  // by address; at most `most` of the plan
    std::vector<UnexplainedBlock> holds;   // what the kernel holds, if the plan wants it
    std::size_t total = 0;  // of all `blocks`, also those that found no room in `blocks`
    std::vector<std::string>
        problems;               // responders that should have answered, and why they did not
    bool was_answered = false;  // by one responder at least
};

struct SurveyPlan {
    std::vector<std::string> executables;  // the responders to ask
    std::string address = "-";             // only this one; "-" = all
    std::size_t most = 0;
    bool wants_holds = false;
    std::function<bool(const std::string& executable, const std::string& address)> is_explained;
};

// Calls `on_done` once, when all have answered; from within this call if nobody is to be asked.
// `runner` must outlive the answers.
void take_survey(Runner& runner, const SurveyPlan& plan,
                 std::function<void(const Survey&)> on_done);

}  // namespace portcullis::execd
