// The administrator's requests for releases: of bans, and of addresses that no ban explains.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/ban_target.hpp"
#include "engine/execd/executor.hpp"
#include "engine/execd/executor_texts.hpp"

namespace portcullis::execd {

using base::Timestamp;

struct Executor::Releases {
    std::vector<std::string> responders;  // that are asked for blocks without a ban
    Record request;                       // the record of the request itself
    OnReply on_reply;
    bool is_flush = false;
    // The bans to undo and the blocks to release.
    std::deque<BanKey> bans;
    std::deque<UnexplainedBlock> blocks;
    int under_way = 0;
    bool has_failed = false;   // then all start at once, since each failure may take long
    bool is_starting = false;  // within release_next()
    std::chrono::nanoseconds clock_steps{0};  // BanTable::clock_steps() at the time of `request`
    // The responders are asked once all bans are undone: a report that comes during an undo may be
    // older than the undo.
    bool wants_survey = true;
    std::optional<std::size_t> rounds_left;  // nullopt = no round has begun

    int asked = 0;  // undos of bans
    int undone = 0;
    int blocks_asked = 0;  // releases of blocks that no ban explains
    int blocks_released = 0;
    std::size_t dropped = 0;  // deferred requests
    int holds_ended = 0;
    std::vector<std::string> problems;
    std::vector<std::string> covering;  // bans by hand of networks that hold the address
};

namespace {

// Numbers of blocks without a ban that are logged, listed, and released in one round.
constexpr std::size_t kMaxLogged = 5;
constexpr std::size_t kMaxListed = 1000;
constexpr std::size_t kMaxReleases = 5000;
// Most undos and releases of one request that are under way at a time. A new ban waits behind them,
// and a responder takes a few milliseconds for 200.
constexpr int kMaxUnderWay = 200;
// Rounds in addition to those that the first answer needs, since others may add to the sets.
constexpr std::size_t kMoreRounds = 2;
// Most bytes of the problems of a page. Each may become six bytes in the message.
constexpr std::size_t kMaxProblem = 300;

std::string counted(std::size_t count, std::string_view one, std::string_view more) {
    return fmt::format("{} {}", count, count == 1 ? one : more);
}

std::string text_of(const UnexplainedBlock& block) {
    return fmt::format("{} ({})", block.address,
                       block.left ? fmt::format("{} s left", block.left->count()) : "no end");
}

}  // namespace

void Executor::undo_for(const ReleasesPtr& releases, BanTable::Iterator it) {
    ++releases->asked;
    ++releases->under_way;
    undo(it, releases->is_flush ? "flushed by hand" : "unbanned by hand",
         releases->request.time + (table_.clock_steps() - releases->clock_steps),
         [this, releases](bool is_undone) {
             releases->undone += is_undone ? 1 : 0;
             releases->has_failed = releases->has_failed || !is_undone;
             end_one(releases);
         });
}

void Executor::release_for(const ReleasesPtr& releases, const UnexplainedBlock& block) {
    releases->blocks_asked += block.is_hold ? 0 : 1;
    ++releases->under_way;
    release(block, releases->request, [this, releases, is_hold = block.is_hold](bool is_released) {
        (is_hold ? releases->holds_ended : releases->blocks_released) += is_released ? 1 : 0;
        releases->has_failed = releases->has_failed || !is_released;
        end_one(releases);
    });
}

void Executor::end_one(const ReleasesPtr& releases) {
    --releases->under_way;
    if (!releases->is_starting) {
        release_next(releases);
    }
}

// Starts undos and releases up to kMaxUnderWay. When all are answered, asks the responders or
// replies.
void Executor::release_next(const ReleasesPtr& releases) {
    auto& bans = releases->bans;
    auto& blocks = releases->blocks;
    releases->is_starting = true;
    while ((releases->under_way < kMaxUnderWay || releases->has_failed) &&
           !(bans.empty() && blocks.empty())) {
        if (!bans.empty()) {
            const auto it = table_.find(bans.front());
            bans.pop_front();
            if (it != table_.end()) {
                undo_for(releases, it);
            }
            continue;
        }
        const auto block = std::move(blocks.front());
        blocks.pop_front();
        // If the address was banned after the report of the responder, that ban stays.
        if (!table_.is_explained(block.address, BanFilter::Kept)) {
            release_for(releases, block);
        }
    }
    releases->is_starting = false;
    if (releases->under_way > 0) {
        return;
    }
    if (std::exchange(releases->wants_survey, false)) {
        release_unexplained(releases);
    } else {
        reply_to(*releases);
    }
}

void Executor::reply_to(const Releases& releases) {
    std::vector<std::string> all_problems = releases.problems;
    if (!releases.covering.empty()) {
        all_problems.push_back(fmt::format("it is still blocked as part of {}: unban that",
                                           fmt::join(releases.covering, " and ")));
    }
    const std::string problems = fmt::format("{}", fmt::join(all_problems, "; "));
    if (releases.asked + releases.blocks_asked + releases.holds_ended == 0 &&
        releases.dropped == 0) {
        std::string text = releases.is_flush ? "there are no bans"
                           : releases.covering.empty()
                               ? "nothing to do, there is no ban of this address"
                               : "there is no ban of this address alone";
        text += problems.empty() ? "" : ", but " + problems;
        if (releases.is_flush) {
            releases.on_reply({problems.empty(), text, {}, {}});
        } else {
            finish(releases.request, problems.empty() ? Outcome::Unchanged : Outcome::Failed, text,
                   releases.on_reply);
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
    if (releases.dropped > 0) {
        parts.push_back(counted(releases.dropped, "deferred request", "deferred requests") +
                        " dropped");
    }
    if (releases.holds_ended > 0) {
        parts.push_back(counted(static_cast<std::size_t>(releases.holds_ended), "hold", "holds") +
                        " ended");
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
        names.merge(table_.responders());
    }
    return {names.begin(), names.end()};
}

void Executor::release(const UnexplainedBlock& block, const Record& request,
                       std::function<void(bool)> on_done) {
    Job job;
    job.action = block.is_hold ? Action::Release : Action::Delete;
    job.executable = block.executable;
    job.is_persistent = true;
    job.address = block.address;
    Record record = request;
    record.command = block.executable;
    record.address = block.address;
    run(job, false,
        [this, record, is_hold = block.is_hold,
         on_done = std::move(on_done)](const JobResult& result) {
            const char* const done = is_hold ? "the kernel's hold was ended by hand"
                                             : "released by hand: no ban explained it";
            finish(record, result.ok ? Outcome::Undone : Outcome::Failed,
                   result.ok ? done : result.reason, {});
            on_done(result.ok);
        });
}

// Releases the blocks that no ban explains, in rounds of kMaxReleases, so that memory is bounded.
void Executor::release_unexplained(const ReleasesPtr& releases) {
    SurveyPlan plan;
    plan.executables = releases->responders;
    plan.most = kMaxReleases;
    plan.wants_holds = true;
    if (releases->is_flush) {
        plan.is_explained = [this](const std::string&, const std::string& address) {
            return table_.is_explained(address, BanFilter::All);
        };
    } else {
        plan.address = releases->request.address;
        plan.is_explained = [this](const std::string& executable, const std::string& address) {
            return table_.has_ban(executable, address, BanFilter::All);
        };
    }
    take_survey(runner_, plan, [this, releases](const Survey& survey) {
        releases->problems = survey.problems;
        releases->blocks.assign(survey.blocks.begin(), survey.blocks.end());
        releases->blocks.insert(releases->blocks.end(), survey.holds.begin(), survey.holds.end());
        if (!releases->rounds_left) {
            releases->rounds_left = survey.total / kMaxReleases + kMoreRounds;
        }
        const auto rest = survey.total - survey.blocks.size();
        if (rest > 0 && *releases->rounds_left > 0 && !releases->has_failed) {
            --*releases->rounds_left;
            releases->wants_survey = true;
        } else if (rest > 0) {
            releases->problems.push_back(fmt::format("{} more are still blocked", rest));
        }
        release_next(releases);
    });
}

void Executor::unban(const base::UnbanRequest& request, Timestamp now, const OnReply& on_reply) {
    const auto target = base::parse_ban_target(request.address);
    Record record;
    record.time = now;
    record.asker = uid_t{0};
    record.action = Action::Delete;
    record.address = target ? base::ban_target_text(*target) : request.address;
    if (!target) {
        finish(record, Outcome::Refused, "not an IP address", on_reply);
        return;
    }
    const auto releases = std::make_shared<Releases>();
    releases->responders = responders();
    releases->clock_steps = table_.clock_steps();
    releases->request = record;
    releases->on_reply = on_reply;
    releases->dropped = drop_deferred(record.address, now);
    for (const auto& [key, entry] : table_) {
        if (is_released_with(entry.ban, record.address)) {
            releases->bans.push_back(key);
        } else if (const auto network = base::parse_ban_target(key.address);
                   network && target->is_one_address() && !entry.ban.is_dry &&
                   network->contains(target->address)) {
            releases->covering.push_back(key.address);
        }
    }
    release_next(releases);
}

void Executor::flush(Timestamp now, const OnReply& on_reply) {
    const auto releases = std::make_shared<Releases>();
    releases->responders = responders();
    releases->clock_steps = table_.clock_steps();
    releases->request.time = now;
    releases->request.asker = uid_t{0};
    releases->request.action = Action::Delete;
    releases->on_reply = on_reply;
    releases->is_flush = true;
    releases->dropped = drop_deferred("", now);
    for (const auto& [key, entry] : table_) {
        releases->bans.push_back(key);
    }
    release_next(releases);
}

void Executor::log_unexplained() {
    SurveyPlan plan;
    plan.executables = responders();
    plan.most = kMaxLogged;
    plan.is_explained = [this](const std::string&, const std::string& address) {
        return table_.is_explained(address, BanFilter::All);
    };
    take_survey(runner_, plan, [this](const Survey& survey) {
        for (const auto& problem : survey.problems) {
            log_.warning(problem);
        }
        if (survey.total == 0) {
            if (survey.was_answered && survey.problems.empty()) {
                log_.info("the responders block only addresses of bans of this home");
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
    plan.wants_holds = true;
    plan.is_explained = [this](const std::string&, const std::string& address) {
        return table_.is_explained(address, BanFilter::All);
    };
    take_survey(runner_, plan, [this, on_reply](const Survey& survey) {
        last_survey_ = survey;
        auto& rows = last_survey_.blocks;
        rows.insert(rows.end(), survey.holds.begin(), survey.holds.end());
        std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
            return std::tie(a.address, a.executable) < std::tie(b.address, b.executable);
        });
        last_survey_.total += survey.holds.size();
        on_reply(page_of_survey(""));
    });
}

base::Reply Executor::page_of_survey(const std::string& after) const {
    const auto& blocks = last_survey_.blocks;
    base::Reply reply;
    std::size_t room = base::kMaxMessageSize - 2048;  // for the members around the rows
    // Another client may have asked again in the meantime, so the row of the cursor may be missing:
    // continue with the next greater one.
    const auto space = after.find(' ');
    const std::tuple<std::string, std::string> cursor{
        after.substr(0, space), space == std::string::npos ? "" : after.substr(space + 1)};
    auto it = after.empty() ? blocks.begin()
                            : std::find_if(blocks.begin(), blocks.end(), [&](const auto& block) {
                                  return std::tie(block.address, block.executable) > cursor;
                              });
    for (; it != blocks.end(); ++it) {
        base::BlockRow row{it->executable, it->address, it->left ? it->left->count() : -1,
                           it->is_hold};
        const auto size = base::encoded_size_of(row);
        if (size > room) {
            break;
        }
        room -= size;
        reply.blocks.push_back(std::move(row));
        reply.next = it->address + " " + it->executable;
    }
    if (it == blocks.end()) {
        reply.next.clear();
    }
    reply.ok = last_survey_.problems.empty();
    const auto more = last_survey_.total - blocks.size();
    if (!reply.ok) {
        reply.text =
            fmt::format("{}", fmt::join(last_survey_.problems, "; ")).substr(0, kMaxProblem);
    } else if (reply.next.empty() && more > 0) {
        reply.text = fmt::format("and {} more", more);
    }
    return reply;
}

}  // namespace portcullis::execd
