#include "engine/execd/ssh_sessions.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/fd.hpp"
#include "engine/execd/socket_diag.hpp"

namespace portcullis::execd {
namespace {

using base::IpAddress;
using Inodes = std::set<std::uint64_t>;

constexpr std::size_t kMaxSockets = 4096;
constexpr std::string_view kSshPrograms[] = {"sshd", "sshd-session"};

// Removes the next word from `text`, and returns it.
std::string_view next_word(std::string_view& text) {
    const auto first = std::min(text.find_first_not_of(' '), text.size());
    text.remove_prefix(first);
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    return word;
}

// Reads an address as the kernel prints it: "0100007F" or four such words, in host order.
std::optional<IpAddress> address_of_hex(std::string_view hex) {
    std::array<std::uint32_t, 4> words{};
    if (hex.size() != 8 && hex.size() != 32) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < hex.size() / 8; ++i) {
        const auto* from = hex.data() + 8 * i;
        const auto [end, error] = std::from_chars(from, from + 8, words[i], 16);
        if (error != std::errc{} || end != from + 8) {
            return std::nullopt;
        }
    }
    if (hex.size() == 8) {
        std::array<std::uint8_t, 4> v4{};
        std::memcpy(v4.data(), words.data(), v4.size());
        return IpAddress::v4(v4);
    }
    std::array<std::uint8_t, 16> v6{};
    std::memcpy(v6.data(), words.data(), v6.size());
    return IpAddress::v6(v6);
}

// Asks the kernel for established sockets with these peers. Returns false if the kernel has no
// inet_diag.
bool ask_kernel(SocketDiag& diag, const base::Cidr& peers, Inodes& inodes) {
    return diag.ask_and_read(SocketDiag::State::Established, SocketFilter::for_peers(peers),
                             [&](const TcpSocket& socket) {
                                 if (inodes.size() < kMaxSockets) {
                                     inodes.insert(socket.inode);
                                 }
                             });
}

Inodes established_sockets_of(const base::Cidr& peers, const std::string& root) {
    Inodes inodes;
    auto diag = root.empty() ? SocketDiag::open() : std::nullopt;
    if (diag && ask_kernel(*diag, peers, inodes)) {
        return inodes;
    }
    for (const char* name : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        if (const auto text = base::read_file(root + name)) {
            inodes.merge(established_sockets_in(*text, peers));
        }
    }
    return inodes;
}

std::string link_text(const std::string& path) {
    std::array<char, 512> text{};
    const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;
Folder open_folder(const std::string& path) { return {::opendir(path.c_str()), ::closedir}; }

// Returns the inode of the socket of a descriptor; nullopt = it is not a socket.
std::optional<std::uint64_t> socket_inode(const std::string& process, const char* descriptor) {
    constexpr std::string_view kSocket = "socket:[";
    const std::string target = link_text(process + "/fd/" + descriptor);
    std::uint64_t inode = 0;
    if (target.compare(0, kSocket.size(), kSocket) != 0 ||
        std::from_chars(target.data() + kSocket.size(), target.data() + target.size(), inode).ec !=
            std::errc{}) {
        return std::nullopt;
    }
    return inode;
}

struct Identity {
    bool is_root = false;  // in all its uids
    pid_t parent = 0;
};

// Reads the text of the file, since the folder of a process that is not dumpable, as sshd, always
// belongs to root.
Identity identity_of(const std::string& process) {
    Identity identity;
    const base::UniqueFd fd(::open((process + "/status").c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 2048> buffer{};
    const ssize_t size = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : -1;
    const std::string_view text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const auto line_of = [&](std::string_view name) {
        const auto at = text.find(name);  // a line feed in the name of a process is escaped
        return at == std::string_view::npos
                   ? std::string_view()
                   : text.substr(at + name.size(), text.find('\n', at + 1) - at - name.size());
    };
    identity.is_root = line_of("\nUid:\t") == "0\t0\t0\t0";
    const auto parent = line_of("\nPPid:\t");
    std::from_chars(parent.data(), parent.data() + parent.size(), identity.parent);
    return identity;
}

bool holds_one_of(const std::string& process, const Inodes& inodes) {
    const Folder folder = open_folder(process + "/fd");
    while (const dirent* entry =
               folder ? ::readdir(folder.get()) : nullptr) {  // NOLINT(concurrency-mt-unsafe)
        const auto inode = socket_inode(process, entry->d_name);
        if (inode && inodes.count(*inode) > 0) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool is_ssh_program(const std::string& process) {
    std::string_view path;
    const std::string target = link_text(process + "/exe");
    path = target;
    // If sshd was upgraded, its sessions continue.
    constexpr std::string_view kDeleted = " (deleted)";
    const bool is_deleted =
        path.size() > kDeleted.size() && path.substr(path.size() - kDeleted.size()) == kDeleted;
    if (is_deleted) {
        path.remove_suffix(kDeleted.size());
    }
    const auto name = path.substr(path.rfind('/') + 1);
    if (std::find(std::begin(kSshPrograms), std::end(kSshPrograms), name) ==
        std::end(kSshPrograms)) {
        return false;
    }
    struct stat status {};
    return ::stat((process + "/exe").c_str(), &status) == 0 && status.st_uid == 0;
}

std::string process_title(const std::string& process) {
    const base::UniqueFd fd(::open((process + "/cmdline").c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 512> text{};
    const ssize_t size = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
    const std::string_view whole(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    return std::string(whole.substr(0, whole.find('\0')));
}

bool is_of_root_sshd(const std::string& process) {
    const Identity own = identity_of(process);
    if (own.is_root) {
        return true;
    }
    const std::string parent =
        process.substr(0, process.rfind('/') + 1) + std::to_string(own.parent);
    return own.parent > 1 && is_ssh_program(parent) && identity_of(parent).is_root;
}

std::vector<pid_t> ssh_processes_in(const std::string& proc) {
    std::vector<pid_t> found;
    const Folder processes = open_folder(proc);
    while (const dirent* entry =
               processes ? ::readdir(processes.get()) : nullptr) {  // NOLINT(concurrency-mt-unsafe)
        pid_t process = 0;
        const char* end = entry->d_name + std::strlen(entry->d_name);
        const auto [stop, error] = std::from_chars(entry->d_name, end, process);
        if (error == std::errc{} && stop == end && is_ssh_program(proc + "/" + entry->d_name)) {
            found.push_back(process);
        }
    }
    return found;
}

std::vector<int> socket_numbers_of(const std::string& process) {
    std::vector<int> numbers;
    const Folder folder = open_folder(process + "/fd");
    while (const dirent* entry =
               folder ? ::readdir(folder.get()) : nullptr) {  // NOLINT(concurrency-mt-unsafe)
        int number = 0;
        const char* end = entry->d_name + std::strlen(entry->d_name);
        if (std::from_chars(entry->d_name, end, number).ec == std::errc{} &&
            socket_inode(process, entry->d_name)) {
            numbers.push_back(number);
        }
    }
    return numbers;
}

bool is_authenticated_title(std::string_view title) {
    const auto colon = title.find(": ");
    if (colon == std::string_view::npos ||
        std::find(std::begin(kSshPrograms), std::end(kSshPrograms), title.substr(0, colon)) ==
            std::end(kSshPrograms)) {
        return false;  // the listener, "sshd: /usr/sbin/sshd -D [listener] …", is rejected below
    }
    auto rest = title.substr(colon + 2);
    while (!rest.empty() && rest.back() == ' ') {
        rest.remove_suffix(1);
    }
    return !rest.empty() && rest.find_first_of("[] ") == std::string_view::npos &&
           rest.front() != '/';
}

std::set<std::uint64_t> established_sockets_in(std::string_view text, const base::Cidr& peers) {
    constexpr std::string_view kEstablishedText = "01";
    Inodes inodes;
    while (!text.empty() && inodes.size() < kMaxSockets) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        next_word(line);  // "0:"
        next_word(line);  // local address
        const auto remote = next_word(line);
        const auto state = next_word(line);
        const auto peer = address_of_hex(remote.substr(0, remote.find(':')));
        if (state != kEstablishedText || !peer || !peers.contains(*peer)) {
            continue;
        }
        for (int i = 0; i < 5; ++i) {  // queues, timer, retransmissions, uid, timeout
            next_word(line);
        }
        const auto word = next_word(line);
        std::uint64_t inode = 0;
        if (std::from_chars(word.data(), word.data() + word.size(), inode).ec == std::errc{}) {
            inodes.insert(inode);
        }
    }
    return inodes;
}

std::optional<std::string> find_ssh_session(const base::Cidr& peers, const std::string& root) {
    const Inodes inodes = established_sockets_of(peers, root);
    if (inodes.empty()) {
        return std::nullopt;
    }
    for (const pid_t each : ssh_processes_in(root + "/proc")) {
        const std::string process = fmt::format("{}/proc/{}", root, each);
        std::string title = process_title(process);
        if (is_authenticated_title(title) && holds_one_of(process, inodes) &&
            is_of_root_sshd(process)) {
            return title;
        }
    }
    return std::nullopt;
}

}  // namespace portcullis::execd
