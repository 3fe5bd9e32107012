#include "active-response/nf_netlink.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace portcullis::active_response {
namespace {

constexpr timeval kReplyLimit{5, 0};
// A transaction is one write: with all bans of a full table it is some megabytes.
constexpr int kSendBytes = 64 << 20;

static_assert(sizeof(nfgenmsg) == 4, "for_each_attribute() skips it");

std::string message(std::uint16_t type, int flags, std::uint32_t sequence, std::uint8_t family,
                    std::uint16_t resource, const std::string& attributes) {
    nlmsghdr header{};
    header.nlmsg_len =
        static_cast<std::uint32_t>(sizeof header + sizeof(nfgenmsg) + attributes.size());
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = sequence;
    const nfgenmsg general{family, NFNETLINK_V0, htons(resource)};
    std::string text(reinterpret_cast<const char*>(&header), sizeof header);
    text.append(reinterpret_cast<const char*>(&general), sizeof general);
    return text + attributes;
}

}  // namespace

tl::unexpected<base::Diagnostic> failure(const char* code, std::string message) {
    return base::fail(code, std::move(message));
}

std::string explain(int error) {
    switch (error) {
        case EPERM:
            return "this needs root or CAP_NET_ADMIN";
        case ENFILE:
            return "the set is full";
        case EOPNOTSUPP:
        case EPROTONOSUPPORT:
            return "this kernel has no nftables (module nf_tables)";
        default:
            return base::error_text(error);
    }
}

Attributes& Attributes::bytes(std::uint16_t type, const void* data, std::size_t size) {
    nlattr attribute{};
    attribute.nla_len = static_cast<std::uint16_t>(sizeof attribute + size);
    attribute.nla_type = type;
    bytes_.append(reinterpret_cast<const char*>(&attribute), sizeof attribute);
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLA_ALIGN(bytes_.size()));
    return *this;
}

Attributes& Attributes::text(std::uint16_t type, std::string_view value) {
    const std::string terminated(value);
    return bytes(type, terminated.c_str(), terminated.size() + 1);
}

Attributes& Attributes::u32(std::uint16_t type, std::uint32_t value) {
    const std::uint32_t ordered = htonl(value);
    return bytes(type, &ordered, sizeof ordered);
}

Attributes& Attributes::u64(std::uint16_t type, std::uint64_t value) {
    const std::uint64_t ordered = htobe64(value);
    return bytes(type, &ordered, sizeof ordered);
}

Attributes& Attributes::nest(std::uint16_t type, const Attributes& inner) {
    return bytes(type | NLA_F_NESTED, inner.bytes_.data(), inner.bytes_.size());
}

std::string_view text_of(const nlattr& attribute) {
    const auto* text = static_cast<const char*>(mnl_attr_get_payload(&attribute));
    return {text, ::strnlen(text, mnl_attr_get_payload_len(&attribute))};
}

std::uint32_t u32_of(const nlattr& attribute) {
    return mnl_attr_validate(&attribute, MNL_TYPE_U32) < 0 ? 0
                                                           : ntohl(mnl_attr_get_u32(&attribute));
}

std::uint64_t u64_of(const nlattr& attribute) {
    return mnl_attr_validate(&attribute, MNL_TYPE_U64) < 0 ? 0
                                                           : be64toh(mnl_attr_get_u64(&attribute));
}

std::string nf_message(int type, int flags, std::uint32_t sequence, const Attributes& attributes) {
    return message(static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type), flags, sequence,
                   NFPROTO_INET, 0, attributes.encoded());
}

std::optional<int> nf_type_of(const nlmsghdr& header) {
    return (header.nlmsg_type >> 8) == NFNL_SUBSYS_NFTABLES
               ? std::optional(header.nlmsg_type & 0xff)
               : std::nullopt;
}

std::optional<int> end_of(const nlmsghdr& header) {
    if (header.nlmsg_type == NLMSG_DONE) {
        return 0;
    }
    if (header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr))) {
        return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&header))->error;
    }
    return std::nullopt;
}

NfSocket::NfSocket(mnl_socket* socket)
    : socket_(socket), sequence_(static_cast<std::uint32_t>(std::time(nullptr))) {}

base::Result<NfSocket> NfSocket::open(Waits waits) {
    auto* raw = mnl_socket_open2(NETLINK_NETFILTER,
                                 SOCK_CLOEXEC | (waits == Waits::No ? SOCK_NONBLOCK : 0));
    if (raw == nullptr) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    NfSocket socket(raw);
    if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) < 0) {
        return failure("no-netlink", "no netlink socket: " + explain(errno));
    }
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &kReplyLimit, sizeof kReplyLimit);
    // An answer repeats no more than the header of what it answers.
    const int on = 1;
    ::setsockopt(socket.fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    // Without the right to do so, large transactions are refused and done in parts.
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBytes, sizeof kSendBytes);
    return socket;
}

int NfSocket::fd() const { return mnl_socket_get_fd(socket_.get()); }
std::uint32_t NfSocket::port() const { return mnl_socket_get_portid(socket_.get()); }

int NfSocket::send(const std::string& messages) {
    return mnl_socket_sendto(socket_.get(), messages.data(), messages.size()) < 0 ? errno : 0;
}

int NfSocket::receive(const std::function<void(const nlmsghdr&)>& take) {
    alignas(nlmsghdr) std::array<char, 32768> received;
    ssize_t got = 0;
    do {
        got = mnl_socket_recvfrom(socket_.get(), received.data(), received.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN ? ETIMEDOUT : errno;
    }
    int left = static_cast<int>(got);
    for (const auto* each = reinterpret_cast<const nlmsghdr*>(received.data());
         mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
        take(*each);
    }
    return 0;
}

int NfSocket::ask(int type, int flags, const Attributes& attributes,
                  const std::function<void(const nlmsghdr&)>& take) {
    const auto sequence = next_sequence();
    if (const int error = send(nf_message(type, flags, sequence, attributes)); error != 0) {
        return error;
    }
    bool was_changed = false;
    std::optional<int> result;
    const auto take_answer = [&](const nlmsghdr& message) {
        if (result || message.nlmsg_seq != sequence) {
            return;
        }
        was_changed = was_changed || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (const auto end = end_of(message)) {
            result = *end == 0 && was_changed ? EINTR : *end;
            return;
        }
        take(message);
        if ((message.nlmsg_flags & NLM_F_MULTI) == 0 && (flags & NLM_F_ACK) == 0) {
            result = 0;
        }
    };
    while (!result) {
        if (const int error = receive(take_answer); error != 0) {
            return error;
        }
    }
    return *result;
}

Transaction::Transaction(NfSocket& socket, std::optional<std::uint32_t> generation)
    : socket_(socket), first_(socket.next_sequence()) {
    Attributes attributes;
    if (generation) {
        attributes.u32(NFNL_BATCH_GENID, *generation);
    }
    messages_ = message(NFNL_MSG_BATCH_BEGIN, 0, first_, AF_UNSPEC, NFNL_SUBSYS_NFTABLES,
                        attributes.encoded());
}

void Transaction::add(int type, int flags, const Attributes& attributes) {
    last_ = socket_.next_sequence();
    last_at_ = messages_.size();
    messages_ += nf_message(type, flags, last_, attributes);
}

int Transaction::commit() {
    if (is_empty()) {
        return 0;
    }
    nlmsghdr last{};
    std::memcpy(&last, &messages_[last_at_], sizeof last);
    last.nlmsg_flags |= NLM_F_ACK;
    std::memcpy(&messages_[last_at_], &last, sizeof last);
    messages_ += message(NFNL_MSG_BATCH_END, 0, socket_.next_sequence(), AF_UNSPEC,
                         NFNL_SUBSYS_NFTABLES, {});
    if (const int error = socket_.send(messages_); error != 0) {
        return error;
    }
    int first_error = 0;
    bool is_complete = false;
    const auto take_reply = [&](const nlmsghdr& message) {
        const auto error = message.nlmsg_type == NLMSG_DONE ? std::nullopt : end_of(message);
        if (!error || message.nlmsg_seq < first_ || message.nlmsg_seq > last_) {
            return;
        }
        if (first_error == 0) {
            first_error = *error;
        }
        // A transaction that is refused as a whole is answered at its begin.
        is_complete = is_complete || message.nlmsg_seq == last_ ||
                      (message.nlmsg_seq == first_ && *error != 0);
    };
    while (!is_complete) {
        if (const int error = socket_.receive(take_reply); error != 0) {
            return error;
        }
    }
    return first_error;
}

}  // namespace portcullis::active_response
