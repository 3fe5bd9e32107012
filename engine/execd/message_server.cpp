#include "engine/execd/message_server.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <variant>

#include "base/response_message.hpp"

namespace portcullis::execd {
namespace {

constexpr int kMessagesPerRound = 32;

tl::unexpected<base::Diagnostic> cannot_listen(const std::string& path, int error) {
    return base::fail("cannot-listen",
                      fmt::format("cannot listen on the socket: {}", base::error_text(error)),
                      {path});
}

base::ProtectedRow row_of(const ProtectedEntry& entry) {
    constexpr std::size_t kMaxReason = 300;  // the title of a process may be long
    return {entry.network.is_one_address() ? entry.network.address.to_string()
                                           : entry.network.to_string(),
            entry.reason.substr(0, kMaxReason)};
}

}  // namespace

base::Result<std::unique_ptr<MessageServer>> MessageServer::listen(const std::string& path,
                                                                   uid_t engine_uid, Parts parts) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return cannot_listen(path, ENAMETOOLONG);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    base::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        return cannot_listen(path, errno);
    }
    ::unlink(path.c_str());
    // Every user may connect, so that requests of a wrong user are recorded.
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(path.c_str(), 0666) != 0 || ::listen(fd.get(), 64) != 0) {
        return cannot_listen(path, errno);
    }
    return std::unique_ptr<MessageServer>(
        new MessageServer(std::move(parts), engine_uid, path, std::move(fd)));
}

MessageServer::MessageServer(Parts parts, uid_t engine_uid, std::string path, base::UniqueFd fd)
    : parts_(std::move(parts)),
      engine_uid_(engine_uid),
      path_(std::move(path)),
      fd_(std::move(fd)),
      source_(
          parts_.loop.watch_fd(fd_.get(), EPOLLIN, [this](std::uint32_t) { accept_clients(); })) {}

MessageServer::~MessageServer() { ::unlink(path_.c_str()); }

void MessageServer::refuse(uid_t uid, std::string reason) {
    Record record;
    record.time = parts_.clock.now();
    record.asker = uid;
    record.user = fmt::format("uid:{}", uid);
    record.outcome = Outcome::Refused;
    record.reason = std::move(reason);
    parts_.records.write(record);
}

void MessageServer::accept_clients() {
    for (int round = 0; round < kMessagesPerRound; ++round) {
        base::UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            break;
        }
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
            continue;
        }
        if (peer.uid != 0 && peer.uid != engine_uid_) {
            refuse(peer.uid,
                   fmt::format("uid {} (process {}) may not talk to execd", peer.uid, peer.pid));
            continue;
        }
        const auto others = std::count_if(clients_.begin(), clients_.end(),
                                          [](const auto& entry) { return entry.second.uid != 0; });
        if (clients_.size() >= kMaxClients ||
            (peer.uid != 0 && static_cast<std::size_t>(others) >= kMaxClientsOfOthers)) {
            refuse(peer.uid, "too many connections");
            continue;
        }
        const auto id = ++last_id_;
        Client& client = clients_[id];
        client.fd = std::move(fd);
        client.uid = peer.uid;
        client.source = parts_.loop.watch_fd(client.fd.get(), EPOLLIN,
                                             [this, id](std::uint32_t) { read_messages(id); });
    }
    parts_.on_handled();  // records may be due later
}

void MessageServer::read_messages(std::uint64_t id) {
    parts_.before_handling();
    // One byte more than a message may have, so that a longer one is recognized.
    std::array<char, base::kMaxMessageSize + 1> buffer;
    for (int round = 0; round < kMessagesPerRound; ++round) {
        const auto it = clients_.find(id);
        if (it == clients_.end()) {
            break;
        }
        const ssize_t got = ::recv(it->second.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            clients_.erase(it);
            break;
        }
        handle(id, {buffer.data(), static_cast<std::size_t>(got)});
    }
    parts_.on_handled();
}

void MessageServer::handle(std::uint64_t id, std::string_view packet) {
    const uid_t uid = clients_.at(id).uid;
    const auto now = parts_.clock.now();
    const auto message = base::decode_message(packet);
    if (!message) {
        refuse(uid, "not a message: " + message.error().message);
        reply(id, {false, message.error().message, {}, {}});
        return;
    }
    if (const auto* request = std::get_if<base::RespondRequest>(&*message)) {
        parts_.executor.respond(*request, now);
        return;
    }
    if (uid != 0) {
        refuse(uid, fmt::format("uid {} may only ask for responses", uid));
        reply(id, {false, "only root may do this", {}, {}});
        return;
    }
    // After the end of this server no reply is sent.
    const auto on_reply = [this, id,
                           life = std::weak_ptr<const bool>(life_)](const base::Reply& result) {
        if (!life.expired()) {
            reply(id, result);
        }
    };
    if (const auto* list = std::get_if<base::ListRequest>(&*message)) {
        auto page = parts_.executor.list(*list);
        page.is_dry_run = parts_.is_dry_run();
        reply(id, page);
    } else if (const auto* asked = std::get_if<base::ProtectedRequest>(&*message)) {
        reply(id, answer(*asked));
    } else if (const auto* unexplained = std::get_if<base::UnexplainedRequest>(&*message)) {
        parts_.executor.list_unexplained(*unexplained, on_reply);
    } else if (const auto* ban = std::get_if<base::BanRequest>(&*message)) {
        parts_.executor.ban(*ban, now, on_reply);
    } else if (const auto* unban = std::get_if<base::UnbanRequest>(&*message)) {
        parts_.executor.unban(*unban, now, on_reply);
    } else {
        parts_.executor.flush(now, on_reply);
    }
}

base::Reply MessageServer::answer(const base::ProtectedRequest& request) {
    if (!request.address.empty()) {
        const auto target = base::Cidr::parse(request.address);
        if (!target) {
            return {false, "neither an address nor a network", {}, {}};
        }
        const auto reason = parts_.protection.reason_to_spare(*target);
        base::Reply result{true, "not protected", {}, {}};
        if (reason) {
            result.text = fmt::format("protected: {}", *reason);
            result.protected_entries.push_back(row_of({*target, *reason}));
        }
        return result;
    }
    std::size_t at = 0;
    std::from_chars(request.after.data(), request.after.data() + request.after.size(), at);
    if (request.after.empty()) {
        protected_ = parts_.protection.all_protected();
    }
    base::Reply page{true, fmt::format("{} protected", protected_.size()), {}, {}};
    std::size_t room = base::kMaxMessageSize - 1024;  // for the members around the rows
    for (; at < protected_.size(); ++at) {
        auto row = row_of(protected_[at]);
        const auto size = base::encoded_size_of(row);
        if (size > room) {
            break;
        }
        room -= size;
        page.protected_entries.push_back(std::move(row));
    }
    if (at < protected_.size()) {
        page.next = std::to_string(at);
    } else {
        protected_ = {};
    }
    return page;
}

void MessageServer::reply(std::uint64_t id, const base::Reply& reply) {
    const auto it = clients_.find(id);
    if (it == clients_.end()) {
        return;
    }
    const std::string packet = base::encode(reply);
    if (::send(it->second.fd.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) <
        0) {
        clients_.erase(it);
    }
}

}  // namespace portcullis::execd
