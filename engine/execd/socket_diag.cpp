#include "engine/execd/socket_diag.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/netlink_attributes.hpp"

namespace portcullis::execd {
namespace {

using base::IpAddress;

constexpr timeval kReplyLimit{1, 0};
constexpr std::size_t kMaxFilteredPorts = 64;
// From include/net/tcp_states.h. <netinet/tcp.h> has the names, but conflicts with <linux/tcp.h>.
constexpr unsigned kEstablished = 1;
constexpr unsigned kListening = 10;

IpAddress address_of(int family, const void* bytes) {
    if (family == AF_INET) {
        std::array<std::uint8_t, 4> v4{};
        std::memcpy(v4.data(), bytes, v4.size());
        return IpAddress::v4(v4);
    }
    std::array<std::uint8_t, 16> v6{};
    std::memcpy(v6.data(), bytes, v6.size());
    return IpAddress::v6(v6);
}

Opener opener_in(const inet_diag_msg& message, const nlattr* attribute) {
    tcp_info info{};
    const std::size_t size = mnl_attr_get_payload_len(attribute);
    // Linux before 4.19 does not have these members.
    if (size < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans) {
        return Opener::Unknown;
    }
    std::memcpy(&info, mnl_attr_get_payload(attribute), std::min(size, sizeof info));
    return opener_of({info.tcpi_bytes_acked, info.tcpi_bytes_sent, info.tcpi_bytes_retrans,
                      info.tcpi_notsent_bytes, message.idiag_wqueue});
}

std::optional<TcpSocket> socket_in(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(inet_diag_msg)) {
        return std::nullopt;
    }
    const auto& diag = *static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(message));
    TcpSocket socket;
    socket.local = address_of(diag.idiag_family, diag.id.idiag_src);
    socket.peer = address_of(diag.idiag_family, diag.id.idiag_dst);
    socket.local_port = ntohs(diag.id.idiag_sport);
    socket.peer_port = ntohs(diag.id.idiag_dport);
    socket.inode = diag.idiag_inode;
    socket.cookie = (std::uint64_t{diag.id.idiag_cookie[1]} << 32U) | diag.id.idiag_cookie[0];
    base::for_each_attribute_of(message, sizeof(inet_diag_msg), [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == INET_DIAG_INFO && diag.idiag_state == kEstablished) {
            socket.opener = opener_in(diag, attribute);
        }
    });
    return socket;
}

void append(std::vector<char>& code, const void* bytes, std::size_t size) {
    const auto* begin = static_cast<const char*>(bytes);
    code.insert(code.end(), begin, begin + size);
}

}  // namespace

Opener opener_of(const TcpCounters& counters) {
    const auto under_way = std::uint64_t{counters.write_queue} - counters.not_sent;
    const auto data = counters.bytes_sent - counters.bytes_retransmitted;
    const auto surplus = counters.bytes_acked + under_way - data;  // wraps on purpose
    if (surplus > 1) {
        return Opener::Unknown;
    }
    return surplus == 1 ? Opener::Us : Opener::Them;
}

// A condition jumps by `yes` or `no` bytes. A jump to the end of the code accepts the socket, a
// jump four bytes further rejects it.
SocketFilter SocketFilter::for_peers(const base::Cidr& peers) {
    SocketFilter filter;
    const auto size = static_cast<std::uint8_t>(sizeof(inet_diag_bc_op) +
                                                sizeof(inet_diag_hostcond) + peers.address.size());
    inet_diag_bc_op op{};
    op.code = INET_DIAG_BC_D_COND;
    op.yes = size;
    op.no = static_cast<std::uint16_t>(size + 4);
    inet_diag_hostcond condition{};
    condition.family = peers.address.is_v4() ? AF_INET : AF_INET6;
    condition.prefix_len = static_cast<std::uint8_t>(peers.prefix_length);
    condition.port = -1;
    append(filter.code_, &op, sizeof op);
    append(filter.code_, &condition, sizeof condition);
    append(filter.code_, peers.address.data(), peers.address.size());
    return filter;
}

SocketFilter SocketFilter::without_local_ports(const std::vector<std::uint16_t>& ports) {
    // For each port P: if the local port is at least P, it must be at least P + 1. A condition on a
    // port is two words, and the port is in the second one.
    SocketFilter filter;
    constexpr std::uint16_t kCondition = 2 * sizeof(inet_diag_bc_op);
    const std::size_t count = std::min(ports.size(), kMaxFilteredPorts);
    std::size_t left = count * 2 * kCondition;
    for (std::size_t i = 0; i < count; ++i) {
        const auto condition = [&](unsigned port, std::size_t if_not) {
            inet_diag_bc_op op{INET_DIAG_BC_S_GE, kCondition, static_cast<std::uint16_t>(if_not)};
            append(filter.code_, &op, sizeof op);
            inet_diag_bc_op operand{INET_DIAG_BC_NOP, 0, static_cast<std::uint16_t>(port)};
            append(filter.code_, &operand, sizeof operand);
            left -= kCondition;
        };
        condition(ports[i], 2UL * kCondition);
        condition(ports[i] + 1U, left + 4);
    }
    return filter;
}

void SocketDiag::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

std::optional<SocketDiag> SocketDiag::open() {
    Socket socket(mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC));
    if (socket == nullptr) {
        return std::nullopt;
    }
    ::setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &kReplyLimit,
                 sizeof kReplyLimit);
    return SocketDiag(std::move(socket));
}

int SocketDiag::fd() const { return mnl_socket_get_fd(socket_.get()); }

// SOCK_DIAG_BY_FAMILY shows the sockets of one family. The older TCPDIAG_GETSOCK shows both in one
// pass over the kernel's table, whose time is the cost of a request: the table has a bucket for
// every 128 KB of memory, however few sockets there are.
bool SocketDiag::ask(State state, const SocketFilter& filter) {
    alignas(nlmsghdr) std::array<char, 2048> request{};
    auto* header = mnl_nlmsg_put_header(request.data());
    header->nlmsg_type = TCPDIAG_GETSOCK;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++sequence_;
    auto* wanted =
        static_cast<inet_diag_req*>(mnl_nlmsg_put_extra_header(header, sizeof(inet_diag_req)));
    wanted->idiag_states = 1U << (state == State::Established ? kEstablished : kListening);
    if (state == State::Established) {
        wanted->idiag_ext = 1U << (INET_DIAG_INFO - 1);
    }
    if (!filter.code_.empty()) {
        mnl_attr_put(header, INET_DIAG_REQ_BYTECODE, filter.code_.size(), filter.code_.data());
    }
    return mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) >= 0;
}

SocketDiag::Progress SocketDiag::read_some(const OnSocket& on_socket) {
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    const auto got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got <= 0) {
        return Progress::Failed;
    }
    int left = static_cast<int>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_seq != sequence_) {
            continue;  // of an earlier request
        }
        if (message->nlmsg_type == NLMSG_DONE) {
            return Progress::Done;
        }
        const auto socket = message->nlmsg_type == NLMSG_ERROR ? std::nullopt : socket_in(message);
        if (!socket) {
            return Progress::Failed;
        }
        on_socket(*socket);
    }
    return Progress::More;
}

bool SocketDiag::ask_and_read(State state, const SocketFilter& filter, const OnSocket& on_socket) {
    if (!ask(state, filter)) {
        return false;
    }
    Progress progress = Progress::More;
    while (progress == Progress::More) {
        progress = read_some(on_socket);
    }
    return progress == Progress::Done;
}

}  // namespace portcullis::execd
