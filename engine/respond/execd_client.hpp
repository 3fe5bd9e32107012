// ExecdClient: the engine's end of execd's socket. Never waits: a request is sent at once, or
// queued until execd can be reached.
//
// While execd cannot be reached, up to kMaxQueued requests are kept in their order, and connecting
// is tried with growing pauses; further requests are lost and counted. Without a request nothing is
// tried. A request that execd had not read when it ended is lost: execd answers none, and its
// records show which ones it carried out. Single-threaded, on the loop's thread.
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
    // True = connected, perhaps already before.
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
    std::uint64_t lost_before_ = 0;  // at the beginning of the current failure
    bool is_in_trouble_ = false;
    bool said_overflow_ = false;
};

}  // namespace portcullis::respond
