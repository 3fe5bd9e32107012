#include "sensor/report/names.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace portcullis::sensor_report {
namespace {

// Longest name that is used (RFC 1035 section 2.3.4).
constexpr std::size_t kLongestName = 255;

// Calls `on_line(words)` for every line with words, without comments.
template <class OnLine>
void for_each_line(std::string_view text, OnLine on_line) {
    constexpr std::string_view kBlanks = " \t\r\f\v";
    while (!text.empty()) {
        const auto newline = text.find('\n');
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        line = line.substr(0, line.find('#'));
        std::vector<std::string_view> words;
        for (;;) {
            line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
            if (line.empty()) {
                break;
            }
            const auto end = std::min(line.find_first_of(kBlanks), line.size());
            words.push_back(line.substr(0, end));
            line.remove_prefix(end);
        }
        if (!words.empty()) {
            on_line(words);
        }
    }
}

// Names are written to the log, so only the characters of a name are permitted.
bool is_printable_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestName &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return c > 0x20 && c < 0x7f && c != '[' && c != ']' && c != '(' && c != ')' &&
                      c != ':' && c != '@';
           });
}

std::uint32_t key_of(Protocol protocol, std::uint16_t port) {
    return (static_cast<std::uint32_t>(protocol) << 16) | port;
}

}  // namespace

ServicesFile ServicesFile::parse(std::string_view text) {
    ServicesFile services;
    for_each_line(text, [&](const std::vector<std::string_view>& words) {
        if (words.size() < 2 || !is_printable_name(words[0])) {
            return;
        }
        const std::string_view number = words[1];
        std::uint16_t port = 0;
        const auto [end, error] =
            std::from_chars(number.data(), number.data() + number.size(), port);
        const std::string_view protocol_name =
            number.substr(static_cast<std::size_t>(end - number.data()));
        if (error != std::errc{} || (protocol_name != "/tcp" && protocol_name != "/udp")) {
            return;
        }
        const Protocol protocol = protocol_name == "/tcp" ? Protocol::Tcp : Protocol::Udp;
        services.names_.try_emplace(key_of(protocol, port), words[0]);
        auto& ports = services.ports_[static_cast<std::size_t>(protocol)];
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (i != 1) {
                ports.try_emplace(std::string(words[i]), port);
            }
        }
    });
    return services;
}

std::string_view ServicesFile::name_of(Protocol protocol, std::uint16_t port) const {
    const auto found = names_.find(key_of(protocol, port));
    return found == names_.end() ? std::string_view() : found->second;
}

std::optional<std::uint16_t> ServicesFile::find_port(Protocol protocol,
                                                     std::string_view name) const {
    const auto& ports = ports_[static_cast<std::size_t>(protocol)];
    const auto found = ports.find(name);
    return found == ports.end() ? std::nullopt : std::optional(found->second);
}

HostsFile HostsFile::parse(std::string_view text) {
    HostsFile hosts;
    for_each_line(text, [&](const std::vector<std::string_view>& words) {
        const auto address = base::IpAddress::parse(words[0]);
        if (!address || words.size() < 2) {
            return;
        }
        if (is_printable_name(words[1])) {
            hosts.names_.try_emplace(*address, words[1]);
        }
        for (std::size_t i = 1; i < words.size(); ++i) {
            hosts.addresses_[std::string(words[i])].push_back(*address);
        }
    });
    return hosts;
}

std::string_view HostsFile::name_of(const base::IpAddress& address) const {
    const auto found = names_.find(address);
    return found == names_.end() ? std::string_view() : found->second;
}

std::vector<base::IpAddress> HostsFile::addresses_of(std::string_view name) const {
    const auto found = addresses_.find(name);
    return found == addresses_.end() ? std::vector<base::IpAddress>() : found->second;
}

std::vector<base::IpAddress> parse_nameservers(std::string_view text, const HostsFile& hosts) {
    std::vector<base::IpAddress> servers;
    for_each_line(text, [&](const std::vector<std::string_view>& words) {
        if (words[0] == "nameserver" && words.size() > 1) {
            // A zone ("fe80::1%eth0") is not part of the address.
            if (const auto address =
                    base::IpAddress::parse(words[1].substr(0, words[1].find('%')))) {
                servers.push_back(*address);
            } else {
                const auto named = hosts.addresses_of(words[1]);
                servers.insert(servers.end(), named.begin(), named.end());
            }
        }
    });
    return servers;
}

}  // namespace portcullis::sensor_report
