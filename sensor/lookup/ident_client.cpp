#include "sensor/lookup/ident_client.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/ascii.hpp"

namespace portcullis::sensor_lookup {
namespace {

// Longest user name in the log. RFC 1413 section 6 allows 512 octets.
constexpr std::size_t kLongestUser = 64;
constexpr std::size_t kLongestAnswer = 1000;

bool is_harmless(char c) {
    return base::is_alphanumeric(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '$';
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes the text up to the next `mark` and trims it; nullopt = there is no mark.
std::optional<std::string_view> take_field(std::string_view& text, char mark) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view field = trimmed(text.substr(0, at));
    text.remove_prefix(at + 1);
    return field;
}

bool is_number(std::string_view text, std::uint16_t wanted) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number == wanted;
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    SocketAddress(const base::IpAddress& address, std::uint16_t port) {
        if (address.is_v4()) {
            auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
            v4->sin_family = AF_INET;
            v4->sin_port = htons(port);
            std::memcpy(&v4->sin_addr, address.data(), 4);
            size = sizeof *v4;
        } else {
            auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons(port);
            std::memcpy(&v6->sin6_addr, address.data(), 16);
            size = sizeof *v6;
        }
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Starts a connection from `ours` to `theirs`; empty = it failed at once.
base::UniqueFd start_connection(const base::IpAddress& ours, const base::IpAddress& theirs,
                                std::uint16_t port) {
    if (ours.is_v4() != theirs.is_v4()) {
        return {};
    }
    const SocketAddress from(ours, 0);
    const SocketAddress to(theirs, port);
    base::UniqueFd fd(
        ::socket(from.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (!fd || ::bind(fd.get(), from.get(), from.size) != 0) {
        return {};
    }
    if (::connect(fd.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
        return {};
    }
    return fd;
}

}  // namespace

std::optional<std::string> parse_ident_answer(std::string_view answer, std::uint16_t their_port,
                                              std::uint16_t our_port) {
    // "6193, 23 : USERID : UNIX : stjohns"; RFC 1413 section 4.
    answer = answer.substr(0, answer.find_first_of("\r\n"));
    const auto theirs = take_field(answer, ',');
    const auto ours = take_field(answer, ':');
    const auto kind = take_field(answer, ':');
    const auto system = take_field(answer, ':');
    if (!theirs || !ours || !kind || !system || !is_number(*theirs, their_port) ||
        !is_number(*ours, our_port) || *kind != "USERID") {
        return std::nullopt;
    }
    const std::string_view user = trimmed(answer);
    if (user.empty() || user.size() > kLongestUser ||
        !std::all_of(user.begin(), user.end(), is_harmless)) {
        return std::nullopt;
    }
    return std::string(user);
}

IdentClient::IdentClient(base::EventLoop& loop, OnResult on_result, std::uint16_t port)
    : loop_(loop), on_result_(std::move(on_result)), port_(port) {}

bool IdentClient::ask(const sensor_detect::Observation& attempt) {
    if (!listening_.contains(attempt.destination_port, std::chrono::steady_clock::now())) {
        return false;
    }
    const bool is_asked = std::any_of(queries_.begin(), queries_.end(), [&](const Query& query) {
        return query.attempt.source == attempt.source;
    });
    if (is_asked || queries_.size() >= kMostAtOnce) {
        ++counters_.not_asked;
        return false;
    }
    base::UniqueFd fd = start_connection(attempt.destination, attempt.source, port_);
    if (!fd) {
        return false;
    }
    ++counters_.asked;
    const auto query = queries_.emplace(queries_.end());
    query->attempt = attempt;
    query->fd = std::move(fd);
    query->watch = loop_.watch_fd(query->fd.get(), EPOLLOUT,
                                  [this, query](std::uint32_t) { send_question(query); });
    query->deadline = loop_.call_after(kPatience, [this, query] { finish(query, {}); });
    return true;
}

void IdentClient::send_question(QueryIterator query) {
    // Theirs first: the port on the host that is asked (RFC 1413 section 3).
    const std::string question =
        fmt::format("{} , {}\r\n", query->attempt.source_port, query->attempt.destination_port);
    // A new connection accepts so short a text at once, or it has failed.
    if (::send(query->fd.get(), question.data(), question.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(question.size())) {
        finish(query, {});
        return;
    }
    query->watch = base::EventLoop::no_source();  // one at a time may watch a descriptor
    query->watch = loop_.watch_fd(query->fd.get(), EPOLLIN,
                                  [this, query](std::uint32_t) { read_answer(query); });
}

void IdentClient::read_answer(QueryIterator query) {
    std::array<char, 512> bytes{};
    const ssize_t size = ::recv(query->fd.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    query->answer.append(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const bool is_whole = query->answer.find('\n') != std::string::npos;
    if (size > 0 && !is_whole && query->answer.size() < kLongestAnswer) {
        return;
    }
    const auto user = parse_ident_answer(query->answer, query->attempt.source_port,
                                         query->attempt.destination_port);
    counters_.answered += user ? 1 : 0;
    finish(query, user ? std::string_view(*user) : std::string_view());
}

void IdentClient::finish(QueryIterator query, std::string_view user) {
    const sensor_detect::Observation attempt = query->attempt;
    queries_.erase(query);
    on_result_(attempt, user);
}

void IdentClient::give_up() {
    while (!queries_.empty()) {
        finish(queries_.begin(), {});
    }
}

}  // namespace portcullis::sensor_lookup
