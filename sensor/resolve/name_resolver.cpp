#include "sensor/resolve/name_resolver.hpp"

#include <ares.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "sensor/resolve/ptr_record.hpp"

namespace portcullis::sensor_resolve {
namespace {

using std::chrono::seconds;

// How long an answer is believed, whatever its TTL says: long enough to be of use for the next
// line, and not for ever.
constexpr seconds kShortest{10};
constexpr seconds kLongest{86400};
constexpr seconds kLongestWithoutName{3600};  // RFC 2308 section 5 wants one to three hours
constexpr seconds kAfterFailure{60};
constexpr seconds kWithoutCache{10};

base::Diagnostic no_resolver(int status) {
    base::Diagnostic diagnostic;
    diagnostic.code = "no-resolver";
    diagnostic.message = std::string("cannot look up names: ") + ares_strerror(status);
    return diagnostic;
}

}  // namespace

struct NameResolver::Channel {
    ares_channel handle = nullptr;
    std::map<int, base::EventLoop::Source> sockets;

    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel() {
        sockets.clear();  // before they are closed
        if (handle != nullptr) {
            ares_destroy(handle);
        }
    }
};

// What c-ares hands back with an answer.
struct NameResolver::Question {
    NameResolver* resolver;
    base::IpAddress address;
};

base::Result<std::unique_ptr<NameResolver>> NameResolver::start(base::EventLoop& loop,
                                                                const ResolverSettings& settings) {
    if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS) {
        return base::fail(no_resolver(status));
    }
    std::unique_ptr<NameResolver> resolver(new NameResolver(loop));
    if (auto set = resolver->set_settings(settings); !set) {
        return base::fail(set.error());
    }
    return resolver;
}

NameResolver::NameResolver(base::EventLoop& loop) : loop_(loop) {}

NameResolver::~NameResolver() {
    channel_.reset();  // calls back for each question on the way
    ares_library_cleanup();
}

base::Result<void> NameResolver::set_settings(const ResolverSettings& settings) {
    channel_.reset();
    asked_.clear();
    wanted_.clear();
    if (cache_.size() == 0 || settings.max_names != settings_.max_names) {
        cache_ = NameCache(settings.max_names);
    }
    settings_ = settings;
    if (settings.servers.empty()) {
        return {};
    }
    ares_options options{};
    // The name that is asked for is complete: no search list, no aliases of the environment.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = settings.tries;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int reads, int writes) {
        static_cast<NameResolver*>(self)->on_socket(fd, reads != 0, writes != 0);
    };
    options.sock_state_cb_data = this;
    auto channel = std::make_unique<Channel>();
    int status = ares_init_options(
        &channel->handle, &options,
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        return base::fail(no_resolver(status));
    }
    std::vector<ares_addr_port_node> nodes(settings.servers.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const NameServer& server = settings.servers[i];
        nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
        nodes[i].family = server.address.is_v4() ? AF_INET : AF_INET6;
        std::memcpy(&nodes[i].addr, server.address.data(), server.address.size());
        nodes[i].udp_port = server.port;
        nodes[i].tcp_port = server.port;
    }
    status = ares_set_servers_ports(channel->handle, nodes.data());
    if (status != ARES_SUCCESS) {
        return base::fail(no_resolver(status));
    }
    ares_set_socket_callback(
        channel->handle,
        [](ares_socket_t fd, int, void* self) {
            static_cast<NameResolver*>(self)->note_local_port(fd);
            return 0;
        },
        this);
    channel_ = std::move(channel);
    return {};
}

std::string_view NameResolver::name_of(const base::IpAddress& address) {
    if (!channel_) {
        return {};
    }
    if (const auto known = cache_.find(address, NameCache::Time::clock::now())) {
        return *known;
    }
    const auto holds = [&](const std::vector<base::IpAddress>& list) {
        return std::find(list.begin(), list.end(), address) != list.end();
    };
    if (!holds(wanted_) && !holds(asked_)) {
        if (wanted_.size() + asked_.size() < settings_.max_questions) {
            wanted_.push_back(address);
        } else {
            ++counters_.not_asked;
        }
    }
    return {};
}

bool NameResolver::may_ask(NameCache::Time now) {
    if (now >= second_began_ + seconds(1)) {
        second_began_ = now;
        asked_this_second_ = 0;
    }
    return ++asked_this_second_ <= settings_.questions_per_second;
}

void NameResolver::send_waiting() {
    if (wanted_.empty()) {
        return;
    }
    const auto now = NameCache::Time::clock::now();
    for (const base::IpAddress& address : std::exchange(wanted_, {})) {
        if (!may_ask(now)) {
            ++counters_.not_asked;
            continue;
        }
        ++counters_.asked;
        asked_.push_back(address);
        ares_query(
            channel_->handle, ptr_question(address).c_str(), 1, 12,  // class IN, type PTR
            [](void* data, int status, int, unsigned char* bytes, int size) {
                const std::unique_ptr<Question> question(static_cast<Question*>(data));
                if (status != ARES_EDESTRUCTION) {
                    question->resolver->on_answer(
                        question->address, status,
                        {bytes, bytes != nullptr ? static_cast<std::size_t>(size) : 0});
                }
            },
            new Question{this, address});
    }
    arm_timer();
}

void NameResolver::on_answer(const base::IpAddress& address, int status,
                             std::span<const std::uint8_t> message) {
    asked_.erase(std::remove(asked_.begin(), asked_.end(), address), asked_.end());
    const bool is_answer =
        status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
    const auto answer = parse_ptr_answer(message);
    seconds lifetime = kAfterFailure;
    if (is_answer && answer) {
        ++counters_.answered;
        lifetime = std::clamp(answer->lifetime, kShortest,
                              answer->name.empty() ? kLongestWithoutName : kLongest);
    } else {
        ++counters_.failed;
    }
    if (!settings_.keeps_names) {
        lifetime = std::min(lifetime, kWithoutCache);
    }
    cache_.put(address, is_answer && answer ? answer->name : std::string(),
               NameCache::Time::clock::now() + lifetime);
}

void NameResolver::on_socket(int fd, bool reads, bool writes) {
    if (!channel_) {
        return;  // being destroyed
    }
    channel_->sockets.erase(fd);
    if (reads || writes) {
        const std::uint32_t events = (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U);
        channel_->sockets.emplace(fd, loop_.watch_fd(fd, events, [this, fd](std::uint32_t revents) {
            process((revents & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 ? fd : ARES_SOCKET_BAD,
                    (revents & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
        }));
    }
}

void NameResolver::note_local_port(int fd) {
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

void NameResolver::process(int read_fd, int write_fd) {
    ares_process_fd(channel_->handle, read_fd, write_fd);
    arm_timer();
}

void NameResolver::arm_timer() {
    timeval span{};
    if (ares_timeout(channel_->handle, nullptr, &span) == nullptr) {
        timer_ = base::EventLoop::no_source();
        return;
    }
    timer_ = loop_.call_after(seconds(span.tv_sec) + std::chrono::microseconds(span.tv_usec),
                              [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

bool NameResolver::is_own_answer(const sensor_packet::Packet& packet) const {
    if (packet.transport != sensor_packet::Transport::Udp || !channel_) {
        return false;
    }
    const bool is_server = std::any_of(
        settings_.servers.begin(), settings_.servers.end(), [&](const NameServer& server) {
            return server.port == packet.source_port && server.address == packet.source;
        });
    return is_server && std::find(local_ports_.begin(), local_ports_.end(),
                                  packet.destination_port) != local_ports_.end();
}

ResolverCounters NameResolver::counters() const {
    ResolverCounters counters = counters_;
    counters.evictions = cache_.evictions();
    return counters;
}

}  // namespace portcullis::sensor_resolve
