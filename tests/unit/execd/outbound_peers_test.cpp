#include "engine/execd/outbound_peers.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "tests/support/network_namespace.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using namespace std::chrono_literals;

namespace {

constexpr const char* kClient = "198.51.100.1";  // both are addresses of this host, so that
constexpr const char* kServer = "198.51.100.2";  // both ends of each connection are its sockets

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

sockaddr_in socket_address(const char* text, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    const auto parsed = address(text);
    std::memcpy(&result.sin_addr, parsed.data(), 4);
    return result;
}

base::UniqueFd bound_socket(const char* text, std::uint16_t port) {
    base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto at = socket_address(text, port);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    return fd;
}

struct Pair {
    base::UniqueFd client;
    base::UniqueFd server;
};

Pair make_connection(int listener, std::uint16_t port, std::uint16_t client_port = 0) {
    Pair pair{bound_socket(kClient, client_port), {}};
    const auto to = socket_address(kServer, port);
    REQUIRE(::connect(pair.client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    pair.server.reset(::accept(listener, nullptr, nullptr));
    REQUIRE(pair.server);
    return pair;
}

base::UniqueFd listen_on(std::uint16_t port) {
    auto fd = bound_socket(kServer, port);
    REQUIRE(::listen(fd.get(), 8) == 0);
    return fd;
}

void send_all(int fd, std::size_t size) {
    const std::string data(size, 'x');
    REQUIRE(::send(fd, data.data(), data.size(), MSG_DONTWAIT) > 0);
}

bool enter_host() {
    static const bool is_made =
        test::enter_network_namespace() &&
        std::system("ip addr add 198.51.100.1/32 dev lo && ip addr add 198.51.100.2/32 dev lo") ==
            0;
    return is_made;
}

}  // namespace

#define REQUIRE_HOST()                                                     \
    if (!enter_host()) {                                                   \
        WARN("SKIPPED: no network namespace can be made here (not root)"); \
        return;                                                            \
    }

TEST_CASE("outbound_peers: a connection that we opened counts once it is a minute old") {
    REQUIRE_HOST();
    OutboundPeers peers;
    OutboundPeers::Time now = std::chrono::steady_clock::now();
    peers.look(now);
    const auto listener = listen_on(5432);
    const auto pair = make_connection(listener.get(), 5432);
    now += 20s;
    peers.look(now);
    CHECK_FALSE(peers.find_connection(address(kServer), now).has_value());
    CHECK_FALSE(peers.find_connection(address(kServer), now + 59s).has_value());
    now += 60s;
    const auto text = peers.find_connection(address(kServer), now);
    REQUIRE(text.has_value());
    CHECK(text->find("remote port 5432, open for at least 60 s") != std::string::npos);
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(pair.client.get(), reinterpret_cast<sockaddr*>(&own), &size);
    CHECK(text->find("local port " + std::to_string(ntohs(own.sin_port)) + ",") == 0);
    // It is reported as a change when it begins to count, and when it no longer counts.
    peers.look(now);
    CHECK(peers.take_changed());
    peers.look(now + 20s);
    CHECK_FALSE(peers.take_changed());
    int reported = 0;
    peers.for_each(now, [&](const base::IpAddress& peer, const std::string& what) {
        ++reported;
        CHECK(peer == address(kServer));
        CHECK(what == *text);
    });
    CHECK(reported == 1);
    // A network that holds the peer, and one that does not.
    CHECK(peers.find_connection(*base::Cidr::parse("198.51.100.0/24"), now).has_value());
    CHECK_FALSE(peers.find_connection(*base::Cidr::parse("198.51.101.0/24"), now).has_value());
    // The other end is a connection that the client opened.
    CHECK_FALSE(peers.find_connection(address(kClient), now).has_value());
}

TEST_CASE(
    "outbound_peers: a connection that has ended protects nobody, also before the next look") {
    REQUIRE_HOST();
    const auto listener = listen_on(5433);
    auto pair = make_connection(listener.get(), 5433);
    OutboundPeers peers;
    const auto now = std::chrono::steady_clock::now();
    peers.look(now);
    // It was there before the first look: its age is not known, and it counts.
    const auto text = peers.find_connection(address(kServer), now);
    REQUIRE(text.has_value());
    CHECK(text->find("open since before execd started") != std::string::npos);
    pair.server.reset();
    pair.client.reset();
    CHECK_FALSE(peers.find_connection(address(kServer), now).has_value());
}

TEST_CASE("outbound_peers: who opened a connection is known without its listener and by any port") {
    REQUIRE_HOST();
    // As the data connection of a passive FTP server: the port is one of ours, and the listener is
    // gone. And as an NFS mount: our local port is a reserved one.
    auto listener = listen_on(40'123);
    const auto ftp = make_connection(listener.get(), 40'123, 700);
    listener.reset();
    const auto look_up = [](const char* peer) {
        OutboundPeers peers;
        const auto now = std::chrono::steady_clock::now();
        peers.look(now);
        return peers.find_connection(address(peer), now);
    };
    const auto check = [&] {
        CHECK(look_up(kServer).value_or("").find("local port 700,") == 0);
        CHECK_FALSE(look_up(kClient).has_value());
    };
    check();
    // Data in both directions, read and not read.
    send_all(ftp.client.get(), 10'000);
    send_all(ftp.server.get(), 1);
    check();
    // Until the buffers of both are full and the window is closed.
    std::vector<char> block(65'536);
    for (const auto* fd : {&ftp.client, &ftp.server}) {
        while (::send(fd->get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
        }
    }
    check();
}

TEST_CASE("outbound_peers: the counters of a connection say who opened it") {
    CHECK(opener_of({1, 0, 0, 0, 0}) == Opener::Us);
    CHECK(opener_of({0, 0, 0, 0, 0}) == Opener::Them);
    // 300 bytes acknowledged, 200 under way, 50 of them sent twice, 1000 waiting.
    CHECK(opener_of({301, 550, 50, 1000, 1200}) == Opener::Us);
    CHECK(opener_of({300, 550, 50, 1000, 1200}) == Opener::Them);
    CHECK(opener_of({300, 500, 0, 0, 0}) == Opener::Unknown);
    CHECK(opener_of({0, 0, 0, 0, 5}) == Opener::Unknown);
}

TEST_CASE("outbound_peers: the kernel leaves out the ports of listeners, and no others") {
    REQUIRE_HOST();
    const auto listener = listen_on(6000);
    const auto listener_of_others = listen_on(6002);
    const auto a = make_connection(listener.get(), 6000);
    const auto b = make_connection(listener_of_others.get(), 6002, 5999);
    const auto c = make_connection(listener_of_others.get(), 6002, 6001);
    auto diag = SocketDiag::open();
    REQUIRE(diag.has_value());
    std::vector<std::uint16_t> seen;
    std::vector<std::uint16_t> many{6000};
    for (std::uint16_t port = 6100; port < 6300; ++port) {
        many.push_back(port);
    }
    for (const auto& ports : {std::vector<std::uint16_t>{6000}, many}) {
        seen.clear();
        REQUIRE(diag->ask_and_read(
            SocketDiag::State::Established, SocketFilter::without_local_ports(ports),
            [&](const TcpSocket& socket) { seen.push_back(socket.local_port); }));
        const auto count = [&](int port) { return std::count(seen.begin(), seen.end(), port); };
        CHECK(count(6000) == 0);
        CHECK(count(5999) == 1);
        CHECK(count(6001) == 1);
        CHECK(count(6002) == 2);
    }
}
