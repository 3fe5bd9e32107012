#include "active-response/server.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "active-response/changes.hpp"
#include "active-response/complain.hpp"
#include "engine/base/ban_target.hpp"
#include "engine/base/fd.hpp"
#include "engine/base/realtime.hpp"

namespace portcullis::active_response {
namespace {

using std::chrono::steady_clock;

// A request of the hold has the whole list of spared addresses.
constexpr std::size_t kMaxLine = 8 << 20;
// What only looks or removes needs no table. Without a request to block, it is made after this
// time.
constexpr std::chrono::milliseconds kTableDelay{200};

bool write(const std::string& text) { return base::write_all(STDOUT_FILENO, text); }

}  // namespace

Server::Server(BanSets& sets) : sets_(sets), table_due_(steady_clock::now() + kTableDelay) {}

int Server::run() {
    if (!write("{\"supports\":[\"list\",\"hold\"]}\n")) {
        return 0;
    }
    if (!watch_) {
        complain(watch_.error().message);
    }
    base::become_realtime();  // where it is not allowed, a busy processor delays blocks
    for (;;) {
        const auto watched = this->watched();
        std::vector<pollfd> ready;
        for (const auto& one : watched) {
            ready.push_back({one.fd, POLLIN, 0});
        }
        if (::poll(ready.data(), ready.size(), time_left()) < 0) {
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
        if (time_left() == 0) {
            on_time();
        }
    }
}

int Server::finish(int exit_code) {
    hold_.end();
    return exit_code;
}

std::vector<Server::Watched> Server::watched() const {
    return {
        {STDIN_FILENO, &Server::take_requests},
        {watch_ ? watch_->fd() : -1, &Server::follow_table},
        {lists_.fd(), &Server::go_on_with_list},
        {hold_.log_fd(), &Server::take_hold_log},
        {hold_.work_fd(), &Server::take_hold_work},
        {hold_.watch_fd(), &Server::follow_hold_table},
    };
}

int Server::time_left() const {
    auto left = hold_.time_left();
    if (!is_table_made_ && !hold_.is_dry()) {
        const auto until_table =
            std::chrono::ceil<std::chrono::milliseconds>(table_due_ - steady_clock::now());
        left = std::max(std::min(left.value_or(until_table), until_table),
                        std::chrono::milliseconds(0));
    }
    return left ? static_cast<int>(left->count()) : -1;
}

void Server::on_time() {
    if (!is_table_made_ && !hold_.is_dry() && table_due_ <= steady_clock::now()) {
        make_table();
    }
    write(hold_.on_time());
}

void Server::make_table() {
    is_table_made_ = true;
    // Without CAP_NET_ADMIN or nft every request fails with the reason. It still answers each
    // of them.
    if (auto made = sets_.ensure_table(); !made) {
        complain(made.error().message);
    }
    if (watch_) {
        watch_->read_news();  // what we have just done ourselves
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
    const bool blocks = std::any_of(requests.begin(), requests.end(),
                                    [](const Request& each) { return each.action == "add"; });
    if (!is_table_made_ && blocks) {
        make_table();
    }
    std::string replies = answer(sets_, blocked_, requests);
    for (const auto& request : requests) {
        if (request.is_list) {
            lists_.add(request);
        } else if (request.is_hold) {
            replies += hold_.take_request(request.settings);
        } else if (request.action == "delete") {
            if (const auto target = base::parse_ban_target(request.address)) {
                hold_.release(*target);
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

// Rules are taken away also by who puts the table in order, as we do and as that of another
// home may have just done: only what is missing now counts.
std::optional<int> Server::follow_table() {
    const auto news = watch_->read_news();
    if (!is_table_made_ || (!news.was_removed && (!news.rule_was_removed || sets_.has_rules()))) {
        return std::nullopt;
    }
    complain(news.was_removed
                 ? "somebody removed the table inet portcullis: putting it back"
                 : "somebody removed a rule of the table inet portcullis: putting it back");
    if (auto made = sets_.ensure_table(); made) {
        blocked_.put_back(sets_);
    } else {
        complain(made.error().message);
    }
    watch_->read_news();  // what we have just done ourselves
    return std::nullopt;
}

}  // namespace portcullis::active_response
