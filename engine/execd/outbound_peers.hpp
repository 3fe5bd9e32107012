// OutboundPeers: the peers of TCP connections that this host opened, and that have been established
// for a minute (docs/never-block.md). They are spared, so that a forged scan cannot cut the host
// off from its database.
//
// The kernel does not report the age of a connection. So execd lists all connections from time to
// time (a look), and remembers each by its cookie, with the time at which it was first seen.
// Connections of the first look count as old. At most kMaxConnections are remembered.
// Single-threaded.
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

    // Readable while a look is under way and follow() has work. -1 = the kernel has no sock_diag,
    // so that no peer is found.
    int fd() const { return diag_ ? diag_->fd() : -1; }
    // Begins a look, unless one is under way, or the last one was less than kLookInterval ago. If a
    // look takes long, the interval is longer.
    void begin_look(Time now);
    // Continues the look that is under way, for about 100 µs.
    void follow();
    bool is_looking() const { return phase_ != Phase::Idle; }
    // Returns whether the result of for_each() has changed since the last call, and forgets that.
    bool take_changed() { return std::exchange(has_changed_, false); }
    // Carries out a whole look.
    void look(Time now);

    // Returns a connection of this kind with a peer in `asked` that is still established, as "local
    // port 40312, remote port 5432, open for at least 83 s"; nullopt = there is none.
    std::optional<std::string> find_connection(const base::Cidr& asked, Time now);
    // Calls `on_peer` once for each peer with a connection that was old enough in the last look,
    // with the same text.
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
    std::uint64_t look_ = 0;  // number of the look
    bool is_first_ = true;
    bool has_changed_ = false;
    std::uint64_t peers_seen_ = 0;          // hash over the peers that are old enough
    std::vector<std::uint16_t> listening_;  // local ports, sorted
    std::pair<std::uint16_t, std::uint16_t> own_ports_;
    std::unordered_map<std::uint64_t, Connection> connections_;  // by cookie
    std::unordered_multimap<base::IpAddress, std::uint64_t, base::IpAddressHash> by_peer_;
};

}  // namespace portcullis::execd
