// ScriptRunner: runs one process per job, as OSSEC runs its commands.
//
// Jobs of one executable, address and user run one after the other. At most kMaxRunning processes
// run at a time; further jobs wait. A process that runs longer than `run_limit` is killed with its
// group. Single-threaded on the event loop.
#pragma once

#include <chrono>
#include <deque>
#include <list>
#include <string>

#include "base/event_loop.hpp"
#include "engine/execd/child_process.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

class ScriptRunner final : public Runner {
  public:
    static constexpr std::size_t kMaxRunning = 16;

    // `folder` holds the executables. `loop` must outlive this.
    ScriptRunner(base::EventLoop& loop, std::string folder,
                 std::chrono::seconds run_limit = std::chrono::seconds(30));
    // Does not end running processes, so that they finish their work.
    ~ScriptRunner() override = default;

    void run(const Job& job, std::function<void(const JobResult&)> on_done) override;

  private:
    struct Waiting {
        Job job;
        std::function<void(const JobResult&)> on_done;
    };
    struct Running {
        Job job;
        std::function<void(const JobResult&)> on_done;
        ChildProcess child;
        std::string said;  // begin of its output
        bool was_too_slow = false;
        base::EventLoop::Source on_end = base::EventLoop::no_source();
        base::EventLoop::Source on_output = base::EventLoop::no_source();
        base::EventLoop::Source on_limit = base::EventLoop::no_source();
    };
    using RunningIt = std::list<Running>::iterator;

    bool is_busy(const Job& job) const;
    void start_waiting();
    void start(Waiting waiting);
    void drain(Running& running);
    void finish(RunningIt it);

    base::EventLoop& loop_;
    std::string folder_;
    std::chrono::seconds run_limit_;
    std::list<Running> running_;
    std::deque<Waiting> waiting_;
};

}  // namespace portcullis::execd
