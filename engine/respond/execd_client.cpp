#include "engine/respond/execd_client.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace portcullis::respond {

ExecdClient::ExecdClient(base::EventLoop& loop, base::Log& log, std::string socket_path)
    : loop_(loop),
      log_(log),
      socket_path_(std::move(socket_path)),
      on_socket_(base::EventLoop::no_source()),
      retry_timer_(base::EventLoop::no_source()) {}

void ExecdClient::send(const base::RespondRequest& request) {
    if (queue_.size() >= kMaxQueued) {
        ++lost_;
        if (!std::exchange(said_overflow_, true)) {
            log_.error(std::to_string(kMaxQueued) +
                       " responses wait for execd: further ones are lost until it can be reached");
        }
        return;
    }
    queue_.push_back(base::encode(base::ResponseMessage(request)));
    // During a pause the timer sends; otherwise it is sent now.
    if (!retry_timer_) {
        send_queued();
    }
}

bool ExecdClient::connect() {
    if (socket_) {
        return true;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path_.size() >= sizeof address.sun_path) {
        disconnect(ENAMETOOLONG);
        return false;
    }
    std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
    base::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Connecting to a UNIX socket either succeeds at once or fails (EAGAIN: its backlog is full).
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        disconnect(errno);
        return false;
    }
    socket_ = std::move(socket);
    watch(EPOLLIN);
    return true;
}

void ExecdClient::send_queued() {
    bool has_reconnected = false;
    while (!queue_.empty() && connect()) {
        const std::string& message = queue_.front();
        const ssize_t sent = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            watch(EPOLLIN | EPOLLOUT);
            return;
        }
        if (sent < 0 && errno == EMSGSIZE) {
            ++lost_;  // cannot happen, as encode() obeys kMaxMessageSize; but do not repeat it for
                      // ever
            queue_.pop_front();
            continue;
        }
        if (sent < 0) {
            // execd may have been restarted since the last response: try once more at once.
            const int error = errno;
            disconnect(has_reconnected ? error : 0);
            if (std::exchange(has_reconnected, true)) {
                return;
            }
            continue;
        }
        queue_.pop_front();
        ++sent_;
        pause_ = kFirstPause;
        if (std::exchange(is_in_trouble_, false)) {
            log_.info("execd accepts responses again, " +
                      (lost_ == lost_before_
                           ? std::string("none was lost")
                           : std::to_string(lost_ - lost_before_) + " were lost"));
            said_overflow_ = false;
        }
    }
    if (queue_.empty() && socket_) {
        watch(EPOLLIN);
    }
}

void ExecdClient::disconnect(int error) {
    on_socket_.reset();
    watched_events_ = 0;
    socket_.reset();
    if (error == 0 || queue_.empty()) {
        return;  // the next response connects anew
    }
    if (!std::exchange(is_in_trouble_, true)) {
        lost_before_ = lost_;
        log_.error(socket_path_ + ": execd cannot be reached: " + base::error_text(error) +
                   "; responses wait for it");
    }
    try_later();
}

void ExecdClient::try_later() {
    retry_timer_ = loop_.call_after(pause_, [this] {
        retry_timer_.reset();
        send_queued();
    });
    pause_ = std::min(pause_ * 2, kLongestPause);
}

void ExecdClient::watch(std::uint32_t events) {
    if (watched_events_ != events) {
        watched_events_ = events;
        on_socket_.reset();  // a descriptor can be watched once only
        on_socket_ =
            loop_.watch_fd(socket_.get(), events, [this](std::uint32_t ready) { on_ready(ready); });
    }
}

void ExecdClient::on_ready(std::uint32_t events) {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        // execd sends nothing; only the end of the connection matters.
        std::array<char, 1024> ignored;
        const ssize_t got = ::recv(socket_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            disconnect(0);
        }
    }
    send_queued();
}

}  // namespace portcullis::respond
