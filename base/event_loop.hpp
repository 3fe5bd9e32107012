// EventLoop: one thread's loop over descriptors, timers and signals (sd-event underneath).
//
// Single-threaded. Callbacks run inside run(); they may add and remove sources, including their
// own. A source is removed when its Source handle is destroyed. The loop must outlive its sources.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace portcullis::base {

class EventLoop {
  public:
    struct SourceState;
    // Owns one registration; destroying it unregisters.
    using Source = std::unique_ptr<SourceState, void (*)(SourceState*)>;
    static Source no_source() {
        return Source(nullptr, [](SourceState*) {});
    }

    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Calls `on_ready(revents)` whenever one of `events` (EPOLLIN, EPOLLOUT, …) holds; EPOLLHUP and
    // EPOLLERR are always reported. `fd` is not owned and must stay open as long as the source.
    Source watch_fd(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_ready);

    // Calls `on_time` once, `delay` from now by the monotonic clock (0 = in the next round), with a
    // delay of `slack` at most.
    Source call_after(std::chrono::nanoseconds delay, std::function<void()> on_time,
                      std::chrono::nanoseconds slack = std::chrono::milliseconds(1));

    // Calls `on_tick` every `period`, first one period from now.
    Source call_every(std::chrono::nanoseconds period, std::function<void()> on_tick);

    // Blocks `signal` for the calling thread and delivers it here.
    Source watch_signal(int signal, std::function<void()> on_signal);

    // Runs until quit(); returns its argument, or 1 if the loop itself failed.
    int run();
    // Runs one round, waiting at most `timeout` for something to happen. For tests.
    void run_once(std::chrono::nanoseconds timeout);
    void quit(int exit_code);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::base
