#include "base/dns_channel.hpp"

#include <ares.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace portcullis::base {
namespace {

constexpr int kQuestionClass = 1;  // IN
constexpr int kQuestionType = 12;  // PTR

Diagnostic no_resolver(int status) {
    return make_error("no-resolver", std::string("cannot look up names: ") + ares_strerror(status));
}

DnsStatus status_of(int status) {
    if (status == ARES_SUCCESS) {
        return DnsStatus::Answer;
    }
    return status == ARES_ENODATA || status == ARES_ENOTFOUND ? DnsStatus::Nothing
                                                              : DnsStatus::Failed;
}

int family_of(bool is_v4) { return is_v4 ? AF_INET : AF_INET6; }

int set_servers(ares_channel channel, const std::vector<DnsServer>& servers) {
    std::vector<ares_addr_port_node> nodes(servers.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const DnsServer& server = servers[i];
        nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
        nodes[i].family = family_of(server.address.is_v4());
        std::memcpy(&nodes[i].addr, server.address.data(), server.address.size());
        nodes[i].udp_port = server.port;
        nodes[i].tcp_port = server.port;
    }
    return ares_set_servers_ports(channel, nodes.data());
}

std::vector<IpAddress> addresses_in(const hostent* host) {
    std::vector<IpAddress> addresses;
    if (host == nullptr) {
        return addresses;
    }
    for (char** each = host->h_addr_list; *each != nullptr; ++each) {
        if (host->h_addrtype == AF_INET) {
            std::array<std::uint8_t, 4> bytes{};
            std::memcpy(bytes.data(), *each, bytes.size());
            addresses.push_back(IpAddress::v4(bytes));
        } else {
            std::array<std::uint8_t, 16> bytes{};
            std::memcpy(bytes.data(), *each, bytes.size());
            addresses.push_back(IpAddress::v6(bytes));
        }
    }
    return addresses;
}

}  // namespace

struct DnsChannel::Handle {
    ares_channel channel = nullptr;

    Handle() = default;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        if (channel != nullptr) {
            ares_destroy(channel);  // calls back for each question on the way
        }
    }
};

std::string ptr_question(const IpAddress& address) {
    std::string question;
    for (std::size_t byte = address.size(); byte-- > 0;) {
        const unsigned value = address.data()[byte];
        question += address.is_v4() ? fmt::format("{}.", value)
                                    : fmt::format("{:x}.{:x}.", value & 0xf, value >> 4);
    }
    return question + (address.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

Result<std::unique_ptr<DnsChannel>> DnsChannel::open(EventLoop& loop, const DnsSettings& settings) {
    if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS) {
        return fail(no_resolver(status));
    }
    std::unique_ptr<DnsChannel> made(new DnsChannel(loop));
    ares_options options{};
    std::string only_dns = "b";
    options.lookups = only_dns.data();
    // The name that is asked for is complete: no search list, no aliases of the environment.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = settings.tries;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int reads, int writes) {
        static_cast<DnsChannel*>(self)->on_socket(fd, reads != 0, writes != 0);
    };
    options.sock_state_cb_data = made.get();
    int status = ares_init_options(&made->handle_->channel, &options,
                                   ARES_OPT_LOOKUPS | ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
                                       ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status == ARES_SUCCESS && !settings.servers.empty()) {
        status = set_servers(made->handle_->channel, settings.servers);
    }
    if (status != ARES_SUCCESS) {
        return fail(no_resolver(status));
    }
    ares_set_socket_callback(
        made->handle_->channel,
        [](ares_socket_t fd, int, void* self) {
            static_cast<DnsChannel*>(self)->note_local_port(fd);
            return 0;
        },
        made.get());
    return made;
}

DnsChannel::DnsChannel(EventLoop& loop)
    : loop_(loop), timer_(EventLoop::no_source()), handle_(std::make_unique<Handle>()) {}

DnsChannel::~DnsChannel() {
    is_closing_ = true;
    sockets_.clear();  // before they are closed
    handle_.reset();
    ares_library_cleanup();
}

void DnsChannel::ask_name(const IpAddress& address, OnMessage on_message) {
    // Not ares_gethostbyaddr(): it reports a silent server as the answer "no such name".
    ares_query(
        handle_->channel, ptr_question(address).c_str(), kQuestionClass, kQuestionType,
        [](void* data, int status, int, unsigned char* bytes, int size) {
            const std::unique_ptr<OnMessage> call(static_cast<OnMessage*>(data));
            if (status != ARES_EDESTRUCTION) {
                (*call)(status_of(status),
                        {bytes, bytes != nullptr ? static_cast<std::size_t>(size) : 0});
            }
        },
        new OnMessage(std::move(on_message)));
    arm_timer();
}

void DnsChannel::ask_addresses(const std::string& name, bool wants_v4, OnAddresses on_addresses) {
    ares_gethostbyname(
        handle_->channel, name.c_str(), family_of(wants_v4),
        [](void* data, int status, int, hostent* host) {
            const std::unique_ptr<OnAddresses> call(static_cast<OnAddresses*>(data));
            if (status != ARES_EDESTRUCTION) {
                (*call)(status_of(status), addresses_in(host));
            }
        },
        new OnAddresses(std::move(on_addresses)));
    arm_timer();
}

bool DnsChannel::has_used_port(std::uint16_t port) const {
    return std::find(local_ports_.begin(), local_ports_.end(), port) != local_ports_.end();
}

void DnsChannel::on_socket(int fd, bool reads, bool writes) {
    if (is_closing_) {
        return;
    }
    sockets_.erase(fd);
    if (reads || writes) {
        const std::uint32_t events = (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U);
        sockets_.emplace(fd, loop_.watch_fd(fd, events, [this, fd](std::uint32_t revents) {
            process((revents & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 ? fd : ARES_SOCKET_BAD,
                    (revents & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
        }));
    }
}

void DnsChannel::process(int read_fd, int write_fd) {
    ares_process_fd(handle_->channel, read_fd, write_fd);
    arm_timer();
}

void DnsChannel::arm_timer() {
    timeval span{};
    if (ares_timeout(handle_->channel, nullptr, &span) == nullptr) {
        timer_ = EventLoop::no_source();
        return;
    }
    timer_ = loop_.call_after(
        std::chrono::seconds(span.tv_sec) + std::chrono::microseconds(span.tv_usec),
        [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

void DnsChannel::note_local_port(int fd) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) {
        return;
    }
    const std::uint16_t port = local.ss_family == AF_INET
                                   ? reinterpret_cast<const sockaddr_in*>(&local)->sin_port
                                   : reinterpret_cast<const sockaddr_in6*>(&local)->sin6_port;
    local_ports_[next_port_++ % local_ports_.size()] = ntohs(port);
}

}  // namespace portcullis::base
