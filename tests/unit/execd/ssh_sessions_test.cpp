#include "engine/execd/ssh_sessions.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "base/fd.hpp"
#include "engine/execd/ssh_watch.hpp"
#include "tests/support/network_namespace.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;

namespace {

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

// A program of this test's own; ends with it.
class Program {
  public:
    explicit Program(const std::string& command) : pid_(::fork()) {
        if (pid_ == 0) {
            ::execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
            ::_exit(127);
        }
    }
    ~Program() {
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

  private:
    pid_t pid_;
};

base::UniqueFd connect_to(const char* from, int port) {
    base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in end{};
    end.sin_family = AF_INET;
    std::memcpy(&end.sin_addr, address(from).data(), 4);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&end), sizeof end) != 0) {
        return base::UniqueFd();
    }
    end.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    end.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&end), sizeof end) != 0) {
        return base::UniqueFd();
    }
    return fd;
}

// A real sshd with keys of its own, on port 2222 of this namespace.
class Sshd {
  public:
    Sshd() {
        std::filesystem::create_directories("/run/sshd");
        const std::string command = "cd " + folder_.path() +
                                    " && ssh-keygen -q -t ed25519 -N '' -f host"
                                    " && ssh-keygen -q -t ed25519 -N '' -f user"
                                    " && cp user.pub authorized && chmod 644 authorized"
                                    " && chmod 755 .";
        REQUIRE(std::system(command.c_str()) == 0);
        test::overwrite(folder_ / "config", "Port 2222\nListenAddress 0.0.0.0\nHostKey " +
                                                (folder_ / "host") + "\nAuthorizedKeysFile " +
                                                (folder_ / "authorized") +
                                                "\nStrictModes no\nUsePAM no\nPidFile none\n"
                                                "PermitRootLogin prohibit-password\n");
        server_ = std::make_unique<Program>("/usr/sbin/sshd -D -e -f " + (folder_ / "config") +
                                            " 2>" + (folder_ / "sshd.log"));
        REQUIRE(wait_until([] { return static_cast<bool>(connect_to("127.0.0.9", 2222)); }));
    }
    // The command of a client that comes from the address `from`.
    std::string login(const char* from, const char* user, const std::string& what) const {
        return "ssh -F none -p 2222 -b " + std::string(from) + " -i " + (folder_ / "user") +
               " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes "
               "-o LogLevel=ERROR " +
               user + "@127.0.0.1 " + what;
    }
    std::string log() const { return test::content_of(folder_ / "sshd.log"); }

  private:
    const test::TemporaryFolder folder_;
    std::unique_ptr<Program> server_;
};

bool can_run_sshd() {
    if (::access("/usr/sbin/sshd", X_OK) != 0 || !test::enter_network_namespace()) {
        WARN("SKIPPED: this needs openssh-server and root");
        return false;
    }
    return true;
}

}  // namespace

TEST_CASE("ssh_sessions: only the title of a logged-in user counts") {
    const struct {
        const char* title;
        bool is_authenticated;
    } rows[] = {
        {"sshd: alice@pts/0", true},
        {"sshd: alice@pts/0,pts/3", true},
        {"sshd: alice@notty", true},
        {"sshd-session: alice@pts/0", true},
        {"sshd: alice", true},
        {"sshd: alice [priv]", false},
        {"sshd: alice [net]", false},
        {"sshd: unknown [net]", false},
        {"sshd: [accepted]", false},
        {"sshd: [net]", false},
        {"sshd-session: alice [preauth]", false},
        {"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", false},
        {"sshd: /usr/sbin/sshd", false},
        {"/usr/sbin/sshd -D", false},
        {"sshd: ", false},
        {"bash: alice@pts/0", false},
        {"", false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.title);
        CHECK(is_authenticated_title(row.title) == row.is_authenticated);
    }
}

TEST_CASE("ssh_sessions: the kernel's text of sockets is read in both families") {
    const std::string_view v4 =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode\n"
        "   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "11 1\n"
        "   1: 0100007F:0016 070200C0:D431 01 00000000:00000000 02:000A7214 00000000     0        "
        "0 "
        "22 4\n"
        "   2: 0100007F:0016 070200C0:D432 06 00000000:00000000 03:00001770 00000000     0        "
        "0 "
        "33 3\n";
    CHECK(established_sockets_in(v4, address("192.0.2.7")) == std::set<std::uint64_t>{22});
    CHECK(established_sockets_in(v4, address("192.0.2.8")).empty());
    const std::string_view v6 =
        "   0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF0000070200C0:D431 01 "
        "00000000:00000000 02:0 0 0 0 44 1\n"
        "   1: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:D431 01 "
        "00000000:00000000 02:0 0 0 0 55 1\n";
    CHECK(established_sockets_in(v6, address("192.0.2.7")) == std::set<std::uint64_t>{44});
    CHECK(established_sockets_in(v6, address("2001:db8::2")) == std::set<std::uint64_t>{55});
    CHECK(established_sockets_in("garbage\n\n: : : :", address("192.0.2.7")).empty());
}

TEST_CASE("ssh_sessions: a real login is found, on any port; a mere connection is not") {
    if (!can_run_sshd()) {
        return;
    }
    const Sshd sshd;
    const base::UniqueFd mere = connect_to("127.0.0.2", 2222);
    char banner[64];
    REQUIRE(::read(mere.get(), banner, sizeof banner) > 4);  // an sshd process serves it
    CHECK_FALSE(find_ssh_session(address("127.0.0.2"), "").has_value());
    const auto is_found = [](const char* from) {
        return [from] { return find_ssh_session(address(from), "").has_value(); };
    };
    {
        const Program session(sshd.login("127.0.0.3", "root", "sleep 60"));
        CHECK(wait_until(is_found("127.0.0.3")));
        INFO(sshd.log());
        // "sshd: root" once logged in, "sshd: root@notty" once the command runs.
        CHECK(wait_until(
            [] { return find_ssh_session(address("127.0.0.3"), "") == "sshd: root@notty"; }));
    }
    CHECK(wait_until([&] { return !is_found("127.0.0.3")(); }));
    {
        const Program tunnel(sshd.login("127.0.0.4", "root", "-N"));
        CHECK(wait_until(is_found("127.0.0.4")));
    }
    CHECK_FALSE(is_found("127.0.0.2")());
}

TEST_CASE("ssh_watch: who has just logged in is found by the very next question") {
    SshWatch watch("");  // in the host's own namespace, the only one where it can follow
    if (!can_run_sshd()) {
        return;
    }
    if (watch.fd() < 0) {
        WARN("SKIPPED in part: this kernel does not report processes, so that nothing is followed");
    }
    const Sshd sshd;
    const base::UniqueFd mere = connect_to("127.0.0.2", 2222);
    char banner[64];
    REQUIRE(::read(mere.get(), banner, sizeof banner) > 4);
    for (int round = 0; round < 5; ++round) {
        const std::string from = "127.0.1." + std::to_string(round + 1);
        CHECK_FALSE(watch.find_session(address(from.c_str())).has_value());
        std::FILE* session = ::popen(sshd.login(from.c_str(), "root",
                                                "'echo in; exec sleep 60' & echo $!;"
                                                " wait")
                                         .c_str(),
                                     "r");
        REQUIRE(session != nullptr);
        char line[64];
        REQUIRE(std::fgets(line, sizeof line, session) != nullptr);
        const pid_t client = std::atoi(line);
        INFO(sshd.log());
        const bool is_in = std::fgets(line, sizeof line, session) != nullptr;
        CHECK(is_in);  // the first byte that the administrator sees
        CHECK(watch.find_session(address(from.c_str())).has_value());
        CHECK_FALSE(watch.find_session(address("127.0.0.2")).has_value());
        // One that is made now learns the session from /proc.
        CHECK(SshWatch("").find_session(address(from.c_str())).has_value());
        ::kill(client, SIGTERM);
        ::pclose(session);
        CHECK(wait_until([&] { return !watch.find_session(address(from.c_str())); }));
    }
}

TEST_CASE(
    "ssh_watch: an unprivileged user's session is found too, and what is lost is made up for") {
    SshWatch watch("");  // in the host's own namespace, the only one where it can follow
    if (!can_run_sshd()) {
        return;
    }
    const Sshd sshd;
    const Program tunnel(sshd.login("127.0.0.5", "nobody", "-N"));
    INFO(sshd.log());
    CHECK(wait_until([&] { return watch.find_session(address("127.0.0.5")).has_value(); }));
    // More events than the queue holds.
    REQUIRE(std::system("i=0; while [ $i -lt 8000 ]; do (:); i=$((i+1)); done") == 0);
    CHECK(watch.find_session(address("127.0.0.5")).has_value());
    CHECK_FALSE(watch.find_session(address("127.0.0.6")).has_value());
}

TEST_CASE("ssh_sessions: sshd that a local user runs under any title spares nobody") {
    if (!can_run_sshd()) {
        return;
    }
    const Sshd sshd;  // something to be connected to
    const base::UniqueFd accepted = connect_to("127.0.0.1", 2222);
    REQUIRE(accepted);
    // Its peer is 127.0.0.1, by root's real program, stopped at its first instruction: nothing but
    // its parent process shows that this is not a login.
    const auto forge = [&](uid_t uid) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::fcntl(accepted.get(), F_SETFD, 0);
            char title[] = "sshd: admin@pts/0";
            char* const arguments[] = {title, nullptr};
            if (::setresuid(uid, uid, uid) == 0 &&
                ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) {
                ::execv("/usr/sbin/sshd", arguments);
            }
            ::_exit(127);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSTOPPED(status));
        return child;
    };
    const auto end = [](pid_t child) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    };
    SshWatch watch("");
    const pid_t by_root = forge(0);
    CHECK(find_ssh_session(address("127.0.0.1"), "").has_value());  // the forgery is a good one
    end(by_root);
    const pid_t by_user = forge(65534);
    CHECK_FALSE(find_ssh_session(address("127.0.0.1"), "").has_value());
    CHECK_FALSE(watch.find_session(address("127.0.0.1")).has_value());
    end(by_user);
}
