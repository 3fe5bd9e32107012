// The whole of execd but its main(): socket, decisions, journal, responders and the kernel.
#include "engine/execd/service.hpp"

#include "engine/execd/never_block.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
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
// As execd does: a responder may end while it is written to.
const auto former_sigpipe_handler = std::signal(SIGPIPE, SIG_IGN);

class NobodyIsProtected final : public Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr&) override { return {}; }
    std::optional<std::string> standing_reason(const base::Cidr&) override { return {}; }
    std::vector<ProtectedEntry> all_protected() override { return shown; }
    base::Cidr widen(const base::Cidr& target, int prefix_length) override {
        return widened(target, prefix_length, [](const base::Cidr&) { return false; });
    }
    std::vector<ProtectedEntry> shown;  // as if they were
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

class SettableClock final : public base::Clock {
  public:
    base::Timestamp now() const override { return base::SystemClock().now() + offset; }
    std::chrono::nanoseconds offset{0};
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
    SettableClock clock;
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

TEST_CASE(
    "service: a script gets OSSEC's arguments and the timeout, and no descriptor of execd's") {
    Bench bench(config_of("record.sh", false, 1));
    bench.home.add_script(
        "record.sh",
        "{ echo \"$# $* $PORTCULLIS_TIMEOUT\"; ls /proc/self/fd | tr '\\n' ' '; } "
        ">>" +
            (bench.home.folder / "calls") + "\n");
    bench.start();
    const Client engine(bench.home.folder / "execd.sock");
    engine.send(base::encode(response_to("198.51.100.7", 1)));
    REQUIRE(bench.wait_for(
        [&] { return bench.records().find("undone: timeout is over") != std::string::npos; }));
    // ls holds one more descriptor: that of the folder it reads.
    CHECK(test::content_of(bench.home.folder / "calls") ==
          "7 add - 198.51.100.7 1700000000.7 99990 host->/var/log/iplog - 1\n0 1 2 3 "
          "7 delete - 198.51.100.7 1700000000.7 99990 host->/var/log/iplog - 0\n0 1 2 3 ");
}

TEST_CASE("service: a script that fails is recorded with its exit code and what it said") {
    Bench bench(config_of("fail.sh", false, 600));
    bench.home.add_script("fail.sh", "echo no such firewall >&2\nexit 3\n");
    bench.start();
    const auto reply = bench.ask(base::BanRequest{"198.51.100.7", seconds(60)});
    CHECK(reply.text == "198.51.100.7: failed: exit code 3: no such firewall");
}

TEST_CASE("service: an executable that others may write to is not run") {
    Bench bench(config_of("open.sh", false, 600));
    bench.home.add_script("open.sh", "exit 0\n");
    std::filesystem::permissions(bench.home.folder / "bin/open.sh", std::filesystem::perms::all);
    bench.start();
    const auto reply = bench.ask(base::BanRequest{"198.51.100.7", seconds(60)});
    CHECK(reply.text.find("can be written to by others (chmod go-w it)") != std::string::npos);
}

TEST_CASE("service: a script of a few lines is a persistent responder") {
    Bench bench(config_of("persistent.sh", true, 600));
    // The example of docs/responders.md.
    bench.home.add_script("persistent.sh",
                          "while read -r line; do\n"
                          "    echo \"$line\" >>" +
                              (bench.home.folder / "calls") +
                              "\n"
                              "    id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
                              "    echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\"\n"
                              "done\n");
    bench.start();
    CHECK(bench.ask(base::BanRequest{"198.51.100.7", seconds(60)}).ok);
    CHECK(bench.ask(base::UnbanRequest{"198.51.100.7"}).ok);
    const std::string calls = test::content_of(bench.home.folder / "calls");
    CHECK(calls.find("{\"action\":\"add\",\"address\":\"198.51.100.7\"") == 0);
    CHECK(calls.find("\"timeout\":60") != std::string::npos);
    CHECK(calls.find("{\"action\":\"delete\",\"address\":\"198.51.100.7\"") != std::string::npos);
}

TEST_CASE("service: a responder that does not announce the question is not asked what it blocks") {
    for (const char* said : {"", "echo '{\"supports\":[]}'\n"}) {
        CAPTURE(said);
        Bench bench(config_of("plain.sh", true, 600));
        bench.home.add_script(
            "plain.sh", std::string(said) +
                            "while read -r line; do\n"
                            "    echo \"$line\" >>" +
                            (bench.home.folder / "calls") +
                            "\n"
                            "    id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
                            "    echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\"\n"
                            "done\n");
        bench.start();
        const auto silent = bench.ask(base::UnexplainedRequest{});
        CHECK(silent.ok);
        CHECK(silent.blocks.empty());
        CHECK(bench.ask(base::FlushRequest{}).text == "there are no bans");
        CHECK(bench.ask(base::BanRequest{"198.51.100.7", seconds(60)}).ok);
        CHECK(bench.ask(base::FlushRequest{}).text == "1 ban undone");
        CHECK(test::content_of(bench.home.folder / "calls").find("list") == std::string::npos);
    }
}

TEST_CASE("service: a responder that announces it is asked, again if it ends before the answer") {
    Bench bench(config_of("lists.sh", true, 600));
    bench.home.add_script(
        "lists.sh",
        "echo '{\"supports\":[\"list\"]}'\n"
        "while read -r line; do\n"
        "    if mkdir " +
            (bench.home.folder / "died") +
            " 2>/dev/null; then exit 1; fi\n"
            "    id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
            "    echo \"{\\\"id\\\":$id,\\\"held\\\":[{\\\"address\\\":\\\"198.51.100.7\\\","
            "\\\"left\\\":5},{\\\"address\\\":\\\"x\\\"}]}\"\n"
            "    echo \"{\\\"id\\\":$id,\\\"held\\\":[{\\\"address\\\":\\\"2001:DB8::7\\\"}]}\"\n"
            "    echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\"\n"
            "done\n");
    bench.start();
    const auto reply = bench.ask(base::UnexplainedRequest{});
    CHECK(reply.ok);
    CHECK(reply.blocks == std::vector<base::BlockRow>{{"lists.sh", "198.51.100.7", 5},
                                                      {"lists.sh", "2001:db8::7", -1}});
    CHECK(bench.log.count("the responder lists.sh ended (exit code 1)") == 1);
}

TEST_CASE("service: a reply that also says what is supported is a reply") {
    Bench bench(config_of("says.sh", true, 600));
    bench.home.add_script("says.sh",
                          "while read -r line; do\n"
                          "    id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
                          "    echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"supports\\\":[]}\"\n"
                          "done\n");
    bench.start();
    CHECK(bench.ask(base::BanRequest{"198.51.100.7", seconds(600)}).ok);
    CHECK(bench.log.count("does not answer") == 0);
}

TEST_CASE("service: odd answers to the question what is blocked break no list") {
    Bench bench(config_of("odd.sh", true, 600));
    bench.home.add_script(
        "odd.sh",
        "echo '{\"supports\":[\"list\"]}'\n"
        "while read -r line; do\n"
        "    id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
        "    printf '{\"id\":%s,\"held\":[{\"address\":\"198.51.100.7\",\"left\":-5},"
        "{\"address\":\"198.51.100.8\",\"left\":18446744073709551615},7]}\\n' \"$id\"\n"
        "    printf '{\"id\":%s,\"ok\":false,\"error\":\"%s\"}\\n' \"$id\" "
        "\"$(head -c 3000 /dev/zero | tr '\\0' '\\\\')\"\n"
        "done\n");
    bench.start();
    auto reply = bench.ask(base::UnexplainedRequest{});
    CHECK_FALSE(reply.ok);
    CHECK(reply.blocks ==
          std::vector<base::BlockRow>{{"odd.sh", "198.51.100.7", 0},
                                      {"odd.sh", "198.51.100.8", 9223372036854775807}});
    reply = bench.ask(base::UnbanRequest{"198.51.100.9"});
    CHECK_FALSE(reply.ok);
}

TEST_CASE("service: a persistent responder that dies is started again and asked again") {
    Bench bench(config_of("dies.sh", true, 600));
    // Its first life ends with the first request unanswered.
    bench.home.add_script("dies.sh",
                          "read -r line\n"
                          "if mkdir " +
                              (bench.home.folder / "died") +
                              " 2>/dev/null; then exit 1; fi\n"
                              "id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
                              "echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\"\n"
                              "read -r line\n");
    bench.start();
    CHECK(bench.ask(base::BanRequest{"198.51.100.7", seconds(60)}).ok);
    CHECK(bench.log.count("the responder dies.sh ended (exit code 1)") == 1);
}

TEST_CASE("service: a persistent responder that never lives fails the request with its words") {
    Bench bench(config_of("broken.sh", true, 600));
    bench.home.add_script("broken.sh", "read -r line\necho cannot find the firewall >&2\nexit 2\n");
    bench.start();
    const auto reply = bench.ask(base::BanRequest{"198.51.100.7", seconds(60)});
    CHECK(reply.text ==
          "198.51.100.7: failed: the responder broken.sh ended (exit code 2): cannot "
          "find the firewall");
    // It was asked, so it may have blocked: listed until an undo is acknowledged.
    const auto bans = bench.ask(base::ListRequest{}).bans;
    REQUIRE(bans.size() == 1);
    CHECK(bans[0].address == "198.51.100.7");
}

TEST_CASE("service: who may ask for what is decided by uid") {
    if (::geteuid() != 0) {
        WARN("SKIPPED: needs root");
        return;
    }
    Bench bench(config_of("none.sh", false, 600));
    bench.home.add_script("none.sh", "exit 0\n");
    std::filesystem::permissions(bench.home.folder.path(), std::filesystem::perms::all);
    bench.start();
    // A child becomes `uid`, sends one packet and exits with 0 if there was a reply that is ok, 1
    // for one that is not, 2 for a closed connection.
    const auto ask_as = [&](uid_t uid, const std::string& packet) {
        const pid_t child = ::fork();
        if (child == 0) {
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            std::strncpy(address.sun_path, (bench.home.folder / "execd.sock").c_str(),
                         sizeof address.sun_path - 1);
            char answer[5000];
            const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
            if (::setresuid(uid, uid, uid) != 0 ||
                ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
                ::_exit(3);
            }
            ::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL);
            const ssize_t got = ::recv(fd, answer, sizeof answer, 0);
            ::_exit(got <= 0 ? 2
                    : std::string(answer, static_cast<std::size_t>(got)).find("\"ok\":true") !=
                            std::string::npos
                        ? 0
                        : 1);
        }
        int status = -1;
        REQUIRE(bench.wait_for([&] { return ::waitpid(child, &status, WNOHANG) == child; }));
        return WEXITSTATUS(status);
    };
    CHECK(ask_as(0, base::encode(base::ListRequest{})) == 0);
    CHECK(ask_as(kEngineUid, base::encode(base::ListRequest{})) == 1);
    CHECK(ask_as(kEngineUid, base::encode(base::FlushRequest{})) == 1);
    CHECK(ask_as(kEngineUid, base::encode(base::BanRequest{"198.51.100.9", seconds(60)})) == 1);
    CHECK(ask_as(kEngineUid, "{}") == 1);
    CHECK(ask_as(kEngineUid, std::string(base::kMaxMessageSize + 1, ' ')) == 1);
    CHECK(ask_as(4712, base::encode(base::ListRequest{})) == 2);
    CHECK(ask_as(4712, base::encode(response_to("198.51.100.9", 600))) == 2);
    CHECK(bench.records().find("uid 4711 may only ask for responses") != std::string::npos);
    CHECK(bench.records().find("uid 4712 (process ") != std::string::npos);
    CHECK(bench.ask(base::ListRequest{}).bans.empty());
}

TEST_CASE("service: one user's connections cannot keep root out") {
    Bench bench(config_of("none.sh", false, 600));
    bench.home.add_script("none.sh", "exit 0\n");
    bench.start();
    std::vector<std::unique_ptr<Client>> idle;
    for (std::size_t i = 0; i < MessageServer::kMaxClients + 5; ++i) {
        idle.push_back(std::make_unique<Client>(bench.home.folder / "execd.sock"));
        bench.loop.run_once(milliseconds(10));
    }
    // The last ones were closed; the others live, and nobody's silence blocks anybody.
    CHECK(idle.back()->receive() == "");
    idle.front()->send(base::encode(base::ListRequest{}));
    std::optional<std::string> packet;
    CHECK(bench.wait_for([&] {
        packet = idle.front()->receive();
        return packet.has_value();
    }));
    CHECK(base::decode_reply(packet.value_or("")).has_value());
}

TEST_CASE("service: a clock that is set neither ends a ban at once nor prolongs it") {
    for (const auto jump : {std::chrono::hours(24), -std::chrono::hours(24)}) {
        CAPTURE(jump.count());
        Bench bench(config_of("drop.sh", false, 600));
        bench.home.add_script("drop.sh", "exit 0\n");
        bench.start();
        REQUIRE(bench.ask(base::BanRequest{"198.51.100.7", seconds(600)}).ok);
        bench.clock.offset = jump;
        REQUIRE(bench.wait_for([&] { return bench.log.count("the clock was set by") == 1; }));
        const auto bans = bench.ask(base::ListRequest{}).bans;
        REQUIRE(bans.size() == 1);
        const auto left = seconds(bans[0].until) -
                          std::chrono::floor<seconds>(bench.clock.now().time_since_epoch());
        CHECK(left > seconds(570));
        CHECK(left <= seconds(601));
    }
}

TEST_CASE("service: a responder that ends when the clock is set gets its bans for the time left") {
    Bench bench(config_of("keeps.sh", true, 600));
    const auto calls = bench.home.folder / "calls";
    const auto pid = bench.home.folder / "pid";
    bench.home.add_script("keeps.sh",
                          "echo $$ >" + pid +
                              "\n"
                              "while read -r line; do\n"
                              "    echo \"$line\" >>" +
                              calls +
                              "\n"
                              "    id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
                              "    echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\"\n"
                              "done\n");
    bench.start();
    REQUIRE(bench.ask(base::BanRequest{"198.51.100.7", seconds(600)}).ok);
    int rounds = 0;  // until nothing but the responder's end makes execd look at the clock
    REQUIRE(bench.wait_for([&] { return ++rounds > 5; }));
    bench.clock.offset = -std::chrono::hours(24);
    ::kill(std::stoi(test::content_of(pid)), SIGKILL);
    const auto second_call = [&]() -> std::optional<std::string> {
        const std::string text = test::content_of(calls);
        const auto end = text.find('\n');
        return end + 1 < text.size() ? std::optional(text.substr(end + 1)) : std::nullopt;
    };
    REQUIRE(bench.wait_for([&] { return second_call().has_value(); }));
    const auto call = *second_call();
    const auto timeout = call.find("\"timeout\":");
    REQUIRE(timeout != std::string::npos);
    CHECK(std::stoi(call.substr(timeout + 10)) <= 600);
}

TEST_CASE("service: what is under way when it stops is answered to nobody") {
    Bench bench(config_of("silent.sh", true, 600));
    bench.home.add_script("silent.sh", "while read -r line; do :; done\n");
    bench.start();
    const Client client(bench.home.folder / "execd.sock");
    client.send(base::encode(base::BanRequest{"198.51.100.7", seconds(60)}));
    client.send(base::encode(base::FlushRequest{}));
    REQUIRE(bench.wait_for([&] { return bench.service->executor().jobs_under_way() == 2; }));
    bench.service.reset();  // the sanitizers watch
    CHECK(client.receive() == "");
}

TEST_CASE("service: rules that somebody takes out of the table are put back") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    Bench bench(config_of("firewall-drop", true, 600));
    std::filesystem::copy(PORTCULLIS_BIN_DIR "/firewall-drop", bench.home.folder / "bin");
    bench.start();
    REQUIRE(bench.ask(base::BanRequest{"198.51.100.7", seconds(600)}).ok);
    const auto drops = [] {
        return output_of("nft list chain inet portcullis gate 2>&1").find("ip saddr @v4 drop") !=
               std::string::npos;
    };
    REQUIRE(drops());
    REQUIRE(std::system("nft flush chain inet portcullis gate") == 0);
    CHECK(bench.wait_for(drops));
    CHECK(is_dropped("198.51.100.7"));
}

TEST_CASE("service: a script gets the kind of block and its time") {
    auto config = config_of("says.sh", false, 600);
    config.bindings = {{"firewall-drop", seconds(600), base::BlockChoice::Auto, seconds(120)}};
    Bench bench(config);
    const std::string calls = bench.home.folder / "calls";
    bench.home.add_script("says.sh",
                          "echo $1 $3 $PORTCULLIS_BLOCK $PORTCULLIS_TIMEOUT >> " + calls + "\n");
    bench.start();
    const Client engine(bench.home.folder / "execd.sock");
    for (const auto evidence : {base::Evidence::Forgeable, base::Evidence::Proven}) {
        auto request =
            response_to(evidence == base::Evidence::Proven ? "198.51.100.8" : "198.51.100.7", 600);
        request.evidence = evidence;
        request.block = base::BlockChoice::Auto;
        request.forgeable_timeout = seconds(120);
        engine.send(base::encode(request));
    }
    REQUIRE(bench.wait_for([&] {
        const auto said = test::content_of(calls);
        return std::count(said.begin(), said.end(), '\n') == 2;
    }));
    CHECK(test::content_of(calls).find("add 198.51.100.7 soft 120\n") != std::string::npos);
    CHECK(test::content_of(calls).find("add 198.51.100.8 hard 600\n") != std::string::npos);
    REQUIRE(bench.wait_for([&] {
        return bench.records().find("executed: blocked for 120 s (soft, forgeable)") !=
               std::string::npos;
    }));
}

TEST_CASE("service: only a responder that announces soft blocks is believed to make them") {
    for (const bool is_announced : {false, true}) {
        CAPTURE(is_announced);
        auto config = config_of("kind.sh", true, 600);
        config.bindings = {{"firewall-drop", seconds(600), base::BlockChoice::Auto, seconds(120)}};
        Bench bench(config);
        bench.home.add_script(
            "kind.sh", std::string(is_announced ? "echo '{\"supports\":[\"soft\"]}'\n" : "") +
                           "while read -r line; do\n"
                           "id=$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n"
                           "echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\"\ndone\n");
        bench.start();
        const Client engine(bench.home.folder / "execd.sock");
        auto request = response_to("198.51.100.7", 600);
        request.evidence = base::Evidence::Forgeable;
        request.block = base::BlockChoice::Auto;
        request.forgeable_timeout = seconds(120);
        engine.send(base::encode(request));
        REQUIRE(
            bench.wait_for([&] { return bench.records().find("executed:") != std::string::npos; }));
        const auto listed = bench.ask(base::ListRequest{}).bans;
        REQUIRE(listed.size() == 1);
        CHECK(listed.front().block ==
              (is_announced ? base::BlockKind::Soft : base::BlockKind::Hard));
    }
}

TEST_CASE("service: a flood of messages fills no disk, and root is answered meanwhile") {
    Bench bench(config_of("none.sh", false, 600));
    bench.start();
    const Client flood(bench.home.folder / "execd.sock");
    auto request = response_to("no address", 600);
    request.filename = std::string(1500, 'x');
    std::chrono::nanoseconds longest{0};
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 50; ++i) {
            flood.send(base::encode(request));
            REQUIRE(bench.service->run_until(
                [&, is_first = true]() mutable { return !std::exchange(is_first, false); },
                seconds(1)));
        }
        const auto asked = std::chrono::steady_clock::now();
        CHECK(bench.ask(base::ListRequest{}).ok);
        longest =
            std::max<std::chrono::nanoseconds>(longest, std::chrono::steady_clock::now() - asked);
    }
    CHECK(longest < seconds(2));  // of a machine that has other things to do
    const auto size = std::filesystem::file_size(bench.home.folder / "logs/ar.log") +
                      std::filesystem::file_size(bench.home.folder / "logs/ar.json");
    CHECK(size <= RecordLimit::Limits().bytes);
    CHECK(size > RecordLimit::Limits().bytes / 2);
    bench.clock.offset = seconds(61);
    bench.ask(base::ListRequest{});
    REQUIRE(bench.wait_for([&] {
        return bench.records().find("summary: records that were left out") != std::string::npos;
    }));
}

TEST_CASE("service: the never-block list comes in pages, whole and in order") {
    Bench bench(config_of("script", false, 600));
    for (int i = 0; i < 500; ++i) {
        const auto text = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
        bench.protection.shown.push_back(
            {*base::IpAddress::parse(text), std::string(static_cast<std::size_t>(i), '"')});
    }
    bench.protection.shown.push_back({*base::Cidr::parse("203.0.113.0/24"), "\x1b[31m\xff"});
    bench.start();
    std::vector<base::ProtectedRow> rows;
    base::ProtectedRequest request;
    int pages = 0;
    do {
        const auto page = bench.ask(request);
        REQUIRE(page.ok);
        rows.insert(rows.end(), page.protected_entries.begin(), page.protected_entries.end());
        request.after = page.next;
        REQUIRE(++pages < 600);
    } while (!request.after.empty());
    CHECK(pages > 1);
    REQUIRE(rows.size() == 501);
    CHECK(rows[0].network == "10.0.0.0");
    CHECK(rows[20].reason == std::string(20, '"'));
    CHECK(rows[499].reason.size() == 300);  // cut
    CHECK(rows[500].network == "203.0.113.0/24");
    // An invented cursor, and a text that is not an address.
    CHECK(bench.ask(base::ProtectedRequest{"99999999999999999999", {}}).protected_entries.empty());
    CHECK_FALSE(bench.ask(base::ProtectedRequest{{}, "nobody"}).ok);
    CHECK(bench.ask(base::ProtectedRequest{{}, "192.0.2.1"}).text == "not protected");
}

TEST_CASE("service: a response bans the network of an IPv6 source, a ban by hand never") {
    auto config = config_of("script", false, 600);
    config.ipv6_prefix = 64;
    Bench bench(config);
    bench.home.add_script("script", "exit 0");
    bench.start();
    base::RespondRequest request;
    request.command = "firewall-drop";
    request.timeout = seconds(600);
    request.srcip = "2001:db8:0:1::7";
    request.alert_id = "1700000000.1";
    request.rule_id = 99990;
    request.location = "iplog";
    const Client engine(bench.home.folder / "execd.sock");
    engine.send(base::encode(request));
    CHECK(bench.wait_for(
        [&] { return bench.records().find(" 2001:db8:0:1::/64 ") != std::string::npos; }));
    CHECK(bench.ask(base::BanRequest{"2001:db8:0:2::7", seconds(600)}).ok);
    CHECK(bench.records().find(" 2001:db8:0:2::7 ") != std::string::npos);
}
