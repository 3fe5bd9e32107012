#include "programs/control/bans.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/ban_target.hpp"
#include "base/event_loop.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "base/pid_file.hpp"
#include "base/response_message.hpp"
#include "engine/execd/never_block.hpp"
#include "engine/execd/service.hpp"
#include "programs/control/execd_connection.hpp"
#include "programs/execd_configuration.hpp"

namespace portcullis::programs {
namespace {

using base::Reply;

const Reply kNoBans{true, "there are no bans", {}, {}};

base::Diagnostic problem(std::string what) { return base::make_error("control", std::move(what)); }

// For undos, which need no never-block list.
class NoProtection final : public execd::Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr&) override { return {}; }
    std::optional<std::string> standing_reason(const base::Cidr&) override { return {}; }
};

// The configuration, or an empty one if it has errors.
execd::ExecdConfig config_or_nothing(const Home& home, const std::string& config_path) {
    base::Diagnostics diagnostics;
    auto config = load_execd_config(home, config_path, diagnostics);
    return diagnostics.has_errors() ? execd::ExecdConfig() : config;
}

// Does `work` in place of execd, with its lock. Returns `if_none` if execd has never run in this
// home and no responder can be asked. The journal holds the executable of each undo, so that this
// works with a configuration that cannot be read.
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
            ::mkdir(folder.c_str(), 0755);  // an error is reported below, with the name of the file
        }
    }
    const auto lock = base::PidFile::lock_before_fork(home.pid_file("execd"));
    if (!lock) {
        return base::fail(lock.error());
    }
    ::signal(SIGPIPE, SIG_IGN);
    base::Log log("portcullis-control");
    base::EventLoop loop;
    const base::SystemClock clock;
    NoProtection protection;
    std::optional<Reply> reply;  // outlives the callbacks of `service`
    auto service = execd::Service::open(loop, clock, log,
                                        {home.responders(), home.bans(), home.responses_log(),
                                         home.responses_json(), home.execd_socket()},
                                        std::move(config), protection);
    if (!service) {
        return base::fail(std::move(service.error()));
    }
    work((*service)->executor(), clock.now(), [&](const Reply& got) { reply = got; });
    const bool is_done =
        (*service)->run_until([&] { return reply.has_value(); }, ExecdConnection::kReplyLimit);
    if (!is_done) {
        return base::fail(problem("the commands that undo the bans do not end"));
    }
    return *reply;
}

// A responder may report bytes of any value.
void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int report(const base::Result<Reply>& reply) {
    if (!reply) {
        std::fprintf(stderr, "portcullis-control: %s", base::render(reply.error()).c_str());
        return 1;
    }
    std::fprintf(reply->ok ? stdout : stderr, "%s\n", reply->text.c_str());
    return reply->ok ? 0 : 1;
}

base::Result<BanListing> ask_for_listing(const ExecdConnection& execd) {
    BanListing listing;
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
        listing.is_dry_run = reply->is_dry_run;
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

base::Result<BanListing> make_listing(const Home& home, const std::string& config_path) {
    BanListing listing;
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
                while (
                    !after.empty()) {  // answered at once: the first page has asked the responders
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

base::Result<std::vector<base::ProtectedRow>> ask_for_protected(const ExecdConnection& execd,
                                                                const std::string& address) {
    std::vector<base::ProtectedRow> rows;
    base::ProtectedRequest request{{}, address};
    do {
        auto reply = execd.ask(request);
        if (!reply) {
            return base::fail(std::move(reply.error()));
        }
        if (!reply->ok) {
            return base::fail(problem(reply->text));
        }
        rows.insert(rows.end(), reply->protected_entries.begin(), reply->protected_entries.end());
        request.after = reply->next;
    } while (!request.after.empty());
    return rows;
}

// The list that execd would make if it were started now.
base::Result<std::vector<base::ProtectedRow>> find_protected(const Home& home,
                                                             const std::string& config_path,
                                                             const std::string& address) {
    base::Log log("portcullis-control");
    base::EventLoop loop;
    auto never_block = execd::NeverBlock::open(loop, log, "");
    if (!never_block) {
        return base::fail(std::move(never_block.error()));
    }
    base::Diagnostics diagnostics;
    (*never_block)->configure(load_execd_config(home, config_path, diagnostics));
    if (diagnostics.has_errors()) {
        return base::fail(problem("the configuration has errors: portcullis-engine -t shows them"));
    }
    std::vector<base::ProtectedRow> rows;
    if (!address.empty()) {
        const auto target = base::Cidr::parse(address);
        if (!target) {
            return base::fail(problem("neither an address nor a network"));
        }
        if (auto reason = (*never_block)->reason_to_spare(*target)) {
            rows.push_back({address, std::move(*reason)});
        }
        return rows;
    }
    for (auto& entry : (*never_block)->all_protected()) {
        rows.push_back({entry.network.is_one_address() ? entry.network.address.to_string()
                                                       : entry.network.to_string(),
                        std::move(entry.reason)});
    }
    return rows;
}

}  // namespace

base::Result<BanListing> listing_of(const Home& home, const std::string& config_path) {
    const ExecdConnection execd(home.execd_socket());
    return execd.is_connected() ? ask_for_listing(execd) : make_listing(home, config_path);
}

base::Result<std::vector<base::ProtectedRow>> protected_of(const Home& home,
                                                           const std::string& config_path,
                                                           const std::string& address) {
    const ExecdConnection execd(home.execd_socket());
    return execd.is_connected() ? ask_for_protected(execd, address)
                                : find_protected(home, config_path, address);
}

int list_protected(const Home& home, const std::string& config_path, const std::string& address) {
    const auto rows = protected_of(home, config_path, address);
    if (!rows) {
        return report(base::fail(rows.error()));
    }
    if (!ExecdConnection(home.execd_socket()).is_connected()) {
        std::fputs("execd does not run: this is what it would spare if it were started now\n",
                   stderr);
    }
    print(text_of_protected(*rows, address));
    return 0;
}

int list_bans(const Home& home, const std::string& config_path, Output output) {
    const auto listing = listing_of(home, config_path);
    if (!listing) {
        return report(base::fail(listing.error()));
    }
    print(output == Output::Json ? json_of(*listing) : text_of(*listing));
    if (!listing->problem.empty()) {
        return report(base::fail(problem(listing->problem)));
    }
    return 0;
}

int ban(const Home& home, const std::string& address, std::chrono::seconds timeout) {
    const ExecdConnection execd(home.execd_socket());
    if (!execd.is_connected()) {
        return report(
            base::fail(problem("execd does not run, and only a running execd knows the "
                               "addresses that must not be blocked: start it first")));
    }
    return report(execd.ask(base::BanRequest{address, timeout}));
}

int unban(const Home& home, const std::string& config_path, const std::string& address) {
    const base::UnbanRequest request{address};
    if (const ExecdConnection execd(home.execd_socket()); execd.is_connected()) {
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
    if (const ExecdConnection execd(home.execd_socket()); execd.is_connected()) {
        return report(execd.ask(base::FlushRequest{}));
    }
    return report(work_without_execd(
        home, config_or_nothing(home, config_path), kNoBans,
        [](execd::Executor& executor, base::Timestamp now,
           const execd::Executor::OnReply& on_reply) { executor.flush(now, on_reply); }));
}

std::optional<std::string> ban_count(const Home& home, std::chrono::milliseconds limit) {
    const std::string unknown = fmt::format("not known: execd does not answer (waited {} s)",
                                            std::chrono::duration<double>(limit).count());
    const ExecdConnection execd(home.execd_socket(), limit);
    if (execd.is_connected()) {
        const auto reply = execd.ask(base::ListRequest{});
        if (!reply) {
            return reply.error().code == "no-answer" ? std::optional(unknown) : std::nullopt;
        }
        if (!reply->ok) {
            return std::nullopt;
        }
        return reply->text +
               (reply->is_dry_run ? " of a dry run: no address is blocked" : " active");
    }
    if (execd.is_overdue()) {
        return unknown;
    }
    const auto reply = work_without_execd(
        home, {}, kNoBans,
        [](execd::Executor& executor, base::Timestamp, const execd::Executor::OnReply& on_reply) {
            on_reply(executor.list({}));
        });
    return reply && reply->ok ? std::optional(reply->text + " active") : std::nullopt;
}

}  // namespace portcullis::programs
