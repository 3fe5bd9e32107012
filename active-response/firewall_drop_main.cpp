// firewall-drop: blocks and unblocks source addresses with nftables, and IPv6 networks of
// 48, 56 or 64 bits.
//
//   firewall-drop persistent                     JSON lines on stdin, replies on stdout
//   firewall-drop add|delete USER IP [...]       OSSEC's arguments; PORTCULLIS_TIMEOUT = seconds
//
// docs/responders.md describes both.
#include <linux/capability.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "active-response/ban_sets.hpp"
#include "engine/base/ban_target.hpp"
#include "engine/base/capabilities.hpp"
#include "engine/base/realtime.hpp"

namespace {

namespace base = portcullis::base;
using nlohmann::json;
using portcullis::active_response::BanSets;
using portcullis::active_response::Held;
using portcullis::active_response::HeldWalk;
using portcullis::active_response::TableWatch;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 65536;
// A line of an answer to "list" stays below what execd reads as one line, and below a page.
constexpr std::size_t kHeldPerLine = 40;
// What only looks or removes needs no table. Without a request to block, it is made after this
// time.
constexpr std::chrono::milliseconds kTableDelay{200};
constexpr seconds kMaxTimeout{10LL * 366 * 24 * 3600};

int complain(std::string_view what) {
    std::fprintf(stderr, "firewall-drop: %.*s\n", static_cast<int>(what.size()), what.data());
    return 1;
}

bool may_be_blocked(const base::Cidr& target) {
    return base::special_use_of(target.address).empty();
}

// What is in the sets by our doing, to put it back if somebody removes the table.
class Blocked {
  public:
    static constexpr auto kForever = steady_clock::time_point::max();

    void add(const base::Cidr& target, seconds timeout) {
        until_[key_of(target)] = timeout == seconds(0) ? kForever : steady_clock::now() + timeout;
        if (until_.size() > 2 * last_size_ + 1024) {
            drop_expired();
        }
    }
    void remove(const base::Cidr& target) { until_.erase(key_of(target)); }

    void put_back(BanSets& sets) {
        drop_expired();
        std::vector<BanSets::Change> changes;
        for (const auto& [key, until] : until_) {
            const auto left = std::chrono::floor<seconds>(until - steady_clock::now());
            if (until == kForever || left >= seconds(1)) {
                changes.push_back({target_of(key), until == kForever ? seconds(0) : left});
            }
        }
        if (sets.apply(changes)) {
            return;
        }
        for (const auto& [key, until] : until_) {
            const auto left = std::chrono::floor<seconds>(until - steady_clock::now());
            if (until != kForever && left < seconds(1)) {
                continue;
            }
            const base::Cidr target = target_of(key);
            if (auto added = sets.add(target, until == kForever ? seconds(0) : left); !added) {
                complain(base::ban_target_text(target) +
                         " is not blocked any more: " + added.error().message);
            }
        }
    }

  private:
    using Key = std::pair<base::IpAddress, int>;
    static Key key_of(const base::Cidr& target) { return {target.address, target.prefix_length}; }
    static base::Cidr target_of(const Key& key) { return {key.first, key.second}; }

    void drop_expired() {
        const auto now = steady_clock::now();
        for (auto it = until_.begin(); it != until_.end();) {
            it = it->second <= now ? until_.erase(it) : std::next(it);
        }
        last_size_ = until_.size();
    }
    std::map<Key, steady_clock::time_point> until_;
    std::size_t last_size_ = 0;
};

// Carries out one request. The result is the text of an error, nullopt = done.
std::optional<std::string> carry_out(BanSets& sets, Blocked& blocked, std::string_view action,
                                     std::string_view address_text, seconds timeout) {
    const auto target = base::parse_ban_target(address_text);
    if (!target) {
        return "not an IP address";
    }
    if (action == "delete") {
        blocked.remove(*target);
        auto removed = sets.remove(*target);
        return removed ? std::nullopt : std::optional(removed.error().message);
    }
    if (action != "add") {
        return "the action is neither add nor delete";
    }
    if (!may_be_blocked(*target)) {
        return "an address of this kind is never blocked";
    }
    if (timeout < seconds(0) || timeout > kMaxTimeout) {
        return "the timeout is out of range";
    }
    auto added = sets.add(*target, timeout);
    if (!added) {
        return added.error().message;
    }
    blocked.add(*target, timeout);
    if (sets.take_table_was_lost()) {
        blocked.put_back(sets);
    }
    return std::nullopt;
}

struct Request {
    json id = 0;
    bool is_list = false;
    std::string action;
    std::string address;
    seconds timeout{0};
    std::string error;  // of its form; empty = it can be carried out
};

// `timeout` of a request that was made at `asked_at` (milliseconds of the monotonic clock): a
// request that waited must not block for longer.
seconds what_is_left(seconds timeout, std::uint64_t asked_at) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        steady_clock::now().time_since_epoch());
    const auto waited =
        now - std::chrono::milliseconds(static_cast<std::int64_t>(
                  std::min<std::uint64_t>(asked_at, static_cast<std::uint64_t>(now.count()))));
    if (timeout == seconds(0) || waited < seconds(1)) {
        return timeout;
    }
    return std::max(timeout - std::chrono::ceil<seconds>(waited), seconds(1));
}

Request read_request(std::string_view line) {
    Request request;
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("id") || !object["id"].is_number_unsigned()) {
        request.error = "no request";
        return request;
    }
    request.id = object["id"];
    const auto text = [&](const char* name) {
        const auto it = object.find(name);
        return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    request.action = text("action");
    request.address = text("address");
    if (request.action == "list") {
        request.is_list = true;
        return request;
    }
    const auto timeout = object.find("timeout");
    const bool has_timeout =
        timeout != object.end() && timeout->is_number_unsigned() &&
        timeout->get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTimeout.count());
    if (has_timeout) {
        request.timeout = seconds(timeout->get<std::int64_t>());
        const auto asked_at = object.find("asked_at");
        if (asked_at != object.end() && asked_at->is_number_unsigned()) {
            request.timeout = what_is_left(request.timeout, asked_at->get<std::uint64_t>());
        }
    } else {
        request.error = "the timeout is out of range";
    }
    return request;
}

// What of it can be done together with others; nullopt = it is wrong, and told so by carry_out().
std::optional<BanSets::Change> change_of(const Request& request) {
    const auto target = base::parse_ban_target(request.address);
    if (!request.error.empty() || !target ||
        (request.action != "add" && request.action != "delete")) {
        return std::nullopt;
    }
    if (request.action == "delete") {
        return BanSets::Change{*target, std::nullopt};
    }
    return may_be_blocked(*target) ? std::optional(BanSets::Change{*target, request.timeout})
                                   : std::nullopt;
}

std::string reply_line(const json& id, const std::string& error) {
    json reply = {{"id", id}, {"ok", error.empty()}};
    if (!error.empty()) {
        reply["error"] = error;
    }
    return reply.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// The replies to `requests`, in their order.
std::string answer(BanSets& sets, Blocked& blocked, const std::vector<Request>& requests) {
    std::vector<BanSets::Change> changes;
    for (const auto& request : requests) {
        if (const auto change = change_of(request)) {
            changes.push_back(*change);
        }
    }
    const bool is_done = changes.size() > 1 && sets.apply(changes);
    std::string replies;
    for (const auto& request : requests) {
        if (request.is_list) {
            continue;  // Lists answers it, after the changes that came with it
        }
        std::string error = request.error;
        const auto change = is_done ? change_of(request) : std::nullopt;
        if (change && change->timeout) {
            blocked.add(change->target, *change->timeout);
        } else if (change) {
            blocked.remove(change->target);
        } else if (error.empty()) {
            error = carry_out(sets, blocked, request.action, request.address, request.timeout)
                        .value_or("");
        }
        replies += reply_line(request.id, error);
    }
    return replies;
}

std::string held_lines(const json& id, const std::vector<Held>& held) {
    std::string lines;
    for (std::size_t begin = 0; begin < held.size(); begin += kHeldPerLine) {
        json list = json::array();
        for (auto i = begin; i < std::min(begin + kHeldPerLine, held.size()); ++i) {
            json one = {{"address", base::ban_target_text(held[i].target)}};
            if (held[i].left) {
                one["left"] = held[i].left->count();
            }
            list.push_back(std::move(one));
        }
        lines += json{{"id", id}, {"held", std::move(list)}}.dump() + "\n";
    }
    return lines;
}

// The requests "list" that are not answered yet. One is carried out at a time, in slices between
// which other requests are served.
class Lists {
  public:
    void add(const Request& request) { waiting_.push_back(request); }
    // -1 = there is nothing to wait for.
    int fd() const { return walk_ ? walk_->fd() : -1; }

    // Begins what waits. The result is to be written.
    std::string begin(BanSets& sets) {
        std::string lines;
        while (!walk_ && !waiting_.empty()) {
            const Request& request = waiting_.front();
            if (request.address != "-") {
                lines += answer_one(sets, request);
                waiting_.pop_front();
                continue;
            }
            auto walk = HeldWalk::start();
            if (walk) {
                walk_ = std::move(*walk);
            } else {
                lines += reply_line(request.id, walk.error().message);
                waiting_.pop_front();
            }
        }
        return lines;
    }
    // Reads one slice, and begins the next request after the last one. The result is to be written.
    std::string go_on(BanSets& sets) {
        std::vector<Held> held;
        const auto is_unfinished = walk_->read_slice(held);
        const json id = waiting_.front().id;
        std::string lines = held_lines(id, held);
        if (!is_unfinished || !*is_unfinished) {
            lines += reply_line(id, is_unfinished ? "" : is_unfinished.error().message);
            waiting_.pop_front();
            walk_.reset();
            lines += begin(sets);
        }
        return lines;
    }

  private:
    static std::string answer_one(BanSets& sets, const Request& request) {
        const auto target = base::parse_ban_target(request.address);
        if (!target) {
            return reply_line(request.id, "not an IP address");
        }
        const auto found = sets.find(*target);
        if (!found) {
            return reply_line(request.id, found.error().message);
        }
        return (*found ? held_lines(request.id, {**found}) : "") + reply_line(request.id, "");
    }

    std::deque<Request> waiting_;
    std::optional<HeldWalk> walk_;  // for the first that waits
};

// The persistent responder.
class Server {
  public:
    explicit Server(BanSets& sets) : sets_(sets), table_due_(steady_clock::now() + kTableDelay) {}

    int run() {
        if (!base::write_all(STDOUT_FILENO, "{\"supports\":[\"list\"]}\n")) {
            return 0;
        }
        if (!watch_) {
            complain(watch_.error().message);
        }
        base::become_realtime();  // where it is not allowed, a busy processor delays blocks
        for (;;) {
            std::array<pollfd, 3> ready = {pollfd{STDIN_FILENO, POLLIN, 0},
                                           pollfd{watch_ ? watch_->fd() : -1, POLLIN, 0},
                                           pollfd{lists_.fd(), POLLIN, 0}};
            if (::poll(ready.data(), ready.size(), time_until_table()) < 0) {
                if (errno == EINTR) {
                    continue;
                }
                return complain("poll failed");
            }
            base::resume_realtime();
            if (ready[0].revents != 0) {
                if (const auto exit_code = take_requests()) {
                    return *exit_code;
                }
            }
            if (!is_table_made_ && time_until_table() == 0) {
                make_table();
            }
            if (ready[1].revents != 0) {
                follow_table();
            }
            if (ready[2].revents != 0 && !write(lists_.go_on(sets_))) {
                return 0;
            }
        }
    }

  private:
    // In milliseconds; -1 = it is made.
    int time_until_table() const {
        if (is_table_made_) {
            return -1;
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(table_due_ - steady_clock::now());
        return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    void make_table() {
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
    static bool write(const std::string& text) { return base::write_all(STDOUT_FILENO, text); }

    // The exit code, if there is nothing more to do.
    std::optional<int> take_requests() {
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
        const bool blocks = std::any_of(requests.begin(), requests.end(),
                                        [](const Request& each) { return each.action == "add"; });
        if (!is_table_made_ && blocks) {
            make_table();
        }
        std::string replies = answer(sets_, blocked_, requests);
        for (const auto& request : requests) {
            if (request.is_list) {
                lists_.add(request);
            }
        }
        replies += lists_.begin(sets_);
        if (in_.size() > kMaxLine) {
            return complain("a request without an end");
        }
        return write(replies) ? std::nullopt : std::optional(0);
    }

    // Rules are taken away also by who puts the table in order, as we do and as that of another
    // home may have just done: only what is missing now counts.
    void follow_table() {
        const auto news = watch_->read_news();
        if (!is_table_made_ ||
            (!news.was_removed && (!news.rule_was_removed || sets_.has_rules()))) {
            return;
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
    }

    BanSets& sets_;
    base::Result<TableWatch> watch_ = TableWatch::open();
    Blocked blocked_;
    Lists lists_;
    steady_clock::time_point table_due_;
    bool is_table_made_ = false;
    std::string in_;
    std::array<char, 65536> buffer_{};
};

seconds timeout_of_environment() {
    const char* text = std::getenv("PORTCULLIS_TIMEOUT");  // NOLINT(concurrency-mt-unsafe)
    long long value = 0;
    if (text != nullptr) {
        const std::string_view view(text);
        const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
        if (error != std::errc{} || end != view.data() + view.size()) {
            return seconds(-1);
        }
    }
    return seconds(value);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    const bool is_persistent = first == "persistent" && argc == 2;
    if (!is_persistent && argc < 4) {
        return complain(
            "usage: firewall-drop add|delete USER IP [...], or firewall-drop persistent");
    }
    // SYS_NICE: for the realtime priority, which it takes again after a pause.
    if (const auto kept = portcullis::base::keep_capabilities({CAP_NET_ADMIN, CAP_SYS_NICE});
        !kept) {
        return complain(kept.error().message);
    }
    auto sets = BanSets::open();
    if (!sets) {
        return complain(sets.error().message);
    }
    if (is_persistent) {
        return Server(*sets).run();
    }
    Blocked blocked;
    const auto error = carry_out(*sets, blocked, first, argv[3], timeout_of_environment());
    return error ? complain(std::string(argv[3]) + ": " + *error) : 0;
}
