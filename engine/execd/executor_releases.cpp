// The administrator's requests for releases, of bans and of what no ban explains.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "engine/base/ban_target.hpp"
#include "engine/execd/executor.hpp"

namespace portcullis::execd {

using base::Timestamp;

struct Executor::Releases {
    Record request;  // its record, if there was nothing to release
    OnReply on_reply;
    bool is_flush = false;
    int under_way = 1;  // the request itself
    int asked = 0;      // undos of bans
    int undone = 0;
    int blocks_asked = 0;  // releases of what no ban explains
    int blocks_released = 0;
    std::vector<std::string> problems;
};

namespace {

// Blocks that no ban explains: how many are logged, listed, and released in one round.
constexpr std::size_t kMaxLogged = 5;
constexpr std::size_t kMaxListed = 1000;
constexpr std::size_t kMaxReleases = 5000;

std::string counted(std::size_t count, std::string_view one, std::string_view more) {
    return fmt::format("{} {}", count, count == 1 ? one : more);
}

std::string text_of(const UnexplainedBlock& block) {
    return fmt::format("{} ({})", block.address,
                       block.left ? fmt::format("{} s left", block.left->count()) : "no end");
}

}  // namespace

void Executor::undo_for(const ReleasesPtr& releases, Bans::iterator it, std::string reason,
                        Timestamp now) {
    ++releases->asked;
    ++releases->under_way;
    undo(it, std::move(reason), now, [this, releases](bool is_undone) {
        releases->undone += is_undone ? 1 : 0;
        end_one(*releases);
    });
}

// Replies when everything has been answered.
void Executor::end_one(Releases& releases) {
    if (--releases.under_way > 0) {
        return;
    }
    const std::string problems = fmt::format("{}", fmt::join(releases.problems, "; "));
    if (releases.asked + releases.blocks_asked == 0) {
        std::string text =
            releases.is_flush ? "there are no bans" : "there is no ban of this address";
        text += problems.empty() ? "" : ", but " + problems;
        if (releases.is_flush) {
            releases.on_reply({problems.empty(), text, {}, {}});
        } else {
            finish(releases.request, Outcome::Refused, text, releases.on_reply);
        }
        return;
    }
    base::Reply reply;
    const int failed = releases.asked - releases.undone;
    const int kept = releases.blocks_asked - releases.blocks_released;
    std::vector<std::string> parts;
    if (releases.asked > 0) {
        parts.push_back(counted(static_cast<std::size_t>(releases.undone), "ban", "bans") +
                        " undone");
    }
    if (failed > 0) {
        parts.push_back(
            fmt::format("{} could not be undone yet (see active-responses.log)", failed));
    }
    if (releases.blocks_asked > 0) {
        parts.push_back(
            counted(static_cast<std::size_t>(releases.blocks_released), "address", "addresses") +
            " released that no ban explained");
    }
    if (kept > 0) {
        parts.push_back(fmt::format("{} of them could not be (see active-responses.log)", kept));
    }
    if (!problems.empty()) {
        parts.push_back(problems);
    }
    reply.ok = failed == 0 && kept == 0 && problems.empty();
    reply.text = fmt::format("{}", fmt::join(parts, ", "));
    releases.on_reply(reply);
}

std::vector<std::string> Executor::responders() const {
    std::set<std::string> names;
    if (!config_.dry_run) {
        for (const auto& command : config_.commands) {
            if (command.is_persistent) {
                names.insert(command.executable);
            }
        }
        for (const auto& [key, entry] : bans_) {
            if (entry.ban.is_persistent && !entry.ban.is_dry) {
                names.insert(key.executable);
            }
        }
    }
    return {names.begin(), names.end()};
}

bool Executor::has_ban(const std::string& executable, const std::string& address) const {
    for (auto it = bans_.lower_bound({executable, address, ""});
         it != bans_.end() && it->first.executable == executable && it->first.address == address;
         ++it) {
        if (!it->second.ban.is_dry) {
            return true;
        }
    }
    return false;
}

// Also by a ban of another command: firewall-drop.sh fills the sets of firewall-drop.
bool Executor::is_explained(const std::string& address) const {
    for (auto it = bans_.begin(); it != bans_.end();) {
        const std::string& executable = it->first.executable;
        if (has_ban(executable, address)) {
            return true;
        }
        it = bans_.lower_bound({executable + '\0', "", ""});
    }
    return false;
}

void Executor::release(const UnexplainedBlock& block, const Record& request,
                       std::function<void(bool)> on_done) {
    Job job;
    job.action = Action::Delete;
    job.executable = block.executable;
    job.is_persistent = true;
    job.address = block.address;
    Record record = request;
    record.command = block.executable;
    record.address = block.address;
    run(job, false, [this, record, on_done = std::move(on_done)](const JobResult& result) {
        finish(record, result.ok ? Outcome::Undone : Outcome::Failed,
               result.ok ? "released by hand: no ban explained it" : result.reason, {});
        on_done(result.ok);
    });
}

// In rounds of kMaxReleases, so that memory stays bounded however much there is.
void Executor::release_unexplained(const ReleasesPtr& releases) {
    SurveyPlan plan;
    plan.executables = responders();
    plan.most = kMaxReleases;
    if (releases->is_flush) {
        plan.is_explained = [this](const std::string&, const std::string& address) {
            return is_explained(address);
        };
    } else {
        plan.address = releases->request.address;
        plan.is_explained = [this](const std::string& executable, const std::string& address) {
            return has_ban(executable, address);
        };
    }
    ++releases->under_way;
    take_survey(runner_, plan, [this, releases](const Survey& survey) {
        releases->problems = survey.problems;
        const auto round = std::make_shared<std::pair<std::size_t, bool>>(
            survey.blocks.size(), survey.total > survey.blocks.size());
        releases->blocks_asked += static_cast<int>(survey.blocks.size());
        releases->under_way += static_cast<int>(survey.blocks.size());
        for (const auto& block : survey.blocks) {
            release(block, releases->request, [this, releases, round](bool is_released) {
                auto& [left, has_more] = *round;
                releases->blocks_released += is_released ? 1 : 0;
                has_more = has_more && is_released;  // no end if nothing can be released
                if (--left == 0 && has_more) {
                    release_unexplained(releases);
                }
                end_one(*releases);
            });
        }
        end_one(*releases);
    });
}

void Executor::unban(const base::UnbanRequest& request, Timestamp now, const OnReply& on_reply) {
    const auto target = base::parse_ban_target(request.address);
    Record record;
    record.time = now;
    record.action = Action::Delete;
    record.address = target ? base::ban_target_text(*target) : request.address;
    if (!target) {
        finish(record, Outcome::Refused, "not an IP address", on_reply);
        return;
    }
    const auto releases = std::make_shared<Releases>();
    releases->request = record;
    releases->on_reply = on_reply;
    release_unexplained(releases);
    for (auto it = bans_.begin(); it != bans_.end();) {
        const auto current = it++;
        if (current->first.address == record.address) {
            undo_for(releases, current, "unbanned by hand", now);
        }
    }
    end_one(*releases);
}

void Executor::flush(Timestamp now, const OnReply& on_reply) {
    const auto releases = std::make_shared<Releases>();
    releases->request.time = now;
    releases->request.action = Action::Delete;
    releases->on_reply = on_reply;
    releases->is_flush = true;
    release_unexplained(releases);
    for (auto it = bans_.begin(); it != bans_.end();) {
        const auto current = it++;
        undo_for(releases, current, "flushed by hand", now);
    }
    end_one(*releases);
}

void Executor::log_unexplained() {
    SurveyPlan plan;
    plan.executables = responders();
    plan.most = kMaxLogged;
    plan.is_explained = [this](const std::string&, const std::string& address) {
        return is_explained(address);
    };
    take_survey(runner_, plan, [this](const Survey& survey) {
        for (const auto& problem : survey.problems) {
            log_.warning(problem);
        }
        if (survey.total == 0) {
            if (survey.was_answered && survey.problems.empty()) {
                log_.info(fmt::format("the responders block {}, all of bans of this home",
                                      counted(survey.explained, "address", "addresses")));
            }
            return;
        }
        std::vector<std::string> texts;
        for (const auto& block : survey.blocks) {
            texts.push_back(text_of(block));
        }
        if (survey.total > texts.size()) {
            texts.push_back(fmt::format("and {} more", survey.total - texts.size()));
        }
        log_.warning(fmt::format(
            "{} blocked that no ban of this home explains: {}. portcullis-control bans lists "
            "them, unban and flush release them",
            counted(survey.total, "address is", "addresses are"), fmt::join(texts, ", ")));
    });
}

void Executor::list_unexplained(const base::UnexplainedRequest& request, const OnReply& on_reply) {
    if (!request.after.empty()) {
        on_reply(page_of_survey(request.after));
        return;
    }
    SurveyPlan plan;
    plan.executables = responders();
    plan.most = kMaxListed;
    plan.is_explained = [this](const std::string&, const std::string& address) {
        return is_explained(address);
    };
    take_survey(runner_, plan, [this, on_reply](const Survey& survey) {
        last_survey_ = survey;
        on_reply(page_of_survey(""));
    });
}

base::Reply Executor::page_of_survey(const std::string& after) const {
    const auto& blocks = last_survey_.blocks;
    const auto cursor = [](const UnexplainedBlock& block) {
        return block.address + " " + block.executable;
    };
    base::Reply reply;
    std::size_t room = base::kMaxMessageSize - 2048;  // for the members around the rows
    const auto first =
        after.empty() ? blocks.begin()
                      : std::find_if(blocks.begin(), blocks.end(),
                                     [&](const auto& block) { return cursor(block) == after; });
    auto it = after.empty() || first == blocks.end() ? first : std::next(first);
    for (; it != blocks.end(); ++it) {
        base::BlockRow row{it->executable, it->address, it->left ? it->left->count() : -1};
        const auto size = base::encoded_size_of(row);
        if (size > room) {
            break;
        }
        room -= size;
        reply.blocks.push_back(std::move(row));
        reply.next = cursor(*it);
    }
    if (it == blocks.end()) {
        reply.next.clear();
    }
    reply.ok = last_survey_.problems.empty();
    const auto more = last_survey_.total - blocks.size();
    if (!reply.ok) {
        reply.text = fmt::format("{}", fmt::join(last_survey_.problems, "; ")).substr(0, 1000);
    } else if (reply.next.empty() && more > 0) {
        reply.text = fmt::format("and {} more", more);
    }
    return reply;
}

}  // namespace portcullis::execd
