#include "active-response/server.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "active-response/changes.hpp"
#include "active-response/complain.hpp"
#include "base/ban_target.hpp"
#include "base/fd.hpp"
#include "base/realtime.hpp"

namespace portcullis::active_response {
namespace {

using std::chrono::steady_clock;

// A request of the hold has the whole list of spared addresses.
constexpr std::size_t kMaxLine = 8 << 20;
// What only looks or removes needs no table. Without a request to block, it is made after this
// time.
constexpr std::chrono::milliseconds kTableDelay{200};

constexpr int kLockAttempts = 50;
constexpr int kLockPauseMs = 20;

bool write(const std::string& text) { return base::write_all(STDOUT_FILENO, text); }

}  // namespace

Server::Server(BanSets& sets, HomeLock& lock)
    : sets_(sets),
      lock_(lock),
      table_due_(steady_clock::now() + kTableDelay),
      check_due_(steady_clock::now() + BanSets::kCheckInterval) {}

int Server::run() {
    if (!write("{\"supports\":[\"list\",\"soft\",\"hold\"]}\n")) {
        return 0;
    }
    has_lock();
    base::become_realtime();  // where it is not allowed, a busy processor delays blocks
    for (;;) {
        const auto watched = this->watched();
        std::vector<pollfd> ready;
        ready.reserve(watched.size());
        for (const auto& one : watched) {
            ready.push_back({one.fd, POLLIN, 0});
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(next_time() - steady_clock::now());
        const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
        if (::poll(ready.data(), ready.size(), timeout) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return complain("poll failed");
        }
        base::resume_realtime();
        for (std::size_t i = 0; i < watched.size(); ++i) {
            if (ready[i].revents == 0) {
                continue;
            }
            if (const auto exit_code = (this->*watched[i].on_readable)()) {
                return finish(*exit_code);
            }
        }
        if ((next_time() <= steady_clock::now() && !on_time()) || !report_restored()) {
            return finish(0);
        }
    }
}

int Server::finish(int exit_code) {
    hold_.end();
    return exit_code;
}

std::vector<Server::Watched> Server::watched() const {
    return {
        {STDIN_FILENO, &Server::take_requests},         {sets_.news_fd(), &Server::follow_table},
        {sets_.inventory_fd(), &Server::follow_table},  {lists_.fd(), &Server::go_on_with_list},
        {hold_.log_fd(), &Server::take_hold_log},       {hold_.work_fd(), &Server::take_hold_work},
        {hold_.watch_fd(), &Server::follow_hold_table},
    };
}

Server::TimePoint Server::next_time() const {
    auto next = check_due_;
    if (!is_table_made_ && !hold_.is_dry()) {
        next = std::min(next, table_due_);
    }
    if (const auto due = sets_.restore_due()) {
        next = std::min(next, *due);
    }
    if (const auto due = hold_.next_due()) {
        next = std::min(next, *due);
    }
    return next;
}

bool Server::on_time() {
    const auto now = steady_clock::now();
    if (now >= check_due_) {
        check_due_ = now + BanSets::kCheckInterval;
        if (has_lock() && is_table_made_) {
            sets_.check();
        }
        hold_.check();
    } else if (is_table_made_) {
        sets_.keep_up();
    }
    // The table of bans is not for a dry run, which only counts the sources that it would hold.
    if (!is_table_made_ && !hold_.is_dry() && now >= table_due_) {
        table_due_ = check_due_;  // again, if the firewall is another home's
        make_table();
    }
    return write(hold_.on_time());
}

bool Server::has_lock() {
    auto taken = lock_.take(HomeLock::For::Process);
    // A responder whose execd has just ended is given the time to end too.
    for (int i = 0; i < kLockAttempts && !taken && refusal_.empty(); ++i) {
        ::poll(nullptr, 0, kLockPauseMs);
        taken = lock_.take(HomeLock::For::Process);
    }
    if (taken) {
        refusal_.clear();
    } else if (refusal_ != taken.error().message) {
        refusal_ = taken.error().message;
        complain(refusal_);
    }
    return taken.has_value();
}

void Server::make_table() {
    if (!has_lock()) {
        return;
    }
    is_table_made_ = true;
    // Without CAP_NET_ADMIN every request fails with the reason. It still answers each of them.
    if (auto made = sets_.ensure_table(); !made) {
        complain(made.error().message);
    }
}

std::optional<int> Server::take_requests() {
    const ssize_t got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (got <= 0) {
        return 0;  // execd has ended; what is in the kernel ends by its timeouts
    }
    in_.append(buffer_.data(), static_cast<std::size_t>(got));
    std::vector<Request> requests;
    std::size_t start = 0;
    for (auto end = in_.find('\n'); end != std::string::npos; end = in_.find('\n', start)) {
        requests.push_back(read_request(std::string_view(in_).substr(start, end - start)));
        start = end + 1;
    }
    in_.erase(0, start);
    const std::string replies = dispatch(requests);
    if (in_.size() > kMaxLine) {
        return complain("a request without an end");
    }
    return write(replies) ? std::nullopt : std::optional(0);
}

std::string Server::dispatch(const std::vector<Request>& requests) {
    std::string replies;
    if (!has_lock()) {
        for (const auto& request : requests) {
            replies += reply_line(request.id, refusal_);
        }
        return replies;
    }
    const bool blocks = std::any_of(requests.begin(), requests.end(),
                                    [](const Request& each) { return each.action == "add"; });
    if (!is_table_made_ && blocks) {
        make_table();
    }
    replies = answer(sets_, requests);
    for (const auto& request : requests) {
        if (request.is_list) {
            lists_.add(request);
        } else if (request.is_hold) {
            replies += hold_.take_request(request.settings);
        } else if (request.is_release || request.action == "delete") {
            std::string problem = "not an IP address, nor a network";
            if (const auto target = base::parse_ban_target(request.address)) {
                const auto released = hold_.release(*target);
                problem = released ? "" : released.error().message;
            }
            if (request.is_release) {
                replies += reply_line(request.id, problem);
            }
        }
    }
    return replies + lists_.begin(sets_);
}

std::optional<int> Server::go_on_with_list() {
    return write(lists_.go_on(sets_)) ? std::nullopt : std::optional(0);
}

std::optional<int> Server::take_hold_work() {
    return write(hold_.take_work()) ? std::nullopt : std::optional(0);
}

std::optional<int> Server::take_hold_log() {
    return write(hold_.take_log()) ? std::nullopt : std::optional(0);
}

std::optional<int> Server::follow_hold_table() {
    hold_.follow_table();
    return std::nullopt;
}

std::optional<int> Server::follow_table() {
    sets_.keep_up();
    return std::nullopt;
}

bool Server::report_restored() {
    std::string lines;
    for (const auto& sentence : sets_.take_restored()) {
        lines += event_line("restored", sentence);
    }
    return lines.empty() || write(lines);
}

}  // namespace portcullis::active_response
