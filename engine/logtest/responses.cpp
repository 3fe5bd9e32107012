#include "engine/logtest/responses.hpp"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/respond/response_plan.hpp"

namespace portcullis::logtest {
namespace {

struct Plan {
    std::string command;
    base::Evidence evidence = base::Evidence::Proven;
    std::optional<respond::PlannedBlock> block;
    std::string reason;  // why there is no block
};

std::vector<Plan> plans_of(const pipeline::Outcome& outcome,
                           const std::vector<respond::ActiveResponseConfig>& responses,
                           std::string_view source) {
    std::vector<Plan> plans;
    for (const std::size_t index : outcome.responses) {
        const respond::ActiveResponseConfig& response = responses[index];
        Plan plan;
        plan.command = response.command;
        plan.evidence = outcome.alert->evidence.value_or(base::Evidence::Proven);
        if (respond::listens_to(response, source)) {
            plan.block = respond::planned_block(response, plan.evidence);
            plan.reason = plan.block ? std::string()
                                     : fmt::format("{} evidence", base::word_of(plan.evidence));
        } else {
            plan.reason = respond::other_source_text(response);
        }
        plans.push_back(std::move(plan));
    }
    return plans;
}

}  // namespace

std::vector<std::string> response_lines(const pipeline::Outcome& outcome,
                                        const std::vector<respond::ActiveResponseConfig>& responses,
                                        std::string_view source) {
    std::vector<std::string> lines;
    for (const Plan& plan : plans_of(outcome, responses, source)) {
        lines.push_back(
            plan.block ? fmt::format("**Response: {} for {} s, {} block ({} evidence)",
                                     plan.command, plan.block->timeout.count(),
                                     base::word_of(plan.block->kind), base::word_of(plan.evidence))
                       : fmt::format("**No response: {}: {}", plan.command, plan.reason));
    }
    return lines;
}

nlohmann::ordered_json responses_json(const pipeline::Outcome& outcome,
                                      const std::vector<respond::ActiveResponseConfig>& responses,
                                      std::string_view source) {
    nlohmann::ordered_json json;
    json["evidence"] = nullptr;
    if (outcome.alert && outcome.alert->evidence) {
        json["evidence"] = base::word_of(*outcome.alert->evidence);
    }
    json["responses"] = nlohmann::ordered_json::array();
    for (const Plan& plan : plans_of(outcome, responses, source)) {
        nlohmann::ordered_json one;
        one["command"] = base::to_utf8(plan.command);
        one["evidence"] = base::word_of(plan.evidence);
        if (plan.block) {
            one["block"] = base::word_of(plan.block->kind);
            one["timeout"] = plan.block->timeout.count();
        } else {
            one["block"] = "none";
            one["reason"] = base::to_utf8(plan.reason);
        }
        json["responses"].push_back(std::move(one));
    }
    return json;
}

}  // namespace portcullis::logtest
