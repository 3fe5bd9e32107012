#include "sensor/lookup/ident_client.hpp"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <map>

#include "base/fd.hpp"

using namespace portcullis;
using namespace portcullis::sensor_lookup;
using sensor_detect::Observation;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A listening socket on loopback, at a port of its own.
struct Listener {
    base::UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    std::uint16_t port = 0;

    Listener() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(fd.get(), 16) == 0);
        socklen_t size = sizeof address;
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }
};

struct Lab {
    base::EventLoop loop;
    Listener service;
    Listener identd;
    std::vector<std::pair<std::uint16_t, std::string>> results;  // source port, user
    IdentClient client{loop,
                       [this](const Observation& attempt, std::string_view user) {
                           results.emplace_back(attempt.source_port, user);
                       },
                       identd.port};

    Observation attempt(std::uint16_t source_port, const char* source = "127.0.0.1") const {
        Observation made;
        made.source = *base::IpAddress::parse(source);
        made.destination = *base::IpAddress::parse("127.0.0.1");
        made.source_port = source_port;
        made.destination_port = service.port;
        return made;
    }
    template <class Condition>
    void wait_for(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + seconds(10);
        bool holds = condition();
        while (!holds && std::chrono::steady_clock::now() < deadline) {
            loop.run_once(milliseconds(20));
            holds = condition();
        }
        REQUIRE(holds);
    }
    // What the client asks of the identd; the connection stays open in `peer`.
    base::UniqueFd peer;
    std::string question() {
        wait_for([&] {
            peer.reset(::accept4(identd.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            return static_cast<bool>(peer);
        });
        std::string text;
        wait_for([&] {
            char bytes[128];
            const ssize_t size = ::recv(peer.get(), bytes, sizeof bytes, 0);
            text.append(bytes, size > 0 ? static_cast<std::size_t>(size) : 0);
            return text.find('\n') != std::string::npos;
        });
        return text;
    }
};

}  // namespace

TEST_CASE("ident_client: only a short word of harmless characters is a user") {
    struct Row {
        const char* answer;
        const char* user;  // nullptr = none
    };
    const Row rows[] = {
        {"6193, 23 : USERID : UNIX : stjohns\r\n", "stjohns"},
        {"6193,23:USERID:UNIX,US-ASCII:www-data", "www-data"},
        {" 6193 , 23 : USERID : OTHER : a.b_c+d$ \r\nmore", "a.b_c+d$"},
        {"6193, 23 : ERROR : NO-USER\r\n", nullptr},
        {"6193, 24 : USERID : UNIX : stjohns\r\n", nullptr},
        {"6194, 23 : USERID : UNIX : stjohns\r\n", nullptr},
        {"6193, 23 : USERID : UNIX : \r\n", nullptr},
        {"6193, 23 : USERID : UNIX : x from 9.9.9.9\r\n", nullptr},
        {"6193, 23 : USERID : UNIX : root@9.9.9.9\r\n", nullptr},
        {"6193, 23 : USERID : UNIX : a\x1b[2J\r\n", nullptr},
        {"6193, 23 : USERID", nullptr},
        {"", nullptr},
    };
    for (const Row& row : rows) {
        CAPTURE(row.answer);
        const auto user = parse_ident_answer(row.answer, 6193, 23);
        CHECK(user.has_value() == (row.user != nullptr));
        CHECK(user.value_or("") == (row.user == nullptr ? "" : row.user));
    }
    CHECK_FALSE(parse_ident_answer("1, 2 : USERID : UNIX : " + std::string(65, 'a'), 1, 2));
}

TEST_CASE("ident_client: an attempt comes back with the user that its peer names") {
    Lab lab;
    REQUIRE(lab.client.ask(lab.attempt(40001)));
    CHECK(lab.results.empty());
    CHECK(lab.question() == "40001 , " + std::to_string(lab.service.port) + "\r\n");
    const std::string answer =
        "40001, " + std::to_string(lab.service.port) + " : USERID : UNIX : fred\r\n";
    // In two pieces.
    ::send(lab.peer.get(), answer.data(), 7, MSG_NOSIGNAL);
    lab.loop.run_once(milliseconds(50));
    CHECK(lab.results.empty());
    ::send(lab.peer.get(), answer.data() + 7, answer.size() - 7, MSG_NOSIGNAL);
    lab.wait_for([&] { return !lab.results.empty(); });
    CHECK(lab.results.front() == std::pair<std::uint16_t, std::string>(40001, "fred"));
    CHECK(lab.client.counters().answered == 1);
}

TEST_CASE("ident_client: without an identd, or with one that hangs up, there is no user") {
    Lab lab;
    SECTION("it hangs up") {
        REQUIRE(lab.client.ask(lab.attempt(40001)));
        lab.question();
        lab.peer.reset();
    }
    SECTION("nobody listens") {
        lab.identd.fd.reset();
        REQUIRE(lab.client.ask(lab.attempt(40001)));
    }
    SECTION("it says too much") {
        REQUIRE(lab.client.ask(lab.attempt(40001)));
        lab.question();
        const std::string flood(4000, 'x');
        ::send(lab.peer.get(), flood.data(), flood.size(), MSG_NOSIGNAL);
    }
    SECTION("it is silent, and the sensor ends") {
        REQUIRE(lab.client.ask(lab.attempt(40001)));
        lab.client.give_up();
    }
    lab.wait_for([&] { return !lab.results.empty(); });
    CHECK(lab.results == std::vector<std::pair<std::uint16_t, std::string>>{{40001, ""}});
}

TEST_CASE("ident_client: asks only about ports that are listened on, one question per peer") {
    Lab lab;
    Observation closed = lab.attempt(40001);
    {
        const Listener gone;
        closed.destination_port = gone.port;
    }
    CHECK_FALSE(lab.client.ask(closed));
    REQUIRE(lab.client.ask(lab.attempt(40001)));
    CHECK_FALSE(lab.client.ask(lab.attempt(40002)));
    for (std::size_t i = 1; i < IdentClient::kMostAtOnce; ++i) {
        REQUIRE(lab.client.ask(lab.attempt(40003, ("127.0.1." + std::to_string(i)).c_str())));
    }
    CHECK_FALSE(lab.client.ask(lab.attempt(40003, "127.0.2.1")));
    CHECK(lab.client.counters().not_asked == 2);
    lab.client.give_up();
    CHECK(lab.results.size() == IdentClient::kMostAtOnce);
}
