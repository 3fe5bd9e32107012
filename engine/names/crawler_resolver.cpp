#include "engine/names/crawler_resolver.hpp"

#include <ares.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace portcullis::names {
namespace {

using std::chrono::seconds;

base::Diagnostic no_resolver(int status) {
    base::Diagnostic diagnostic;
    diagnostic.code = "no-resolver";
    diagnostic.message = std::string("cannot look up names: ") + ares_strerror(status);
    return diagnostic;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

constexpr int kClassIn = 1;
constexpr int kTypePtr = 12;

// "1.2.0.192.in-addr.arpa", "1.0.0. … .8.b.d.0.1.0.0.2.ip6.arpa".
std::string ptr_question(const base::IpAddress& address) {
    std::string question;
    for (std::size_t byte = address.size(); byte-- > 0;) {
        const unsigned value = address.data()[byte];
        question += address.is_v4() ? fmt::format("{}.", value)
                                    : fmt::format("{:x}.{:x}.", value & 0xf, value >> 4);
    }
    return question + (address.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

bool leads_to(const hostent* host, const base::IpAddress& address) {
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    if (host == nullptr || host->h_addrtype != family ||
        static_cast<std::size_t>(host->h_length) != address.size()) {
        return false;
    }
    for (char** each = host->h_addr_list; *each != nullptr; ++each) {
        if (std::memcmp(*each, address.data(), address.size()) == 0) {
            return true;
        }
    }
    return false;
}

// There is no such name, or it has no such record: an answer, no failure.
bool is_no(int status) { return status == ARES_ENODATA || status == ARES_ENOTFOUND; }

}  // namespace

bool is_crawler_name(std::string_view name) {
    constexpr std::string_view kDomain = "googlebot.com";
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    if (name.size() < kDomain.size()) {
        return false;
    }
    const std::string_view end = name.substr(name.size() - kDomain.size());
    const bool is_alike = std::equal(end.begin(), end.end(), kDomain.begin(),
                                     [](char x, char y) { return lower(x) == y; });
    return is_alike &&
           (name.size() == kDomain.size() || name[name.size() - kDomain.size() - 1] == '.');
}

struct CrawlerResolver::Channel {
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
struct CrawlerResolver::Question {
    CrawlerResolver* resolver;
    base::IpAddress address;
};

base::Result<std::unique_ptr<CrawlerResolver>> CrawlerResolver::start(
    base::EventLoop& loop, const ResolverSettings& settings) {
    if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS) {
        return base::fail(no_resolver(status));
    }
    std::unique_ptr<CrawlerResolver> resolver(new CrawlerResolver(loop, settings));
    if (auto opened = resolver->open_channel(); !opened) {
        return base::fail(opened.error());
    }
    return resolver;
}

CrawlerResolver::CrawlerResolver(base::EventLoop& loop, ResolverSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      send_timer_(base::EventLoop::no_source()),
      timer_(base::EventLoop::no_source()) {}

CrawlerResolver::~CrawlerResolver() {
    channel_.reset();  // calls back for each question on the way
    ares_library_cleanup();
}

base::Result<void> CrawlerResolver::open_channel() {
    ares_options options{};
    std::string only_dns = "b";  // not /etc/hosts: a file is no proof of a name
    options.lookups = only_dns.data();
    // The name that is asked for is complete: no search list, no aliases of the environment.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = static_cast<int>(settings_.timeout.count());
    options.tries = settings_.tries;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int reads, int writes) {
        static_cast<CrawlerResolver*>(self)->on_socket(fd, reads != 0, writes != 0);
    };
    options.sock_state_cb_data = this;
    auto channel = std::make_unique<Channel>();
    int status = ares_init_options(&channel->handle, &options,
                                   ARES_OPT_LOOKUPS | ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
                                       ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status == ARES_SUCCESS && !settings_.servers.empty()) {
        status = ares_set_servers_ports_csv(channel->handle, settings_.servers.c_str());
    }
    if (status != ARES_SUCCESS) {
        return base::fail(no_resolver(status));
    }
    channel_ = std::move(channel);
    return {};
}

bool CrawlerResolver::is_crawler(const base::IpAddress& address) {
    const auto known = known_.find(address);
    if (known != known_.end() && Clock::now() < known->second.until) {
        return known->second.is_crawler;
    }
    if (!base::special_use_of(address).empty() || open_.contains(address)) {
        return false;
    }
    if (open_.size() >= settings_.max_questions || !may_ask()) {
        ++counters_.not_asked;
        return false;
    }
    open_.insert(address);
    waiting_.push_back(address);
    if (!send_timer_) {
        send_timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] { send_waiting(); });
    }
    return false;
}

bool CrawlerResolver::may_ask() {
    const auto now = Clock::now();
    if (now >= second_began_ + seconds(1)) {
        second_began_ = now;
        asked_this_second_ = 0;
    }
    return ++asked_this_second_ <= settings_.questions_a_second;
}

void CrawlerResolver::send_waiting() {
    send_timer_.reset();
    for (const base::IpAddress& address : std::exchange(waiting_, {})) {
        ++counters_.asked;
        // Not ares_gethostbyaddr(): it takes a server that is silent for one that says no.
        ares_query(
            channel_->handle, ptr_question(address).c_str(), kClassIn, kTypePtr,
            [](void* data, int status, int, unsigned char* bytes, int size) {
                std::unique_ptr<Question> question(static_cast<Question*>(data));
                if (status == ARES_EDESTRUCTION) {
                    return;
                }
                hostent* host = nullptr;
                if (status == ARES_SUCCESS) {
                    const base::IpAddress& asked = question->address;
                    status = ares_parse_ptr_reply(bytes, size, asked.data(),
                                                  static_cast<int>(asked.size()),
                                                  asked.is_v4() ? AF_INET : AF_INET6, &host);
                }
                CrawlerResolver* resolver = question->resolver;
                resolver->on_name(std::move(question), status,
                                  host == nullptr ? nullptr : host->h_name);
                if (host != nullptr) {
                    ares_free_hostent(host);
                }
            },
            new Question{this, address});
    }
    arm_timer();
}

// Whoever owns an address may give it any name; only that the name leads back proves it.
void CrawlerResolver::on_name(std::unique_ptr<Question> question, int status, const char* name) {
    const base::IpAddress address = question->address;
    if (status != ARES_SUCCESS && !is_no(status)) {
        ++counters_.failed;
        settle(address, false, settings_.failure_lifetime);
        return;
    }
    if (status != ARES_SUCCESS || name == nullptr || !is_crawler_name(name)) {
        settle(address, false, settings_.other_lifetime);
        return;
    }
    ares_gethostbyname(
        channel_->handle, name, address.is_v4() ? AF_INET : AF_INET6,
        [](void* data, int forward_status, int, hostent* host) {
            const std::unique_ptr<Question> asked(static_cast<Question*>(data));
            if (forward_status == ARES_EDESTRUCTION) {
                return;
            }
            CrawlerResolver& resolver = *asked->resolver;
            const bool has_answer = forward_status == ARES_SUCCESS || is_no(forward_status);
            resolver.counters_.failed += has_answer ? 0 : 1;
            const bool is_crawler = leads_to(host, asked->address);
            const auto lifetime = is_crawler ? resolver.settings_.crawler_lifetime
                                             : resolver.settings_.other_lifetime;
            resolver.settle(asked->address, is_crawler,
                            has_answer ? lifetime : resolver.settings_.failure_lifetime);
        },
        question.release());
}

void CrawlerResolver::settle(const base::IpAddress& address, bool is_crawler, seconds lifetime) {
    open_.erase(address);
    const Known known{is_crawler, Clock::now() + lifetime};
    if (!known_.insert_or_assign(address, known).second) {
        return;
    }
    order_.push_back(address);
    while (order_.size() > settings_.max_known) {
        known_.erase(order_.front());
        order_.pop_front();
        ++counters_.evicted;
    }
}

void CrawlerResolver::on_socket(int fd, bool reads, bool writes) {
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

void CrawlerResolver::process(int read_fd, int write_fd) {
    ares_process_fd(channel_->handle, read_fd, write_fd);
    arm_timer();
}

void CrawlerResolver::arm_timer() {
    timeval span{};
    if (ares_timeout(channel_->handle, nullptr, &span) == nullptr) {
        timer_.reset();
        return;
    }
    timer_ = loop_.call_after(seconds(span.tv_sec) + std::chrono::microseconds(span.tv_usec),
                              [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

}  // namespace portcullis::names
