#include "active-response/table_watch.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace portcullis::active_response {
namespace {

constexpr int kQueueBytes = 16 << 20;
// Most changes that are remembered one by one. If there are more, everything is compared.
constexpr std::size_t kMaxElements = 5000;
constexpr int kMaxReads = 20'000;

// The name of the table is attribute 1 in all kinds of messages.
bool is_of_our_table(const nlmsghdr& header) {
    bool is_ours = false;
    for_each_attribute(header, [&](const nlattr& attribute) {
        is_ours =
            is_ours || (type_of(attribute) == NFTA_TABLE_NAME && text_of(attribute) == kTable);
    });
    return is_ours;
}

// Has the kernel drop datagrams that begin with a message of our own port, before it queues them.
bool ignore_port(int fd, std::uint32_t port) {
    // Words are loaded in network order, and this one is in the order of the host.
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    }};
    const sock_fprog filter{program.size(), program.data()};
    return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace

base::Result<TableWatch> TableWatch::open(std::uint32_t own_port) {
    auto socket = NfSocket::open(NfSocket::Waits::No);
    if (!socket) {
        return base::fail(socket.error());
    }
    ::setsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBytes, sizeof kQueueBytes);
    int group = NFNLGRP_NFTABLES;
    if (!ignore_port(socket->fd(), own_port) ||
        mnl_socket_setsockopt(socket->get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        return failure("no-netlink", "cannot follow nftables: " + explain(errno));
    }
    return TableWatch(std::move(*socket));
}

void TableWatch::take(const nlmsghdr& header, News& news) {
    const auto type = nf_type_of(header);
    if (!type) {
        return;
    }
    if (*type == NFT_MSG_NEWGEN) {
        std::string name;
        std::uint32_t process = 0;
        for_each_attribute(header, [&](const nlattr& attribute) {
            switch (type_of(attribute)) {
                case NFTA_GEN_ID:
                    news.generation = u32_of(attribute);
                    break;
                case NFTA_GEN_PROC_PID:
                    process = u32_of(attribute);
                    break;
                case NFTA_GEN_PROC_NAME:
                    name = text_of(attribute);
                    break;
                default:
                    break;
            }
        });
        if (std::exchange(was_touched_, false) && !name.empty()) {
            news.actor = fmt::format("{} (process {})", name, process);
        }
        return;
    }
    if (!is_of_our_table(header)) {
        return;
    }
    was_touched_ = true;
    switch (*type) {
        case NFT_MSG_NEWSETELEM:
            take_elements(header, news.added);
            break;
        case NFT_MSG_DELSETELEM:
            take_elements(header, news.removed);
            break;
        case NFT_MSG_DELTABLE:
        case NFT_MSG_DELSET:
            news.set_was_removed = true;
            news.form_was_touched = true;
            break;
        default:
            news.form_was_touched = true;
            break;
    }
}

TableWatch::News TableWatch::read_news() {
    News news;
    alignas(nlmsghdr) std::array<char, 65536> received;
    for (int reads = 0; reads < kMaxReads; ++reads) {
        const auto got = mnl_socket_recvfrom(socket_.get(), received.data(), received.size());
        if (got < 0) {
            if (errno == ENOBUFS) {
                news.were_lost = true;
                continue;
            }
            if (errno == EINTR) {
                continue;
            }
            break;
        }
        int left = static_cast<int>(got);
        for (const auto* header = reinterpret_cast<const nlmsghdr*>(received.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            take(*header, news);
        }
        if (news.added.size() + news.removed.size() > kMaxElements) {
            news.were_lost = true;
            news.added.clear();
            news.removed.clear();
        }
    }
    return news;
}

}  // namespace portcullis::active_response
