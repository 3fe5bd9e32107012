#include "engine/execd/outbound_peers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/fd.hpp"

namespace portcullis::execd {
namespace {

// Looks may use one kTimeShare-th of the time, so with many connections they are more rare.
constexpr int kTimeShare = 500;

// The range of local ports that the kernel uses for connections that we open.
std::pair<std::uint16_t, std::uint16_t> local_port_range() {
    std::pair<std::uint16_t, std::uint16_t> range{32768, 60999};
    if (const auto text = base::read_file("/proc/sys/net/ipv4/ip_local_port_range")) {
        std::istringstream in(*text);
        in >> range.first >> range.second;
    }
    return range;
}

}  // namespace

OutboundPeers::OutboundPeers() : diag_(SocketDiag::open()) {}

void OutboundPeers::begin_look(Time now) {
    if (!diag_ || is_looking() || now < next_look_) {
        return;
    }
    look_began_ = now;
    work_ = {};
    ++look_;
    listening_.clear();
    own_ports_ = local_port_range();
    enter(Phase::Listening);
}

void OutboundPeers::enter(Phase phase) {
    using State = SocketDiag::State;
    phase_ = phase;
    bool is_asked = true;
    switch (phase) {
        case Phase::Idle:
            return;
        case Phase::Listening:
            is_asked = diag_->ask(State::Listening);
            break;
        case Phase::Established:
            std::sort(listening_.begin(), listening_.end());
            listening_.erase(std::unique(listening_.begin(), listening_.end()), listening_.end());
            is_asked =
                diag_->ask(State::Established, SocketFilter::without_local_ports(listening_));
            break;
    }
    if (!is_asked) {
        phase_ = Phase::Idle;  // earlier connections stay remembered
    }
}

void OutboundPeers::follow() {
    if (!diag_ || !is_looking()) {
        return;
    }
    const auto begin = std::chrono::steady_clock::now();
    const auto progress = diag_->read_some([this](const TcpSocket& socket) { take(socket); });
    work_ += std::chrono::steady_clock::now() - begin;
    if (progress == SocketDiag::Progress::More) {
        return;
    }
    if (progress == SocketDiag::Progress::Failed) {
        phase_ = Phase::Idle;
        return;
    }
    if (phase_ == Phase::Listening) {
        return enter(Phase::Established);
    }
    end_look();
}

void OutboundPeers::look(Time now) {
    next_look_ = now;
    begin_look(now);
    while (is_looking()) {
        follow();
    }
}

// The byte counters decide. While they show nothing, the local port decides.
void OutboundPeers::judge(std::uint64_t cookie, Connection& connection, Opener opener) {
    connection.opener = opener;
    const bool is_ours = opener == Opener::Us ||
                         (opener == Opener::Unknown && connection.local_port >= own_ports_.first &&
                          connection.local_port <= own_ports_.second);
    if (is_ours && !connection.is_ours) {
        by_peer_.emplace(connection.peer, cookie);
    }
    connection.is_ours = is_ours;  // end_look() removes others from `by_peer_`
}

void OutboundPeers::take(const TcpSocket& socket) {
    if (phase_ == Phase::Listening) {
        listening_.push_back(socket.local_port);
        return;
    }
    if (std::binary_search(listening_.begin(), listening_.end(), socket.local_port) ||
        !base::special_use_of(socket.peer).empty()) {
        return;
    }
    const auto known = connections_.find(socket.cookie);
    if (known != connections_.end()) {
        known->second.look = look_;
        if (known->second.opener == Opener::Unknown) {
            judge(socket.cookie, known->second, socket.opener);
        }
        return;
    }
    if (connections_.size() >= kMaxConnections) {
        return;
    }
    Connection& connection = connections_[socket.cookie];
    connection.peer = socket.peer;
    connection.local_port = socket.local_port;
    connection.peer_port = socket.peer_port;
    connection.first_seen = is_first_ ? Time::min() : look_began_;
    connection.look = look_;
    judge(socket.cookie, connection, socket.opener);
}

void OutboundPeers::end_look() {
    phase_ = Phase::Idle;
    is_first_ = false;
    for (auto it = connections_.begin(); it != connections_.end();) {
        it = it->second.look == look_ ? std::next(it) : connections_.erase(it);
    }
    for (auto it = by_peer_.begin(); it != by_peer_.end();) {
        const auto connection = connections_.find(it->second);
        const bool is_ours = connection != connections_.end() && connection->second.is_ours;
        it = is_ours ? std::next(it) : by_peer_.erase(it);
    }
    std::uint64_t peers = 0;
    for_each(look_began_, [&](const base::IpAddress& peer, const std::string&) {
        peers += base::IpAddressHash()(peer);
    });
    has_changed_ = has_changed_ || peers != peers_seen_;
    peers_seen_ = peers;
    next_look_ = look_began_ + std::max<Time::duration>(kLookInterval, kTimeShare * work_);
}

std::string OutboundPeers::text_of(const Connection& connection, Time now) {
    const std::string age =
        connection.first_seen == Time::min()
            ? "since before execd started"
            : fmt::format("for at least {} s", std::chrono::duration_cast<std::chrono::seconds>(
                                                   now - connection.first_seen)
                                                   .count());
    return fmt::format("local port {}, remote port {}, open {}", connection.local_port,
                       connection.peer_port, age);
}

// Asks the kernel, since a connection that ended after the last look protects no address.
bool OutboundPeers::is_alive(std::uint64_t cookie, const Connection& connection) const {
    auto diag = SocketDiag::open();  // a look may use the other socket
    bool is_found = false;
    if (diag) {
        diag->ask_and_read(
            SocketDiag::State::Established, SocketFilter::for_peers(connection.peer),
            [&](const TcpSocket& socket) { is_found = is_found || socket.cookie == cookie; });
    }
    return is_found;
}

std::optional<std::string> OutboundPeers::find_connection(const base::Cidr& asked, Time now) {
    // Most connections of a peer that are checked. If all of them have ended since the last look,
    // the host does not depend on this peer.
    constexpr int kMaxTried = 16;
    int tried = 0;
    const auto text_if_found = [&](std::uint64_t cookie) -> std::optional<std::string> {
        const auto it = connections_.find(cookie);
        if (it == connections_.end() || tried >= kMaxTried ||
            (it->second.first_seen != Time::min() && now - it->second.first_seen < kMinAge)) {
            return std::nullopt;
        }
        ++tried;
        return is_alive(cookie, it->second) ? std::optional(text_of(it->second, now))
                                            : std::nullopt;
    };
    if (asked.is_one_address()) {
        const auto [begin, end] = by_peer_.equal_range(asked.address);
        for (auto it = begin; it != end; ++it) {
            if (auto text = text_if_found(it->second)) {
                return text;
            }
        }
        return std::nullopt;
    }
    for (const auto& [peer, cookie] : by_peer_) {
        if (asked.contains(peer)) {
            if (auto text = text_if_found(cookie)) {
                return fmt::format("{}, {}", peer.to_string(), *text);
            }
        }
    }
    return std::nullopt;
}

void OutboundPeers::for_each(
    Time now, const std::function<void(const base::IpAddress&, std::string)>& on_peer) const {
    const base::IpAddress* last = nullptr;  // equal keys follow each other
    for (const auto& [peer, cookie] : by_peer_) {
        const Connection& connection = connections_.at(cookie);
        const bool is_old =
            connection.first_seen == Time::min() || now - connection.first_seen >= kMinAge;
        if (is_old && (last == nullptr || *last != peer)) {
            on_peer(peer, text_of(connection, now));
            last = &peer;
        }
    }
}

}  // namespace portcullis::execd
