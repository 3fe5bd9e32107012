#include "base/event_loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <csignal>

using namespace portcullis::base;
using namespace std::chrono_literals;

TEST_CASE("event_loop: a readable descriptor, a timer and a signal reach their callbacks") {
    EventLoop loop;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    std::string order;
    auto reader = loop.watch_fd(ends[0], EPOLLIN, [&](std::uint32_t) {
        char c = 0;
        CHECK(read(ends[0], &c, 1) == 1);
        order += 'r';
        kill(getpid(), SIGUSR1);
    });
    auto signal = loop.watch_signal(SIGUSR1, [&] { order += 's'; });
    auto timer = loop.call_after(200ms, [&] {
        order += 't';
        loop.quit(7);
    });
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(loop.run() == 7);
    CHECK(order == "rst");
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("event_loop: a callback may remove its own source, and a periodic one repeats") {
    EventLoop loop;
    int ticks = 0;
    auto source = EventLoop::no_source();
    source = loop.call_every(1ms, [&] {
        if (++ticks == 3) {
            source.reset();
            loop.quit(0);
        }
    });
    CHECK(loop.run() == 0);
    CHECK(ticks == 3);
}
