#include "engine/app/bans.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>

#include "engine/app/pid_file.hpp"
#include "engine/base/ban_target.hpp"
#include "engine/base/event_loop.hpp"
#include "engine/base/fd.hpp"
#include "engine/base/ip_address.hpp"
#include "engine/base/log.hpp"
#include "engine/base/response_message.hpp"
#include "engine/execd/service.hpp"

namespace portcullis::app {
namespace {

using base::Reply;

// Undoing very many bans by scripts takes long; the kernel's sets take no time.
constexpr timeval kReplyLimit{600, 0};

const Reply kNoBans{true, "there are no bans", {}, {}};

base::Diagnostic problem(std::string what) {
    base::Diagnostic diagnostic;
    diagnostic.code = "control";
    diagnostic.message = std::move(what);
    return diagnostic;
}

// A connection to a running execd; no descriptor = there is none.
class ExecdClient {
  public:
    explicit ExecdClient(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (!fd_ || path.size() >= sizeof address.sun_path) {
            fd_.reset();
            return;
        }
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kReplyLimit, sizeof kReplyLimit);
        if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            fd_.reset();
        }
    }
    bool is_connected() const { return static_cast<bool>(fd_); }

    base::Result<Reply> ask(const base::ResponseMessage& message) const {
        const std::string packet = base::encode(message);
        std::string answer(base::kMaxMessageSize, '\0');
        ssize_t got = ::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
        if (got >= 0) {
            got = ::recv(fd_.get(), answer.data(), answer.size(), 0);
        }
        if (got <= 0) {
            return base::fail(problem(::geteuid() == 0 ? "execd gives no answer"
                                                       : "execd refuses: only root may do this"));
        }
        answer.resize(static_cast<std::size_t>(got));
        return base::decode_reply(answer);
    }

  private:
    base::UniqueFd fd_;
};

// Undoing needs no never-block list.
class NoProtection final : public execd::Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr&) override { return {}; }
    std::optional<std::string> standing_reason(const base::Cidr&) override { return {}; }
};

// Does `work` as execd would; `if_none` is the reply where execd never was. The journal says which
// executable undoes what, so that this works with a configuration that cannot be read.
base::Result<Reply> work_without_execd(
    const Home& home, const Reply& if_none,
    const std::function<void(execd::Executor&, base::Timestamp, execd::Executor::OnReply)>& work) {
    if (!std::filesystem::exists(home.bans())) {
        return if_none;
    }
    const auto lock = PidFile::lock(home.pid_file("execd"));
    if (!lock) {
        return base::fail(lock.error());
    }
    ::signal(SIGPIPE, SIG_IGN);
    base::Log log("portcullis-control");
    base::EventLoop loop;
    const base::SystemClock clock;
    NoProtection protection;
    std::optional<Reply> reply;  // outlives the callbacks that the service may still hold
    auto service = execd::Service::open(loop, clock, log,
                                        {home.responders(), home.bans(), home.responses_log(),
                                         home.responses_json(), home.execd_socket()},
                                        {}, protection);
    if (!service) {
        return base::fail(std::move(service.error()));
    }
    work((*service)->executor(), clock.now(), [&](const Reply& got) { reply = got; });
    const bool is_done = (*service)->run_until([&] { return reply.has_value(); },
                                               std::chrono::seconds(kReplyLimit.tv_sec));
    if (!is_done) {
        return base::fail(problem("the commands that undo the bans do not come to an end"));
    }
    return *reply;
}

int report(const base::Result<Reply>& reply) {
    if (!reply) {
        std::fprintf(stderr, "portcullis-control: %s", base::render(reply.error()).c_str());
        return 1;
    }
    std::fprintf(reply->ok ? stdout : stderr, "%s\n", reply->text.c_str());
    return reply->ok ? 0 : 1;
}

std::string time_text(std::int64_t time) {
    return time == 0 ? "never"
                     : fmt::format("{:%Y-%m-%d %H:%M:%S}",
                                   fmt::localtime(static_cast<std::time_t>(time)));
}

void print_row(const base::BanRow& row) {
    const std::string left =
        row.until == 0
            ? "-"
            : fmt::format("{}", std::max<std::int64_t>(0, row.until - std::time(nullptr)));
    const std::string line =
        fmt::format("{:<39} {:<16} {:<20} {:<19} {:>8}  {}\n", row.address, row.user, row.command,
                    time_text(row.until), left,
                    row.rule_id == 0 ? "by hand" : fmt::format("rule {}", row.rule_id));
    std::fputs(line.c_str(), stdout);
}

// A page of the table of bans.
base::Result<Reply> ask_for_bans(const Home& home, const ExecdClient& execd,
                                 const base::ListRequest& request) {
    if (execd.is_connected()) {
        return execd.ask(request);
    }
    return work_without_execd(
        home, kNoBans,
        [&](execd::Executor& executor, base::Timestamp, const execd::Executor::OnReply& on_reply) {
            on_reply(executor.list(request));
        });
}

}  // namespace

int list_bans(const Home& home) {
    const ExecdClient execd(home.execd_socket());
    base::ListRequest request;
    bool is_first = true;
    do {
        auto reply = ask_for_bans(home, execd, request);
        if (!reply || !reply->ok) {
            return report(reply);
        }
        if (is_first && !reply->bans.empty()) {
            const std::string title =
                fmt::format("{:<39} {:<16} {:<20} {:<19} {:>8}  {}\n", "ADDRESS", "USER", "COMMAND",
                            "UNTIL", "SECONDS", "WHY");
            std::fputs(title.c_str(), stdout);
        }
        if (is_first && reply->bans.empty()) {
            std::puts("there are no bans");
        }
        is_first = false;
        for (const auto& row : reply->bans) {
            print_row(row);
        }
        request.after = reply->next;
    } while (!request.after.empty());
    return 0;
}

int ban(const Home& home, const std::string& address, std::chrono::seconds timeout) {
    const ExecdClient execd(home.execd_socket());
    if (!execd.is_connected()) {
        return report(
            base::fail(problem("execd is not running, and only a running execd knows whom "
                               "it must not block: start it first")));
    }
    return report(execd.ask(base::BanRequest{address, timeout}));
}

int unban(const Home& home, const std::string& address) {
    const base::UnbanRequest request{address};
    if (const ExecdClient execd(home.execd_socket()); execd.is_connected()) {
        return report(execd.ask(request));
    }
    const char* const why =
        base::parse_ban_target(address) ? "there is no ban of this address" : "not an IP address";
    return report(work_without_execd(
        home, {false, why, {}, {}},
        [&](execd::Executor& executor, base::Timestamp now, execd::Executor::OnReply on_reply) {
            executor.unban(request, now, std::move(on_reply));
        }));
}

int flush_bans(const Home& home) {
    if (const ExecdClient execd(home.execd_socket()); execd.is_connected()) {
        return report(execd.ask(base::FlushRequest{}));
    }
    return report(work_without_execd(
        home, kNoBans,
        [](execd::Executor& executor, base::Timestamp now, execd::Executor::OnReply on_reply) {
            executor.flush(now, std::move(on_reply));
        }));
}

std::optional<std::string> ban_count(const Home& home) {
    const ExecdClient execd(home.execd_socket());
    const auto reply = ask_for_bans(home, execd, {});
    return reply && reply->ok ? std::optional(reply->text) : std::nullopt;
}

}  // namespace portcullis::app
