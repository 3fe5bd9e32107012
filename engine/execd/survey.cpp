#include "engine/execd/survey.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <utility>

namespace portcullis::execd {
namespace {

using Kept = std::map<std::pair<std::string, std::string>, std::optional<std::chrono::seconds>>;

struct Progress {
    Survey survey;
    Kept kept;  // a responder may name an address twice
    std::size_t unanswered = 0;
    std::function<void(const Survey&)> on_done;
};

void end_one(Progress& progress) {
    if (--progress.unanswered > 0) {
        return;
    }
    for (const auto& [key, left] : progress.kept) {
        progress.survey.blocks.push_back({key.first, key.second, left});
    }
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
            [progress, executable, most = plan.most,
             is_explained = plan.is_explained](const Held& held) {
                Survey& survey = progress->survey;
                if (is_explained(executable, held.address)) {
                    ++survey.explained;
                } else if (progress->kept.size() < most) {
                    const bool is_new =
                        progress->kept.insert_or_assign({held.address, executable}, held.left)
                            .second;
                    survey.total += is_new ? 1 : 0;
                } else if (progress->kept.count({held.address, executable}) == 0) {
                    ++survey.total;
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
