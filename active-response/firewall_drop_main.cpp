// firewall-drop: blocks and unblocks source addresses with nftables, and IPv6 networks of
// 48, 56 or 64 bits.
//
//   firewall-drop persistent                     JSON lines on stdin, replies on stdout
//   firewall-drop add|delete USER IP [...]       OSSEC's arguments; PORTCULLIS_TIMEOUT = seconds
//
// docs/responders.md describes both.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "active-response/ban_sets.hpp"
#include "engine/base/ban_target.hpp"
#include "engine/base/realtime.hpp"

namespace {

namespace base = portcullis::base;
using nlohmann::json;
using portcullis::active_response::BanSets;
using portcullis::active_response::TableWatch;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 65536;
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
    std::string action;
    std::string address;
    seconds timeout{0};
    std::string error;  // of its form; empty = it can be carried out
};

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
    const auto timeout = object.find("timeout");
    const bool has_timeout =
        timeout != object.end() && timeout->is_number_unsigned() &&
        timeout->get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTimeout.count());
    if (has_timeout) {
        request.timeout = seconds(timeout->get<std::int64_t>());
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
        json reply = {{"id", request.id}, {"ok", error.empty()}};
        if (!error.empty()) {
            reply["error"] = error;
        }
        replies += reply.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    }
    return replies;
}

int serve(BanSets& sets) {
    // Without CAP_NET_ADMIN or nft every request fails with the reason: go on all the same.
    if (auto made = sets.ensure_table(); !made) {
        complain(made.error().message);
    }
    auto watch = TableWatch::open();
    if (!watch) {
        complain(watch.error().message);
    }
    base::become_realtime();  // where it is not allowed, a busy processor delays blocks
    Blocked blocked;
    std::string in;
    std::array<char, 65536> buffer;
    for (;;) {
        std::array<pollfd, 2> ready = {pollfd{STDIN_FILENO, POLLIN, 0},
                                       pollfd{watch ? watch->fd() : -1, POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return complain("poll failed");
        }
        base::resume_realtime();
        if (ready[0].revents != 0) {
            const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (got <= 0) {
                return 0;  // execd has ended; what is in the kernel ends by its timeouts
            }
            in.append(buffer.data(), static_cast<std::size_t>(got));
            std::vector<Request> requests;
            std::size_t start = 0;
            for (auto end = in.find('\n'); end != std::string::npos; end = in.find('\n', start)) {
                requests.push_back(read_request(std::string_view(in).substr(start, end - start)));
                start = end + 1;
            }
            const std::string replies = answer(sets, blocked, requests);
            in.erase(0, start);
            if (in.size() > kMaxLine) {
                return complain("a request without an end");
            }
            if (!base::write_all(STDOUT_FILENO, replies)) {
                return 0;
            }
        }
        if (ready[1].revents == 0) {
            continue;
        }
        // Rules are taken away also by who puts the table in order, as we do and as that of another
        // home may have just done: only what is missing now counts.
        const auto news = watch->read_news();
        if (!news.was_removed && (!news.rule_was_removed || sets.has_rules())) {
            continue;
        }
        complain(news.was_removed
                     ? "somebody removed the table inet portcullis: putting it back"
                     : "somebody removed a rule of the table inet portcullis: putting it back");
        if (auto made = sets.ensure_table(); made) {
            blocked.put_back(sets);
        } else {
            complain(made.error().message);
        }
        watch->read_news();  // what we have just done ourselves
    }
}

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
    auto sets = BanSets::open();
    if (!sets) {
        return complain(sets.error().message);
    }
    if (is_persistent) {
        return serve(*sets);
    }
    Blocked blocked;
    const auto error = carry_out(*sets, blocked, first, argv[3], timeout_of_environment());
    return error ? complain(std::string(argv[3]) + ": " + *error) : 0;
}
