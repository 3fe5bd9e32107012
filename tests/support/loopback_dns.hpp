// A name server on loopback, on the test's own event loop: hands each query to the test.
#pragma once

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "tests/support/dns_message.hpp"

namespace portcullis::test {

class LoopbackDns {
  public:
    struct Query {
        Bytes bytes;
        sockaddr_in peer{};
    };

    LoopbackDns(base::EventLoop& loop, std::function<void(Query)> on_query)
        : on_query_(std::move(on_query)), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        socklen_t size = sizeof address;
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        watch_ = loop.watch_fd(fd_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
    }

    std::uint16_t port() const { return port_; }
    void answer(const Query& query, const Bytes& bytes) const {
        ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                 reinterpret_cast<const sockaddr*>(&query.peer), sizeof query.peer);
    }

  private:
    void receive() {
        Query query;
        query.bytes.resize(1500);
        socklen_t length = sizeof query.peer;
        const ssize_t got =
            ::recvfrom(fd_.get(), query.bytes.data(), query.bytes.size(), MSG_DONTWAIT,
                       reinterpret_cast<sockaddr*>(&query.peer), &length);
        if (got > 0) {
            query.bytes.resize(static_cast<std::size_t>(got));
            on_query_(std::move(query));
        }
    }

    std::function<void(Query)> on_query_;
    base::UniqueFd fd_;
    std::uint16_t port_ = 0;
    base::EventLoop::Source watch_ = base::EventLoop::no_source();
};

}  // namespace portcullis::test
