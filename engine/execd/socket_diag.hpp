// SocketDiag: lists the kernel's TCP sockets of this network namespace by sock_diag(7).
//
// A dump is requested once and read in slices, so that a host with many connections does not delay
// the event loop. Single-threaded.
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

// The side that opened an established connection.
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

// The counters of a connection that show which side opened it (linux/tcp.h, RFC 4898).
struct TcpCounters {
    std::uint64_t bytes_acked = 0;
    std::uint64_t bytes_sent = 0;  // of data, including retransmissions
    std::uint64_t bytes_retransmitted = 0;
    std::uint32_t not_sent = 0;     // queued, not sent yet
    std::uint32_t write_queue = 0;  // queued or sent, not acknowledged yet
};
// Returns which side opened the connection. The kernel counts our SYN, but not our SYN+ACK, as a
// byte that the peer acknowledged. So the bytes that are acknowledged or under way exceed the data
// sent by one if we opened the connection, and by none if the peer did. Unknown: the counters were
// read while they changed, or a local queue dropped a segment.
Opener opener_of(const TcpCounters& counters);

// Conditions on sockets, checked by the kernel. An empty filter passes all sockets.
class SocketFilter {
  public:
    static SocketFilter for_peers(const base::Cidr& peers);
    // Passes the sockets whose local port is not one of the first 64 of `ports`. 65535 always
    // passes.
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

    // nullopt = the kernel has no sock_diag.
    static std::optional<SocketDiag> open();

    // Readable when there is a slice for read_some().
    int fd() const;
    // Requests the sockets of both families in this state. Returns false if that has failed. Only
    // one request at a time.
    bool ask(State state, const SocketFilter& filter = {});
    // Reads one slice of the answer, some hundred sockets, and calls `on_socket` for each. Waits up
    // to a second for the slice.
    Progress read_some(const OnSocket& on_socket);
    // Requests and reads all. Returns false if the answer is incomplete.
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
