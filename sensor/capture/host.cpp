#include "sensor/capture/host.hpp"

#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace portcullis::sensor_capture {
namespace {

std::optional<base::IpAddress> address_of(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
        return base::IpAddress::v4(bytes);
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 in6{};
        std::memcpy(&in6, address, sizeof in6);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
        return base::IpAddress::v6(bytes);
    }
    return std::nullopt;
}

template <class Visit>
void for_each_interface_address(Visit visit) {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) {
        return;
    }
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        visit(*entry);
    }
    freeifaddrs(list);
}

bool is_part_of_another(const ifaddrs& entry) {
    return (entry.ifa_flags & IFF_SLAVE) != 0 ||
           ::access(("/sys/class/net/" + std::string(entry.ifa_name) + "/master").c_str(), F_OK) ==
               0;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    const auto last = text.find_last_not_of(" \t");
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, last - first + 1);
}

}  // namespace

std::vector<std::string> usable_interfaces() {
    std::vector<std::string> names;
    for_each_interface_address([&](const ifaddrs& entry) {
        const bool is_usable = (entry.ifa_flags & IFF_UP) != 0 &&
                               (entry.ifa_flags & IFF_LOOPBACK) == 0 &&
                               std::find(names.begin(), names.end(), entry.ifa_name) == names.end();
        if (is_usable && !is_part_of_another(entry)) {
            names.emplace_back(entry.ifa_name);
        }
    });
    return names;
}

bool is_up(const std::string& interface) {
    bool is_up = false;
    for_each_interface_address([&](const ifaddrs& entry) {
        is_up |= entry.ifa_name == interface && (entry.ifa_flags & IFF_UP) != 0;
    });
    return is_up;
}

std::vector<base::IpAddress> host_addresses() {
    std::vector<base::IpAddress> addresses;
    for_each_interface_address([&](const ifaddrs& entry) {
        const auto address = entry.ifa_addr != nullptr ? address_of(entry.ifa_addr) : std::nullopt;
        if (address) {
            addresses.push_back(*address);
        }
    });
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
}

std::vector<VlanInterface> vlan_interfaces() {
    std::ifstream file("/proc/net/vlan/config");  // not there without VLANs
    return parse_vlan_interfaces(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::vector<VlanInterface> parse_vlan_interfaces(std::string_view text) {
    std::vector<VlanInterface> found;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto first = line.find('|');
        const auto second = first == std::string_view::npos ? first : line.find('|', first + 1);
        if (second == std::string_view::npos) {
            continue;
        }
        const std::string_view number = trimmed(line.substr(first + 1, second - first - 1));
        VlanInterface vlan;
        vlan.name = trimmed(line.substr(0, first));
        vlan.parent = trimmed(line.substr(second + 1));
        const auto [rest, error] =
            std::from_chars(number.data(), number.data() + number.size(), vlan.vlan);
        if (error == std::errc{} && rest == number.data() + number.size() && vlan.vlan < 4095 &&
            !vlan.name.empty()) {
            found.push_back(std::move(vlan));
        }
    }
    return found;
}

std::string device_type(const std::string& interface) {
    std::ifstream file("/sys/class/net/" + interface + "/uevent");
    return parse_device_type(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::string parse_device_type(std::string_view text) {
    constexpr std::string_view kName = "DEVTYPE=";
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.starts_with(kName)) {
            return std::string(line.substr(kName.size()));
        }
    }
    return {};
}

HostChanges::HostChanges()
    : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fd_.reset();
    }
}

void HostChanges::drain() {
    std::array<char, 8192> news{};
    // ENOBUFS: there was more than fits, which is news too.
    while (::recv(fd_.get(), news.data(), news.size(), 0) > 0 || errno == ENOBUFS) {
    }
}

}  // namespace portcullis::sensor_capture
