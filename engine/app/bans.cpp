#include "engine/app/bans.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/app/execd_configuration.hpp"
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

// What the configuration says of responders; nothing, if it has errors.
execd::ExecdConfig config_or_nothing(const Home& home, const std::string& config_path) {
    base::Diagnostics diagnostics;
    auto config = load_execd_config(home, config_path, diagnostics);
    return diagnostics.has_errors() ? execd::ExecdConfig() : config;
}

// Does `work` as execd would; `if_none` is the reply where execd never was and no responder can be
// asked. The journal says which executable undoes what, so that this works with a configuration
// that cannot be read.
base::Result<Reply> work_without_execd(
    const Home& home, execd::ExecdConfig config, const Reply& if_none,
    const std::function<void(execd::Executor&, base::Timestamp, execd::Executor::OnReply)>& work) {
    if (!std::filesystem::exists(home.bans())) {
        const bool has_responder =
            std::any_of(config.commands.begin(), config.commands.end(),
                        [](const execd::Command& command) { return command.is_persistent; });
        if (!has_responder || ::geteuid() != 0) {
            return if_none;
        }
        ::umask(022);  // of the folders, which other users have to enter
        for (const auto& folder :
             {home.resolve("run"), home.resolve("var"), home.resolve("logs")}) {
            ::mkdir(folder.c_str(), 0755);  // what is missing is noticed below, with its name
        }
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
                                        std::move(config), protection);
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

// What `bans` shows.
struct Listing {
    std::vector<base::BanRow> bans;
    std::vector<base::BlockRow> blocks;  // that no ban explains
    std::string more;                    // "and N more", or nothing
    std::string problem;                 // why `blocks` may lack some, or nothing
};

void add_page(Listing& listing, const Reply& page) {
    listing.blocks.insert(listing.blocks.end(), page.blocks.begin(), page.blocks.end());
    (page.ok ? listing.more : listing.problem) = page.text;
}

base::Result<Listing> ask_for_listing(const ExecdClient& execd) {
    Listing listing;
    base::ListRequest request;
    do {
        auto reply = execd.ask(request);
        if (!reply) {
            return base::fail(std::move(reply.error()));
        }
        if (!reply->ok) {
            return base::fail(problem(reply->text));
        }
        listing.bans.insert(listing.bans.end(), reply->bans.begin(), reply->bans.end());
        request.after = reply->next;
    } while (!request.after.empty());
    base::UnexplainedRequest unexplained;
    do {
        auto reply = execd.ask(unexplained);
        if (!reply) {
            return base::fail(std::move(reply.error()));
        }
        add_page(listing, *reply);
        unexplained.after = reply->next;
    } while (!unexplained.after.empty());
    return listing;
}

base::Result<Listing> make_listing(const Home& home, const std::string& config_path) {
    Listing listing;
    const auto done = work_without_execd(
        home, config_or_nothing(home, config_path), kNoBans,
        [&](execd::Executor& executor, base::Timestamp, const execd::Executor::OnReply& on_reply) {
            base::ListRequest request;
            do {
                const auto page = executor.list(request);
                listing.bans.insert(listing.bans.end(), page.bans.begin(), page.bans.end());
                request.after = page.next;
            } while (!request.after.empty());
            executor.list_unexplained({}, [&listing, &executor, on_reply](const Reply& first) {
                std::string after = first.next;
                add_page(listing, first);
                while (!after.empty()) {  // answered at once: the first page has asked
                    executor.list_unexplained({after}, [&](const Reply& page) {
                        add_page(listing, page);
                        after = page.next;
                    });
                }
                on_reply(kNoBans);
            });
        });
    if (!done) {
        return base::fail(done.error());
    }
    return listing;
}

void print_blocks(const Listing& listing) {
    const std::string title = fmt::format(
        "blocked without a ban of this home (unban IP and flush release them):\n"
        "{:<39} {:<20} {:>8}\n",
        "ADDRESS", "RESPONDER", "SECONDS");
    std::fputs(title.c_str(), stdout);
    for (const auto& block : listing.blocks) {
        const std::string left = block.left < 0 ? "no end" : std::to_string(block.left);
        const std::string line =
            fmt::format("{:<39} {:<20} {:>8}\n", block.address, block.responder, left);
        std::fputs(line.c_str(), stdout);
    }
    if (!listing.more.empty()) {
        std::puts(listing.more.c_str());
    }
}

}  // namespace

int list_bans(const Home& home, const std::string& config_path) {
    const ExecdClient execd(home.execd_socket());
    const auto listing =
        execd.is_connected() ? ask_for_listing(execd) : make_listing(home, config_path);
    if (!listing) {
        return report(base::fail(listing.error()));
    }
    if (listing->bans.empty()) {
        std::puts("there are no bans");
    } else {
        const std::string title = fmt::format("{:<39} {:<16} {:<20} {:<19} {:>8}  {}\n", "ADDRESS",
                                              "USER", "COMMAND", "UNTIL", "SECONDS", "WHY");
        std::fputs(title.c_str(), stdout);
    }
    for (const auto& row : listing->bans) {
        print_row(row);
    }
    if (!listing->blocks.empty()) {
        print_blocks(*listing);
    }
    if (!listing->problem.empty()) {
        return report(base::fail(problem(listing->problem)));
    }
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

int unban(const Home& home, const std::string& config_path, const std::string& address) {
    const base::UnbanRequest request{address};
    if (const ExecdClient execd(home.execd_socket()); execd.is_connected()) {
        return report(execd.ask(request));
    }
    const base::Reply otherwise =
        base::parse_ban_target(address)
            ? base::Reply{true, "nothing to do, there is no ban of this address", {}, {}}
            : base::Reply{false, "not an IP address", {}, {}};
    return report(work_without_execd(
        home, config_or_nothing(home, config_path), otherwise,
        [&](execd::Executor& executor, base::Timestamp now,
            const execd::Executor::OnReply& on_reply) { executor.unban(request, now, on_reply); }));
}

int flush_bans(const Home& home, const std::string& config_path) {
    if (const ExecdClient execd(home.execd_socket()); execd.is_connected()) {
        return report(execd.ask(base::FlushRequest{}));
    }
    return report(work_without_execd(
        home, config_or_nothing(home, config_path), kNoBans,
        [](execd::Executor& executor, base::Timestamp now,
           const execd::Executor::OnReply& on_reply) { executor.flush(now, on_reply); }));
}

std::optional<std::string> ban_count(const Home& home) {
    const ExecdClient execd(home.execd_socket());
    if (execd.is_connected()) {
        const auto reply = execd.ask(base::ListRequest{});
        return reply && reply->ok ? std::optional(reply->text) : std::nullopt;
    }
    const auto reply = work_without_execd(
        home, {}, kNoBans,
        [](execd::Executor& executor, base::Timestamp, const execd::Executor::OnReply& on_reply) {
            on_reply(executor.list({}));
        });
    return reply && reply->ok ? std::optional(reply->text) : std::nullopt;
}

}  // namespace portcullis::app
