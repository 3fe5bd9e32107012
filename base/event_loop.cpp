#include "base/event_loop.hpp"

#include <systemd/sd-event.h>

#include <csignal>
#include <stdexcept>
#include <utility>

#include "base/realtime.hpp"

namespace portcullis::base {
namespace {

// Registration fails only for lack of memory or descriptors, or for a descriptor that epoll cannot
// watch. That is a broken precondition: a caller could not correct it.
void require(int result, const char* what) {
    if (result < 0) {
        throw std::runtime_error(std::string("event loop: cannot ") + what);
    }
}

std::uint64_t microseconds(std::chrono::nanoseconds span) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(span).count();
    return count > 0 ? static_cast<std::uint64_t>(count) : 0;
}

}  // namespace

struct EventLoop::Impl {
    sd_event* event = nullptr;
};

struct EventLoop::SourceState {
    sd_event_source* source = nullptr;
    std::function<void(std::uint32_t)> on_ready;
    std::function<void()> on_event;
    std::uint64_t period = 0;  // microseconds; 0 = once
};

namespace {

void destroy(EventLoop::SourceState* state) {
    if (state->source != nullptr) {
        sd_event_source_set_enabled(state->source, SD_EVENT_OFF);
        sd_event_source_unref(state->source);
    }
    delete state;
}

EventLoop::Source new_source() { return {new EventLoop::SourceState, destroy}; }

// The callback may destroy its own SourceState, so it runs from a copy.
int dispatch_io(sd_event_source*, int, std::uint32_t revents, void* data) {
    resume_realtime();
    const auto on_ready = static_cast<EventLoop::SourceState*>(data)->on_ready;
    on_ready(revents);
    return 0;
}

int dispatch_time(sd_event_source* source, std::uint64_t due, void* data) {
    const auto* state = static_cast<EventLoop::SourceState*>(data);
    if (state->period > 0) {
        std::uint64_t now = 0;
        sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now);
        sd_event_source_set_time(source, std::max(due + state->period, now));
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    const auto on_event = state->on_event;
    on_event();
    return 0;
}

int dispatch_signal(sd_event_source*, const signalfd_siginfo*, void* data) {
    const auto on_event = static_cast<EventLoop::SourceState*>(data)->on_event;
    on_event();
    return 0;
}

}  // namespace

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
    require(sd_event_new(&impl_->event), "start");
}

EventLoop::~EventLoop() { sd_event_unref(impl_->event); }

EventLoop::Source EventLoop::watch_fd(int fd, std::uint32_t events,
                                      std::function<void(std::uint32_t)> on_ready) {
    auto source = new_source();
    source->on_ready = std::move(on_ready);
    require(sd_event_add_io(impl_->event, &source->source, fd, events, dispatch_io, source.get()),
            "watch a descriptor");
    return source;
}

EventLoop::Source EventLoop::call_after(std::chrono::nanoseconds delay,
                                        std::function<void()> on_time,
                                        std::chrono::nanoseconds slack) {
    auto source = new_source();
    source->on_event = std::move(on_time);
    std::uint64_t now = 0;
    sd_event_now(impl_->event, CLOCK_MONOTONIC, &now);
    require(sd_event_add_time(
                impl_->event, &source->source, CLOCK_MONOTONIC, now + microseconds(delay),
                std::max<std::uint64_t>(microseconds(slack), 1), dispatch_time, source.get()),
            "set a timer");
    return source;
}

EventLoop::Source EventLoop::call_every(std::chrono::nanoseconds period,
                                        std::function<void()> on_tick) {
    auto source = call_after(period, std::move(on_tick));
    source->period = std::max<std::uint64_t>(microseconds(period), 1);
    return source;
}

EventLoop::Source EventLoop::watch_signal(int signal, std::function<void()> on_signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    auto source = new_source();
    source->on_event = std::move(on_signal);
    require(
        sd_event_add_signal(impl_->event, &source->source, signal, dispatch_signal, source.get()),
        "watch a signal");
    return source;
}

int EventLoop::run() {
    resume_realtime();
    const int result = sd_event_loop(impl_->event);
    return result < 0 ? 1 : result;
}

void EventLoop::run_once(std::chrono::nanoseconds timeout) {
    sd_event_run(impl_->event, microseconds(timeout));
}

void EventLoop::quit(int exit_code) { sd_event_exit(impl_->event, exit_code); }

}  // namespace portcullis::base
