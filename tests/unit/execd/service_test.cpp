// The whole of execd but its main(): socket, decisions, journal, responders and the kernel.
#include "engine/execd/service.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/support/network_namespace.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr uid_t kEngineUid = 4711;

class NobodyIsProtected final : public Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::IpAddress&) override { return {}; }
    std::optional<std::string> standing_reason(const base::IpAddress&) override { return {}; }
};

struct Home {
    Home() {
        std::filesystem::create_directory(folder / "bin");
        std::filesystem::create_directory(folder / "logs");
    }
    ServicePaths paths() const {
        return {folder / "bin", folder / "state", folder / "logs/ar.log", folder / "logs/ar.json",
                folder / "execd.sock"};
    }
    void add_script(const std::string& name, const std::string& body) const {
        test::overwrite(folder / ("bin/" + name), "#!/bin/sh\n" + body);
        std::filesystem::permissions(folder / ("bin/" + name), std::filesystem::perms::owner_all);
    }
    test::TemporaryFolder folder;
};

struct Client {
    explicit Client(const std::string& path)
        : fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    void send(std::string_view packet) const {
        REQUIRE(::send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(packet.size()));
    }
    // nullopt = nothing there yet; "" = the connection was closed.
    std::optional<std::string> receive() const {
        std::string packet(base::kMaxMessageSize + 1, '\0');
        const ssize_t got = ::recv(fd.get(), packet.data(), packet.size(), 0);
        if (got < 0) {
            return errno == EAGAIN ? std::nullopt : std::optional<std::string>("");
        }
        packet.resize(static_cast<std::size_t>(got));
        return packet;
    }
    base::UniqueFd fd;
};

struct Bench {
    explicit Bench(ExecdConfig config) : config_(std::move(config)) {}
    void start() {
        auto opened = Service::open(loop, clock, log, home.paths(), config_, protection);
        REQUIRE(opened.has_value());
        service = std::move(*opened);
        REQUIRE(service->listen(kEngineUid).has_value());
    }
    base::Reply ask(const base::ResponseMessage& message) {
        const Client client(home.folder / "execd.sock");
        client.send(base::encode(message));
        std::optional<std::string> packet;
        REQUIRE(service->run_until(
            [&] {
                packet = client.receive();
                return packet.has_value();
            },
            seconds(20)));
        const auto reply = base::decode_reply(*packet);
        REQUIRE(reply.has_value());
        return *reply;
    }
    bool wait_for(const std::function<bool()>& condition) {
        return service->run_until(condition, seconds(20));
    }
    std::string records() const { return test::content_of(home.folder / "logs/ar.log"); }

    Home home;
    base::EventLoop loop;
    base::SystemClock clock;
    test::RecordingLog log;
    NobodyIsProtected protection;
    std::unique_ptr<Service> service;

  private:
    ExecdConfig config_;
};

ExecdConfig config_of(const std::string& executable, bool is_persistent, int timeout) {
    ExecdConfig config;
    config.commands = {{"firewall-drop", executable, true, false, false, is_persistent}};
    config.bindings = {{"firewall-drop", seconds(timeout)}};
    return config;
}

base::RespondRequest response_to(const std::string& address, int timeout) {
    base::RespondRequest request;
    request.command = "firewall-drop";
    request.timeout = seconds(timeout);
    request.srcip = address;
    request.alert_id = "1700000000.7";
    request.rule_id = 99990;
    request.location = "host->/var/log/iplog";
    return request;
}

std::string output_of(const std::string& command) {
    std::string output;
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        output.append(buffer, got);
    }
    ::pclose(pipe);
    return output;
}

bool is_dropped(const std::string& address) {
    return output_of("nft list table inet portcullis 2>&1").find(address) != std::string::npos;
}

}  // namespace

TEST_CASE("service: a message becomes a drop of the kernel, and is undone in time") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    Bench bench(config_of("firewall-drop", true, 2));
    std::filesystem::copy(PORTCULLIS_BIN_DIR "/firewall-drop", bench.home.folder / "bin");
    bench.start();
    const Client engine(bench.home.folder / "execd.sock");
    engine.send(base::encode(response_to("127.0.0.99", 2)));
    engine.send(base::encode(response_to("198.51.100.7", 2)));
    const auto is_recorded = [&](const char* what) {
        return [&bench, what] { return bench.records().find(what) != std::string::npos; };
    };
    REQUIRE(
        bench.wait_for(is_recorded("198.51.100.7 1700000000.7 99990 host->/var/log/iplog - - "
                                   "executed: blocked for 2 s")));
    const auto blocked = std::chrono::steady_clock::now();
    CHECK(is_dropped("198.51.100.7"));
    CHECK(bench.records().find("127.0.0.99 1700000000.7 99990 host->/var/log/iplog - - failed: an "
                               "address of this kind is never blocked") != std::string::npos);
    REQUIRE(bench.wait_for(is_recorded("undone: timeout is over")));
    const auto lasted = std::chrono::steady_clock::now() - blocked;
    CHECK(lasted > milliseconds(1900));
    CHECK(lasted < seconds(3));
    CHECK_FALSE(is_dropped("198.51.100.7"));
}
