#include "active-response/hold_log.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>

#include "active-response/nf_netlink.hpp"

namespace portcullis::active_response {
namespace {

constexpr timeval kLogReplyLimit{2, 0};
constexpr int kLogQueueBytes = 1 << 20;
constexpr std::uint32_t kSequence = 1;

tl::unexpected<base::Diagnostic> failure(const char* code, int error) {
    base::Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.message = "cannot listen to NFLOG: " + std::generic_category().message(error);
    return base::fail(std::move(diagnostic));
}

nlmsghdr* begin_config(void* memory, int group) {
    auto* header = mnl_nlmsg_put_header(memory);
    header->nlmsg_type = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header->nlmsg_seq = kSequence;
    auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    general->nfgen_family = AF_UNSPEC;
    general->version = NFNETLINK_V0;
    general->res_id = htons(static_cast<std::uint16_t>(group));
    return header;
}

// Sends the message and waits for the acknowledgement. 0 or an errno.
int configure(mnl_socket* socket, const nlmsghdr* message) {
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) {
        return errno;
    }
    alignas(nlmsghdr) std::array<char, 8192> buffer;
    for (;;) {
        const auto got = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno == EAGAIN ? ETIMEDOUT : errno;
        }
        int left = static_cast<int>(got);
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
            if (each->nlmsg_type == NLMSG_ERROR && each->nlmsg_seq == kSequence &&
                each->nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr))) {
                return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(each))->error;
            }
        }
    }
}

// The other host of a logged packet: its source, or its destination if we sent it.
std::optional<base::IpAddress> source_of(const nlmsghdr& message) {
    int hook = NF_INET_LOCAL_IN;
    const nlattr* packet = nullptr;
    for_each_attribute(message, [&](const nlattr& attribute) {
        const int type = type_of(attribute);
        if (type == NFULA_PACKET_HDR &&
            mnl_attr_get_payload_len(&attribute) >= sizeof(nfulnl_msg_packet_hdr)) {
            hook =
                static_cast<const nfulnl_msg_packet_hdr*>(mnl_attr_get_payload(&attribute))->hook;
        } else if (type == NFULA_PAYLOAD) {
            packet = &attribute;
        }
    });
    if (packet == nullptr || mnl_attr_get_payload_len(packet) < 1) {
        return std::nullopt;
    }
    const bool is_ours = hook == NF_INET_LOCAL_OUT;
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(packet));
    const std::size_t size = mnl_attr_get_payload_len(packet);
    if (bytes[0] >> 4 == 4 && size >= 20) {
        std::array<std::uint8_t, 4> address{};
        std::memcpy(address.data(), bytes + (is_ours ? 16 : 12), address.size());
        return base::IpAddress::v4(address);
    }
    if (bytes[0] >> 4 == 6 && size >= 40) {
        std::array<std::uint8_t, 16> address{};
        std::memcpy(address.data(), bytes + (is_ours ? 24 : 8), address.size());
        return base::IpAddress::v6(address);
    }
    return std::nullopt;
}

}  // namespace

void HoldLog::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

base::Result<HoldLog> HoldLog::open(int group) {
    auto* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (socket == nullptr) {
        return failure("no-netlink", errno);
    }
    HoldLog log(socket);
    const int fd = mnl_socket_get_fd(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        return failure("no-netlink", errno);
    }
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kLogReplyLimit, sizeof kLogReplyLimit);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kLogQueueBytes, sizeof kLogQueueBytes);
    alignas(nlmsghdr) std::array<char, 1024> buffer{};
    auto* message = begin_config(buffer.data(), group);
    const nfulnl_msg_config_cmd bind{NFULNL_CFG_CMD_BIND};
    mnl_attr_put(message, NFULA_CFG_CMD, sizeof bind, &bind);
    // EPERM is the answer while another socket has the group.
    if (const int error = configure(socket, message); error != 0) {
        return failure(error == EBUSY || error == EPERM ? "group-in-use" : "no-netlink", error);
    }
    buffer = {};
    message = begin_config(buffer.data(), group);
    nfulnl_msg_config_mode mode{};
    mode.copy_range = htonl(64);
    mode.copy_mode = NFULNL_COPY_PACKET;
    mnl_attr_put(message, NFULA_CFG_MODE, sizeof mode, &mode);
    mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(1));  // each packet at once
    if (const int error = configure(socket, message); error != 0) {
        return failure("no-netlink", error);
    }
    return log;
}

int HoldLog::fd() const { return mnl_socket_get_fd(socket_.get()); }

HoldLog::News HoldLog::read_news() const {
    News news;
    alignas(nlmsghdr) std::array<char, 8192> buffer;
    for (int packets = 0; packets < kMaxPerRead; ++packets) {
        const auto got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0 && errno == ENOBUFS) {
            news.were_lost = true;
            continue;
        }
        if (got <= 0) {
            break;
        }
        int left = static_cast<int>(got);
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
            if (each->nlmsg_type == ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET)) {
                if (const auto source = source_of(*each)) {
                    news.sources.push_back(*source);
                }
            }
        }
    }
    return news;
}

}  // namespace portcullis::active_response
