// PersistentResponder: a command that is kept running and fed with JSON lines (docs/responders.md):
//   ▶ {"id":7,"action":"add","address":"192.0.2.1","timeout":600,…}
//   ◀ {"id":7,"ok":true}          once the effect is real
// Its first line may be {"supports":["list","hold"]}. Only then it is asked for the addresses that
// it blocks, or to hold scans.
//
// It is started at once, so that the first block does not wait for a start. When it ends, it is
// started again: immediately, then with growing pauses. Requests without a reply are then sent
// again, up to kMaxAttempts times, since `add` and `delete` are idempotent. Single-threaded on the
// event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "engine/execd/child_process.hpp"
#include "engine/execd/runner.hpp"

namespace portcullis::execd {

class PersistentResponder {
  public:
    static constexpr int kMaxAttempts = 3;
    // A responder that does not send its "supports" line within this time supports nothing.
    static constexpr std::chrono::seconds kSupportsLimit{2};

    // `loop` and `log` must outlive this. A responder that does not answer a request within
    // `reply_limit` is killed and started again.
    PersistentResponder(base::EventLoop& loop, base::Log& log, std::string folder,
                        std::string executable,
                        std::chrono::nanoseconds reply_limit = std::chrono::seconds(10));
    // Closes the standard input of the responder, which then ends, and does not wait for that.
    ~PersistentResponder();
    PersistentResponder(const PersistentResponder&) = delete;
    PersistentResponder& operator=(const PersistentResponder&) = delete;

    // Called after each start but the first: the new process has no state of the earlier one.
    void set_on_restarted(std::function<void()> on_restarted) {
        on_restarted_ = std::move(on_restarted);
    }

    // Requests are written in the order of the calls. `on_done` is called from the event loop.
    void run(const Job& job, std::function<void(const JobResult&)> on_done);

    // As Runner::list(). If the responder ends, the question is repeated as jobs are, unless its
    // answer has begun.
    void list(const std::string& address, std::function<void(const Held&)> on_held,
              std::function<void(const HeldResult&)> on_done);

    // As Runner::hold(). A request replaces the one before.
    void hold(const HoldRequest& request, std::function<void(const JobResult&)> on_done);
    // Called for messages that answer no request.
    void set_on_event(std::function<void(const HoldEvent&)> on_event) {
        on_event_ = std::move(on_event);
    }

  private:
    struct Pending {
        Job job;
        std::function<void(const JobResult&)> on_done;
        std::chrono::steady_clock::time_point asked;
        std::chrono::steady_clock::time_point deadline;
        int attempts = 0;
    };

    // A question for the addresses that the responder blocks.
    struct Question {
        std::string address;
        std::function<void(const Held&)> on_held;
        std::function<void(const HeldResult&)> on_done;
        bool is_asked = false;   // it was sent to the process that runs
        bool has_begun = false;  // its answer has begun
        int attempts = 0;
        std::chrono::steady_clock::time_point deadline;
    };
    enum class Support { Unknown, Yes, No };
    struct PendingHold {
        std::uint64_t id = 0;  // 0 = not asked yet
        HoldRequest request;
        std::function<void(const JobResult&)> on_done;
    };

    void start();
    void start_later();
    void set_support(Support support);
    void ask_questions();
    // After the process has ended: fails the questions that cannot be asked again, or `all`.
    void give_up_questions(const std::string& reason, bool all);
    void end_question(std::uint64_t id, const HeldResult& result);
    void check_questions();
    void write_soon(const std::string& line);
    bool handle_answer(const nlohmann::json& answer);
    bool take_hold_reply(const nlohmann::json& answer);
    void ask_to_hold();
    // A message that answers no request.
    void take_event(std::string_view event, const nlohmann::json& line);
    void write_out();
    void read_replies();
    void handle_reply(const nlohmann::json& reply, std::string_view line);
    void read_errors();
    void check_deadlines();
    void on_end();
    void stop_watching();
    // After the process has ended: fails the requests that were sent kMaxAttempts times, or `all`.
    void give_up(const std::string& reason, bool all);

    base::EventLoop& loop_;
    base::Log& log_;
    std::string folder_;
    std::string executable_;
    std::chrono::nanoseconds reply_limit_;

    ChildProcess child_;
    bool is_running_ = false;
    bool has_run_ = false;
    std::function<void()> on_restarted_;
    int failures_in_a_row_ = 0;  // processes that ended without a single reply
    std::string out_;            // bytes to write
    std::size_t written_ = 0;    // bytes of out_ that are written
    std::chrono::steady_clock::time_point last_reply_;
    std::string in_;          // begin of a line that is not complete
    std::string last_error_;  // the last line of its standard error
    std::string errors_in_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, Pending> pending_;
    std::map<std::uint64_t, Question> questions_;
    Support lists_ = Support::Unknown;  // whether it answers questions
    bool blocks_softly_ = false;        // whether its "supports" line says so
    bool holds_ = false;                // whether its "supports" line says so
    std::optional<PendingHold> hold_;
    std::function<void(const HoldEvent&)> on_event_;

    base::EventLoop::Source on_output_ = base::EventLoop::no_source();
    base::EventLoop::Source on_errors_ = base::EventLoop::no_source();
    base::EventLoop::Source on_writable_ = base::EventLoop::no_source();
    base::EventLoop::Source on_child_end_ = base::EventLoop::no_source();
    base::EventLoop::Source restart_ = base::EventLoop::no_source();
    base::EventLoop::Source deadline_ = base::EventLoop::no_source();
    base::EventLoop::Source question_deadline_ = base::EventLoop::no_source();
};

}  // namespace portcullis::execd
