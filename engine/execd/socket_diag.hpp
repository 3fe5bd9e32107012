// SocketDiag: the kernel's TCP sockets of this network namespace, asked by sock_diag(7).
//
// A dump is asked for once and read in slices, so that a host with very many connections does not
// hold up the event loop. Single-threaded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"

struct mnl_socket;

namespace portcullis::execd {

// Who opened an established connection.
enum class Opener { Us, Them, Unknown };

struct TcpSocket {
    base::IpAddress local;
    base::IpAddress peer;
    std::uint16_t local_port = 0;
    std::uint16_t peer_port = 0;
    std::uint64_t inode = 0;
    std::uint64_t cookie = 0;  // never given to another socket of the namespace
    Opener opener = Opener::Unknown;
};

// The counters of a connection that say who opened it (linux/tcp.h, RFC 4898).
struct TcpCounters {
    std::uint64_t bytes_acked = 0;
    std::uint64_t bytes_sent = 0;  // of data, with what was sent again
    std::uint64_t bytes_retransmitted = 0;
    std::uint32_t not_sent = 0;     // queued, not sent yet
    std::uint32_t write_queue = 0;  // queued or sent, not acknowledged yet
};
// The kernel counts our SYN as a byte that the peer acknowledged, and a SYN+ACK not. What is
// acknowledged or under way therefore exceeds the data sent by one if we opened the connection, and
// by nothing if the peer did. Unknown: the counters were read while they changed, or a local queue
// dropped a segment.
Opener opener_of(const TcpCounters& counters);

// Conditions on sockets, run by the kernel. An empty filter lets all pass.
class SocketFilter {
  public:
    static SocketFilter for_peers(const base::Cidr& peers);
    // Lets those pass whose local port is none of `ports` (of the first 64; 65535 always passes).
    static SocketFilter without_local_ports(const std::vector<std::uint16_t>& ports);

  private:
    friend class SocketDiag;
    std::vector<char> code_;
};

class SocketDiag {
  public:
    enum class State { Established, Listening };
    enum class Progress { More, Done, Failed };
    using OnSocket = std::function<void(const TcpSocket&)>;

    // nullopt = the kernel does not offer it.
    static std::optional<SocketDiag> open();

    // Readable when read_some() has something to read.
    int fd() const;
    // Asks for the sockets of both families in this state; false = it could not be asked. One
    // question at a time.
    bool ask(State state, const SocketFilter& filter = {});
    // Reads one slice of the answer (some hundred sockets) and calls `on_socket` for each. Waits up
    // to a second if nothing is there to read.
    Progress read_some(const OnSocket& on_socket);
    // Asks and reads all; false = the answer is incomplete.
    bool ask_and_read(State state, const SocketFilter& filter, const OnSocket& on_socket);

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    using Socket = std::unique_ptr<mnl_socket, CloseSocket>;
    explicit SocketDiag(Socket socket) : socket_(std::move(socket)) {}

    Socket socket_;
    std::uint32_t sequence_ = 0;
};

}  // namespace portcullis::execd
