// OutboundPeers: the peers of TCP connections that this host opened and that have been established
// for a minute (docs/never-block.md). A forged scan must not cut the host off its database.
//
// The kernel does not say how old a connection is. So all of them are looked at now and then, and
// each is remembered by its cookie with the time at which it was first seen. Connections that the
// first look finds count as old. What is remembered is bounded. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "engine/execd/socket_diag.hpp"

namespace portcullis::execd {

class OutboundPeers {
  public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds kMinAge{60};
    static constexpr std::chrono::seconds kLookInterval{20};
    static constexpr std::size_t kMaxConnections = 65'536;

    OutboundPeers();

    // Readable while a look is under way and follow() has something to do; -1 = the kernel does not
    // offer sock_diag, and no peer is ever found.
    int fd() const { return diag_ ? diag_->fd() : -1; }
    // Begins a look, unless one is under way or the last one was less than kLookInterval ago (more,
    // where a look takes long).
    void begin_look(Time now);
    // Goes on with the look that is under way, for some 100 µs.
    void follow();
    bool is_looking() const { return phase_ != Phase::Idle; }
    // Whether the last look has changed what for_each() reports, since this was asked last.
    bool take_changed() { return std::exchange(has_changed_, false); }
    // Begins a look and ends it before this returns.
    void look(Time now);

    // "local port 40312, remote port 5432, open for at least 83 s": a connection of this kind with
    // a peer in `asked`, which is still established; nullopt = there is none.
    std::optional<std::string> find_connection(const base::Cidr& asked, Time now);
    // Calls `on_peer` once for each peer with a remembered connection that is old enough, with the
    // same text, as the last look saw it.
    void for_each(Time now,
                  const std::function<void(const base::IpAddress&, std::string)>& on_peer) const;

  private:
    enum class Phase { Idle, Listening, Established };
    struct Connection {
        base::IpAddress peer;
        std::uint16_t local_port = 0;
        std::uint16_t peer_port = 0;
        Opener opener = Opener::Unknown;
        bool is_ours = false;
        Time first_seen;
        std::uint64_t look = 0;  // the last look that saw it
    };

    void enter(Phase phase);
    void take(const TcpSocket& socket);
    void end_look();
    void judge(std::uint64_t cookie, Connection& connection, Opener opener);
    static std::string text_of(const Connection& connection, Time now);
    bool is_alive(std::uint64_t cookie, const Connection& connection) const;

    std::optional<SocketDiag> diag_;
    Phase phase_ = Phase::Idle;
    Time look_began_;
    std::chrono::steady_clock::duration work_{};  // of the look under way
    Time next_look_;
    std::uint64_t look_ = 0;  // counts them
    bool is_first_ = true;
    bool has_changed_ = false;
    std::uint64_t peers_seen_ = 0;          // by their hashes: of those that are old enough
    std::vector<std::uint16_t> listening_;  // local ports, sorted
    std::pair<std::uint16_t, std::uint16_t> own_ports_;
    std::unordered_map<std::uint64_t, Connection> connections_;  // by cookie
    std::unordered_multimap<base::IpAddress, std::uint64_t, base::IpAddressHash> by_peer_;
};

}  // namespace portcullis::execd
