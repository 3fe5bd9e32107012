#include "engine/execd/script_runner.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace portcullis::execd {
namespace {

constexpr std::size_t kMaxSaid = 300;

bool is_same_target(const Job& a, const Job& b) {
    return a.executable == b.executable && a.address == b.address && a.user == b.user;
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

ScriptRunner::ScriptRunner(base::EventLoop& loop, std::string folder,
                           std::chrono::seconds run_limit)
    : loop_(loop), folder_(std::move(folder)), run_limit_(run_limit) {}

bool ScriptRunner::is_busy(const Job& job) const {
    return std::any_of(running_.begin(), running_.end(),
                       [&](const Running& other) { return is_same_target(other.job, job); });
}

void ScriptRunner::run(const Job& job, std::function<void(const JobResult&)> on_done) {
    waiting_.push_back({job, std::move(on_done)});
    start_waiting();
}

void ScriptRunner::start_waiting() {
    // start() may call back at once, and the callback may call run(). So the search begins again
    // each time.
    for (std::size_t i = 0; i < waiting_.size() && running_.size() < kMaxRunning;) {
        const auto& job = waiting_[i].job;
        const bool has_earlier =
            std::any_of(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const Waiting& earlier) { return is_same_target(earlier.job, job); });
        if (has_earlier || is_busy(job)) {
            ++i;
            continue;
        }
        Waiting next = std::move(waiting_[i]);
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
        start(std::move(next));
        i = 0;
    }
}

void ScriptRunner::start(Waiting waiting) {
    const Job& job = waiting.job;
    if (auto reason = reason_not_to_run(folder_, job.executable)) {
        waiting.on_done({false, *reason});
        return;
    }
    auto child = start_child(
        {folder_ + "/" + job.executable, std::string(word_of(job.action)), job.user, job.address,
         job.alert_id, std::to_string(job.rule_id), job.location, job.filename},
        job.timeout, job.block, ChildInput::Nothing);
    if (!child) {
        waiting.on_done({false, child.error().message});
        return;
    }
    running_.emplace_back();
    const auto it = std::prev(running_.end());
    it->job = std::move(waiting.job);
    it->on_done = std::move(waiting.on_done);
    it->child = std::move(*child);
    it->on_output = loop_.watch_fd(it->child.output.get(), EPOLLIN, [this, it](std::uint32_t what) {
        drain(*it);
        if ((what & (EPOLLHUP | EPOLLERR)) != 0) {
            it->on_output = base::EventLoop::no_source();
        }
    });
    it->on_end =
        loop_.watch_fd(it->child.pid_fd.get(), EPOLLIN, [this, it](std::uint32_t) { finish(it); });
    it->on_limit = loop_.call_after(run_limit_, [it] {
        it->was_too_slow = true;
        kill_group(it->child);
    });
}

void ScriptRunner::drain(Running& running) {
    std::array<char, 4096> buffer;
    // Bounded, so that a command that prints without end does not block the loop.
    for (int round = 0; round < 16; ++round) {
        const ssize_t got = ::read(running.child.output.get(), buffer.data(), buffer.size());
        if (got <= 0) {
            return;
        }
        const auto room = kMaxSaid - std::min(kMaxSaid, running.said.size());
        running.said.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
    }
}

void ScriptRunner::finish(RunningIt it) {
    drain(*it);
    std::string reason = reap(it->child);
    const bool ok = reason.empty();
    if (it->was_too_slow) {
        reason = fmt::format("killed: it ran longer than {} s", run_limit_.count());
    }
    if (!ok && !it->said.empty()) {
        reason += ": " + first_line(it->said);
    }
    const auto on_done = std::move(it->on_done);
    running_.erase(it);
    on_done({ok, std::move(reason)});
    start_waiting();
}

}  // namespace portcullis::execd
