#include "engine/respond/execd_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <optional>

#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::respond;
using namespace std::chrono_literals;

namespace {

// What execd's end of the socket looks like; reads when it is asked to.
class Listener {
  public:
    explicit Listener(const std::string& path) {
        ::unlink(path.c_str());
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        listening_ = base::UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
        REQUIRE(bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(listening_.get(), 8) == 0);
    }
    // The rule id of the next request; nullopt = none has come yet.
    std::optional<int> next() {
        if (!connection_) {
            connection_ = base::UniqueFd(
                ::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        }
        std::array<char, base::kMaxMessageSize> packet;
        const ssize_t got =
            connection_ ? ::read(connection_.get(), packet.data(), packet.size()) : -1;
        if (got <= 0) {
            return std::nullopt;
        }
        const auto message =
            base::decode_message({packet.data(), static_cast<std::size_t>(got)}).value();
        return std::get<base::RespondRequest>(message).rule_id;
    }
    void hang_up() { connection_.reset(); }

  private:
    base::UniqueFd listening_;
    base::UniqueFd connection_;
};

struct Responding {
    test::TemporaryFolder folder;
    std::string path = folder / "execd.sock";
    base::EventLoop loop;
    test::RecordingLog log;
    ExecdClient client{loop, log, path};

    void send(int rule_id) {
        base::RespondRequest request;
        request.command = "firewall-drop";
        request.srcip = "1.2.3.4";
        request.alert_id = "1.1";
        request.rule_id = rule_id;
        client.send(request);
    }
    // Runs the loop until `count` requests came, or a deadline.
    std::vector<int> receive(Listener& listener, std::size_t count) {
        std::vector<int> ids;
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (ids.size() < count && std::chrono::steady_clock::now() < deadline) {
            while (const auto id = listener.next()) {
                ids.push_back(*id);
            }
            loop.run_once(1ms);
        }
        return ids;
    }
};

std::vector<int> numbers(int from, int to) {
    std::vector<int> all;
    for (int i = from; i <= to; ++i) {
        all.push_back(i);
    }
    return all;
}

}  // namespace

TEST_CASE("execd_client: a request goes out within the call") {
    Responding test;
    Listener listener(test.path);
    test.send(1);
    CHECK(test.client.queued() == 0);
    CHECK(listener.next() == 1);
    CHECK(test.client.sent() == 1);
    CHECK(test.log.messages.empty());
}

TEST_CASE("execd_client: while execd is away requests wait, in order, and one message says so") {
    Responding test;
    for (int i = 1; i <= 100; ++i) {
        test.send(i);
    }
    CHECK(test.client.queued() == 100);
    CHECK(test.log.count("cannot be reached") == 1);
    Listener listener(test.path);
    CHECK(test.receive(listener, 100) == numbers(1, 100));
    CHECK(test.client.queued() == 0);
    CHECK(test.log.count("none was lost") == 1);
    test.send(101);
    CHECK(listener.next() == 101);
}

TEST_CASE("execd_client: beyond the bound requests are lost, counted and reported") {
    Responding test;
    const int bound = static_cast<int>(ExecdClient::kMaxQueued);
    for (int i = 1; i <= bound + 5; ++i) {
        test.send(i);
    }
    CHECK(test.client.queued() == ExecdClient::kMaxQueued);
    CHECK(test.client.lost() == 5);
    CHECK(test.log.count("further ones are lost") == 1);
    Listener listener(test.path);
    CHECK(test.receive(listener, ExecdClient::kMaxQueued) == numbers(1, bound));
    CHECK(test.log.count("5 were lost") == 1);
}

TEST_CASE("execd_client: an execd that was started anew gets the next request at once") {
    Responding test;
    auto listener = std::make_unique<Listener>(test.path);
    test.send(1);
    CHECK(listener->next() == 1);
    listener = std::make_unique<Listener>(test.path);  // the old connection is closed
    test.send(2);
    CHECK(listener->next() == 2);
    CHECK(test.log.messages.empty());
}

TEST_CASE("execd_client: an execd that does not read does not make the engine wait") {
    Responding test;
    Listener listener(test.path);
    for (int i = 1; i <= 2000; ++i) {
        test.send(i);
    }
    CHECK(test.client.queued() > 0);
    CHECK(test.receive(listener, 2000) == numbers(1, 2000));
    CHECK(test.client.lost() == 0);
}

TEST_CASE("execd_client: an execd that hangs up at once causes no busy loop") {
    Responding test;
    Listener listener(test.path);
    test.send(1);
    CHECK(listener.next() == 1);
    listener.hang_up();
    ::unlink(test.path.c_str());
    test.send(2);
    CHECK(test.client.queued() == 1);
    CHECK(test.log.count("cannot be reached") == 1);
    const auto started = std::chrono::steady_clock::now();
    test.loop.run_once(1s);
    CHECK(std::chrono::steady_clock::now() - started >= ExecdClient::kFirstPause / 2);
}
