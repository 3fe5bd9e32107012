#include "engine/execd/host_files.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/fd.hpp"
#include "base/utf8.hpp"
#include "engine/execd/trimmed.hpp"

namespace portcullis::execd {
namespace {

using base::IpAddress;

constexpr std::size_t kMaxFileSize = 1 << 20;
constexpr std::size_t kMaxFiles = 256;

// The kinds of files: folder, meaning, reader.
struct FileKind {
    const char* folder;
    const char* pattern;  // of the file's name
    const char* meaning;
    std::vector<IpAddress> (*read)(std::string_view);
};
constexpr FileKind kFileKinds[] = {
    {"/etc", "resolv.conf", "nameserver", nameservers_in_resolv_conf},
    // The nameservers behind the stub 127.0.0.53, and behind a local dnsmasq or unbound.
    {"/run/systemd/resolve", "resolv.conf", "nameserver", nameservers_in_resolv_conf},
    {"/run/NetworkManager", "*resolv.conf", "nameserver", nameservers_in_resolv_conf},
    {"/run/resolvconf", "resolv.conf", "nameserver", nameservers_in_resolv_conf},
    {"/run/dnsmasq", "resolv.conf", "nameserver", nameservers_in_resolv_conf},
    {"/var/lib/dhcp", "*.leases", "DHCP server", servers_in_dhclient_leases},
    {"/var/lib/dhclient", "*.leases", "DHCP server", servers_in_dhclient_leases},
    {"/var/lib/NetworkManager", "dhclient*.lease", "DHCP server", servers_in_dhclient_leases},
    {"/var/lib/NetworkManager", "internal*.lease", "DHCP server", servers_in_key_value_lease},
    {"/run/systemd/netif/leases", "*", "DHCP server", servers_in_key_value_lease},
    {"/var/lib/dhcpcd", "*.lease", "DHCP server", servers_in_dhcp_message},
    {"/var/lib/dhcpcd5", "*.lease", "DHCP server", servers_in_dhcp_message},
};

template <class Take>
void for_each_part(std::string_view text, std::string_view separators, Take take) {
    while (!text.empty()) {
        const auto end = text.find_first_of(separators);
        if (const auto part = trimmed(text.substr(0, end)); !part.empty()) {
            take(part);
        }
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

void add_address(std::string_view text, std::vector<IpAddress>& addresses) {
    text = text.substr(0, text.find('%'));  // the zone of a link-local address
    if (const auto address = IpAddress::parse(text)) {
        addresses.push_back(*address);
    }
}

// Returns the last kMaxFileSize bytes, since new leases are at the end of their files.
std::optional<std::string> read_end_of(const std::string& path) {
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    const auto from = size > kMaxFileSize ? size - kMaxFileSize : 0;
    std::string bytes(size - from, '\0');
    const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

}  // namespace

std::vector<IpAddress> nameservers_in_resolv_conf(std::string_view text) {
    std::vector<IpAddress> addresses;
    for_each_part(text, "\n", [&](std::string_view line) {
        constexpr std::string_view kKeyword = "nameserver";
        if (line.substr(0, kKeyword.size()) == kKeyword) {
            const auto rest = trimmed(line.substr(kKeyword.size()));
            add_address(rest.substr(0, rest.find_first_of(" \t#;")), addresses);
        }
    });
    return addresses;
}

std::vector<IpAddress> servers_in_dhclient_leases(std::string_view text) {
    std::vector<IpAddress> addresses;
    for_each_part(text, ";\n", [&](std::string_view statement) {
        constexpr std::string_view kKeyword = "option dhcp-server-identifier ";
        if (statement.substr(0, kKeyword.size()) == kKeyword) {
            add_address(trimmed(statement.substr(kKeyword.size())), addresses);
        }
    });
    return addresses;
}

std::vector<IpAddress> servers_in_key_value_lease(std::string_view text) {
    constexpr std::string_view kKeys[] = {"SERVER_ADDRESS", "ROUTER", "DNS"};
    std::vector<IpAddress> addresses;
    for_each_part(text, "\n", [&](std::string_view line) {
        const auto equals = line.find('=');
        if (equals != std::string_view::npos &&
            std::find(std::begin(kKeys), std::end(kKeys), line.substr(0, equals)) !=
                std::end(kKeys)) {
            for_each_part(line.substr(equals + 1), " \t",
                          [&](std::string_view value) { add_address(value, addresses); });
        }
    });
    return addresses;
}

std::vector<IpAddress> servers_in_dhcp_message(std::string_view bytes) {
    constexpr std::size_t kOptions = 240;  // after the fixed part and the magic cookie
    constexpr std::string_view kCookie = "\x63\x82\x53\x63";
    constexpr unsigned char kPad = 0;
    constexpr unsigned char kServerIdentifier = 54;
    constexpr unsigned char kEnd = 255;
    if (bytes.size() < kOptions || bytes.substr(kOptions - 4, 4) != kCookie) {
        return {};
    }
    bytes.remove_prefix(kOptions);
    while (!bytes.empty()) {
        const auto code = static_cast<unsigned char>(bytes[0]);
        if (code == kPad) {
            bytes.remove_prefix(1);
            continue;
        }
        if (code == kEnd || bytes.size() < 2) {
            break;
        }
        const std::size_t length = static_cast<unsigned char>(bytes[1]);
        if (bytes.size() < 2 + length) {
            break;
        }
        if (code == kServerIdentifier && length == 4) {
            std::array<std::uint8_t, 4> v4{};
            std::copy_n(bytes.begin() + 2, 4, v4.begin());
            return {IpAddress::v4(v4)};
        }
        bytes.remove_prefix(2 + length);
    }
    return {};
}

HostFiles::HostFiles(std::string root) : root_(std::move(root)) { refresh(); }

std::vector<std::pair<std::string, std::size_t>> HostFiles::existing_files() const {
    std::vector<std::pair<std::string, std::size_t>> files;
    for (std::size_t kind = 0; kind < std::size(kFileKinds); ++kind) {
        const std::string pattern = kFileKinds[kind].pattern;
        const auto folder = std::filesystem::path(root_ + kFileKinds[kind].folder);
        if (pattern.find('*') == std::string::npos) {
            files.emplace_back((folder / pattern).string(), kind);
            continue;
        }
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
            if (files.size() < kMaxFiles &&
                ::fnmatch(pattern.c_str(), entry.path().filename().c_str(), 0) == 0) {
                files.emplace_back(entry.path().string(), kind);
            }
        }
    }
    return files;
}

bool HostFiles::refresh() {
    const auto files = existing_files();
    std::map<std::string, FileSignature> signatures;
    for (const auto& [path, kind] : files) {
        signatures[path] = signature_of(path);
    }
    if (signatures == signatures_) {
        return false;
    }
    signatures_ = std::move(signatures);
    meanings_.clear();
    for (const auto& [path, kind] : files) {
        if (const auto text = read_end_of(path)) {
            for (const auto& address :
                 kFileKinds[kind].read(base::without_byte_order_mark(*text))) {
                meanings_.emplace(address, std::string(kFileKinds[kind].meaning) + " (" +
                                               path.substr(root_.size()) + ")");
            }
        }
    }
    return true;
}

std::string HostFiles::meaning_of(const base::Cidr& target) const {
    const auto it = std::find_if(meanings_.begin(), meanings_.end(),
                                 [&](const auto& each) { return target.contains(each.first); });
    return it == meanings_.end() ? std::string() : it->second;
}

}  // namespace portcullis::execd
