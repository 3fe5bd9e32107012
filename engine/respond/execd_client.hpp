// ExecdClient: the engine's end of execd's socket. Never waits: a request goes out at once, or is
// queued until execd is there.
//
// While execd is away up to kMaxQueued requests are kept, in order, and a connection is tried with
// growing pauses; beyond that requests are lost and counted. With nothing to send nothing is tried.
// A request that execd had not read when it died is lost: execd answers none, its records tell.
// Single-threaded, on the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/response_message.hpp"

namespace portcullis::respond {

class ExecdClient {
  public:
    static constexpr std::size_t kMaxQueued = 10'000;
    static constexpr std::chrono::milliseconds kFirstPause{50};
    static constexpr std::chrono::milliseconds kLongestPause{5000};

    // `loop` and `log` must outlive the client.
    ExecdClient(base::EventLoop& loop, base::Log& log, std::string socket_path);

    void send(const base::RespondRequest& request);

    std::size_t queued() const { return queue_.size(); }
    std::uint64_t sent() const { return sent_; }
    std::uint64_t lost() const { return lost_; }

  private:
    // True: connected, or it was already.
    bool connect();
    void disconnect(int error);
    void send_queued();
    void on_ready(std::uint32_t events);
    void watch(std::uint32_t events);
    void try_later();

    base::EventLoop& loop_;
    base::Log& log_;
    std::string socket_path_;
    base::UniqueFd socket_;
    base::EventLoop::Source on_socket_;
    base::EventLoop::Source retry_timer_;
    std::uint32_t watched_events_ = 0;
    std::chrono::milliseconds pause_ = kFirstPause;
    std::deque<std::string> queue_;
    std::uint64_t sent_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t lost_before_ = 0;  // when the present trouble began
    bool is_in_trouble_ = false;
    bool said_overflow_ = false;
};

}  // namespace portcullis::respond
