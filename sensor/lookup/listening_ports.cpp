#include "sensor/lookup/listening_ports.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <initializer_list>

#include "base/fd.hpp"

namespace portcullis::sensor_lookup {
namespace {

constexpr std::chrono::seconds kMaxAge{1};

struct Request {
    nlmsghdr header;
    inet_diag_req_v2 body;
};

bool ask(int fd, int family) {
    Request request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.sdiag_family = static_cast<std::uint8_t>(family);
    request.body.sdiag_protocol = IPPROTO_TCP;
    request.body.idiag_states = 1U << TCP_LISTEN;
    return ::send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request);
}

}  // namespace

bool ListeningPorts::contains(std::uint16_t port, Time now) {
    if (refreshed_ == Time() || now >= refreshed_ + kMaxAge) {
        refreshed_ = now;
        refresh();
    }
    return ports_.test(port);
}

void ListeningPorts::refresh() {
    ports_.reset();
    const base::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    for (const int family : {AF_INET, AF_INET6}) {
        if (!fd || !ask(fd.get(), family)) {
            return;
        }
        alignas(nlmsghdr) std::array<char, 16384> buffer{};
        for (bool is_done = false; !is_done;) {
            // The kernel answers a dump from within recv(), so this does not wait.
            const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size <= 0) {
                return;
            }
            auto left = static_cast<unsigned int>(size);
            for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
                 NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
                if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) {  // NLMSG_DONE, NLMSG_ERROR
                    is_done = true;
                    break;
                }
                const auto* socket = static_cast<const inet_diag_msg*>(NLMSG_DATA(message));
                ports_.set(ntohs(socket->id.idiag_sport));
            }
        }
    }
}

}  // namespace portcullis::sensor_lookup
