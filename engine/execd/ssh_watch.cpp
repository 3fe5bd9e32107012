#include "engine/execd/ssh_watch.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/fd.hpp"
#include "engine/execd/ssh_sessions.hpp"

namespace portcullis::execd {
namespace {

using base::IpAddress;

// With more processes that are not logged in, one search by the kernel's sockets costs less.
constexpr int kMaxTitles = 24;

std::string folder_of(pid_t process) { return fmt::format("/proc/{}", process); }

// A process in another network namespace has no connections of this host.
bool is_in_our_network(pid_t process) {
    struct stat theirs {};
    struct stat ours {};
    return ::stat((folder_of(process) + "/ns/net").c_str(), &theirs) == 0 &&
           ::stat("/proc/thread-self/ns/net", &ours) == 0 && theirs.st_ino == ours.st_ino;
}

std::optional<IpAddress> peer_of(int socket) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    int type = 0;
    socklen_t type_size = sizeof type;
    if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_STREAM ||
        ::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
        return std::nullopt;
    }
    if (storage.ss_family == AF_INET) {
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(storage).sin_addr,
                    bytes.size());
        return IpAddress::v4(bytes);
    }
    if (storage.ss_family == AF_INET6) {
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr,
                    bytes.size());
        return IpAddress::v6(bytes);
    }
    return std::nullopt;
}

// Returns the peers of the TCP connections of `process`; nullopt = its sockets may not be read.
std::optional<std::vector<IpAddress>> peers_of(pid_t process) {
    std::vector<IpAddress> peers;
    const base::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
    if (!handle) {
        return errno == ESRCH ? std::optional(peers) : std::nullopt;
    }
    for (const int number : socket_numbers_of(folder_of(process))) {
        const base::UniqueFd socket(
            static_cast<int>(::syscall(SYS_pidfd_getfd, handle.get(), number, 0)));
        if (!socket && errno != EBADF && errno != ESRCH) {
            return std::nullopt;
        }
        if (const auto peer = socket ? peer_of(socket.get()) : std::nullopt) {
            peers.push_back(*peer);
        }
    }
    return peers;
}

}  // namespace

SshWatch::SshWatch(std::string root) : root_(std::move(root)) {
    if (root_.empty()) {
        events_ = ProcessEvents::open();
        take_events();
    }
}

void SshWatch::take(const ProcessEvent& event) {
    switch (event.kind) {
        case ProcessEvent::Kind::Fork:
            processes_.erase(event.child);
            if (processes_.count(event.process) > 0) {
                processes_[event.child];
            }
            break;
        case ProcessEvent::Kind::Exec:
            processes_.erase(event.process);
            if (is_ssh_program(folder_of(event.process))) {
                processes_[event.process];
            }
            break;
        case ProcessEvent::Kind::Exit:
            processes_.erase(event.process);
            break;
    }
}

void SshWatch::look_again() {
    is_complete_ = false;
    take_events();
}

// Handles the queued events. Returns whether all processes of sshd are known now.
bool SshWatch::take_events() {
    for (int attempt = 0; events_ && attempt < 2; ++attempt) {
        const bool is_all = events_->drain([this](const ProcessEvent& event) { take(event); });
        if (is_all && is_complete_) {
            return true;
        }
        // The lost events are older than this reading of /proc, and newer ones are queued. An event
        // that /proc already showed has no further effect.
        processes_.clear();
        for (const pid_t process : ssh_processes_in("/proc")) {
            processes_[process];
        }
        is_complete_ = true;
    }
    is_complete_ = false;
    return false;
}

std::optional<std::string> SshWatch::find_session(const base::Cidr& asked) {
    if (!take_events()) {
        return find_ssh_session(asked, root_);
    }
    int titles = 0;
    for (auto& [process, peers] : processes_) {
        if (peers.empty()) {
            if (++titles > kMaxTitles) {
                return find_ssh_session(asked, root_);
            }
            if (!is_authenticated_title(process_title(folder_of(process))) ||
                !is_in_our_network(process) || !is_of_root_sshd(folder_of(process))) {
                continue;
            }
            // A session keeps its user and its connection until the process ends.
            auto found = peers_of(process);
            if (!found) {
                return find_ssh_session(asked, root_);
            }
            peers = std::move(*found);
        }
        if (std::any_of(peers.begin(), peers.end(),
                        [&](const IpAddress& peer) { return asked.contains(peer); })) {
            auto title = process_title(folder_of(process));
            return title.empty() ? "sshd" : title;
        }
    }
    return std::nullopt;
}

void SshWatch::for_each(
    const std::function<void(const IpAddress&, const std::string&)>& on_session) const {
    if (!root_.empty()) {
        return;
    }
    for (const pid_t process : ssh_processes_in("/proc")) {
        const std::string title = process_title(folder_of(process));
        if (is_authenticated_title(title) && is_in_our_network(process) &&
            is_of_root_sshd(folder_of(process))) {
            for (const auto& peer : peers_of(process).value_or(Peers())) {
                on_session(peer, title);
            }
        }
    }
}

}  // namespace portcullis::execd
