#include "engine/execd/survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace portcullis::execd {
namespace {

using Kept = std::map<std::pair<std::string, std::string>, std::optional<std::chrono::seconds>>;

// The most addresses that a responder can block, of both families.
constexpr std::size_t kMostHolds = 8192;

struct Progress {
    Survey survey;
    // A responder may report an address twice.
    Kept kept;
    std::vector<std::size_t> others;  // hashes of the addresses beyond `kept`
    std::size_t unanswered = 0;
    std::function<void(const Survey&)> on_done;
};

void end_one(Progress& progress) {
    if (--progress.unanswered > 0) {
        return;
    }
    for (const auto& [key, left] : progress.kept) {
        progress.survey.blocks.push_back({key.first, key.second, left, false});
    }
    auto& others = progress.others;
    std::sort(others.begin(), others.end());
    others.erase(std::unique(others.begin(), others.end()), others.end());
    progress.survey.total = progress.kept.size() + others.size();
    progress.on_done(progress.survey);
}

}  // namespace

void take_survey(Runner& runner, const SurveyPlan& plan,
                 std::function<void(const Survey&)> on_done) {
    const auto progress = std::make_shared<Progress>();
    progress->on_done = std::move(on_done);
    progress->unanswered = plan.executables.size() + 1;
    for (const auto& executable : plan.executables) {
        runner.list(
            executable, plan.address,
            [progress, executable, most = plan.most, wants_holds = plan.wants_holds,
             is_explained = plan.is_explained](const Held& held) {
                if (held.is_hold) {
                    auto& holds = progress->survey.holds;
                    if (wants_holds && holds.size() < kMostHolds) {
                        holds.push_back({held.address, executable, held.left, true});
                    }
                    return;
                }
                if (is_explained(executable, held.address)) {
                    return;
                }
                const std::pair key(held.address, executable);
                if (progress->kept.size() < most || progress->kept.count(key) != 0) {
                    progress->kept.insert_or_assign(key, held.left);
                } else {
                    progress->others.push_back(
                        std::hash<std::string>()(held.address + " " + executable));
                }
            },
            [progress, executable](const HeldResult& result) {
                Survey& survey = progress->survey;
                if (result.answer == HeldAnswer::Failed) {
                    survey.problems.push_back(fmt::format("{} does not answer what it blocks: {}",
                                                          executable, result.reason));
                }
                survey.was_answered = survey.was_answered || result.answer == HeldAnswer::Complete;
                end_one(*progress);
            });
    }
    end_one(*progress);
}

}  // namespace portcullis::execd
