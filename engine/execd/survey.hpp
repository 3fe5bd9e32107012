// take_survey(): compares what persistent responders block with what bans explain.
//
// If a ruleset was saved and restored, the journal was lost, or another home blocks as well, the
// kernel holds addresses that no ban of this home explains and that execd would never release.
// Single-threaded.
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
    bool is_hold = false;  // a hold of the kernel (docs/hold.md), which needs no ban
};

struct Survey {
    std::vector<UnexplainedBlock> blocks;  // by address; at most `most` of the plan
    std::vector<UnexplainedBlock> holds;   // holds of the kernel, if the plan wants them
    std::size_t total = 0;                 // number of blocks, also of those beyond `most`
    std::vector<std::string> problems;     // responders that did not answer, and why
    bool was_answered = false;             // by at least one responder
};

struct SurveyPlan {
    std::vector<std::string> executables;  // the responders to ask
    std::string address = "-";             // the only one to ask for; "-" = all
    std::size_t most = 0;
    bool wants_holds = false;
    std::function<bool(const std::string& executable, const std::string& address)> is_explained;
};

// Asks the responders of `plan`. Calls `on_done` once, when all have answered; within this call, if
// there is no responder to ask. `runner` must outlive the answers.
void take_survey(Runner& runner, const SurveyPlan& plan,
                 std::function<void(const Survey&)> on_done);

}  // namespace portcullis::execd
