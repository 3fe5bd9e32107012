#include "sensor/capture/return_path.hpp"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <string>

#include "engine/base/fd.hpp"

namespace portcullis::sensor_capture {
namespace {

constexpr int kStrict = 1;
// The kernel answers at once; a detection must not wait for it.
constexpr timeval kReplyLimit{0, 100'000};

struct RouteRequest {
    nlmsghdr header;
    rtmsg route;
    std::array<char, RTA_SPACE(16)> attribute;
};

RouteRequest request_for(const base::IpAddress& address) {
    RouteRequest request{};
    request.header.nlmsg_type = RTM_GETROUTE;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.route.rtm_family = address.is_v4() ? AF_INET : AF_INET6;
    request.route.rtm_dst_len = static_cast<unsigned char>(address.size() * 8);
    rtattr destination{};
    destination.rta_type = RTA_DST;
    destination.rta_len = static_cast<unsigned short>(RTA_LENGTH(address.size()));
    std::memcpy(request.attribute.data(), &destination, sizeof destination);
    std::memcpy(request.attribute.data() + RTA_LENGTH(0), address.data(), address.size());
    request.header.nlmsg_len =
        static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof(rtmsg)) + RTA_SPACE(address.size()));
    return request;
}

// The value of RTA_OIF in an answer of `size` bytes.
std::optional<std::uint32_t> interface_in(const char* answer, std::size_t size) {
    nlmsghdr header{};
    if (size < NLMSG_LENGTH(sizeof(rtmsg))) {
        return std::nullopt;
    }
    std::memcpy(&header, answer, sizeof header);
    if (header.nlmsg_type != RTM_NEWROUTE || header.nlmsg_len > size) {
        return std::nullopt;
    }
    std::size_t at = NLMSG_LENGTH(sizeof(rtmsg));
    while (at + sizeof(rtattr) <= header.nlmsg_len) {
        rtattr attribute{};
        std::memcpy(&attribute, answer + at, sizeof attribute);
        if (attribute.rta_len < RTA_LENGTH(0) || at + attribute.rta_len > header.nlmsg_len) {
            return std::nullopt;
        }
        std::uint32_t value = 0;
        if (attribute.rta_type == RTA_OIF && attribute.rta_len == RTA_LENGTH(sizeof value)) {
            std::memcpy(&value, answer + at + RTA_LENGTH(0), sizeof value);
            return value;
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return std::nullopt;
}

int path_filter_of(const std::string& interface) {
    std::ifstream file("/proc/sys/net/ipv4/conf/" + interface + "/rp_filter");
    int value = 0;
    return file >> value ? value : 0;
}

}  // namespace

std::optional<std::uint32_t> route_interface(const base::IpAddress& address) {
    const base::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) {
        return std::nullopt;
    }
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kReplyLimit, sizeof kReplyLimit);
    const RouteRequest request = request_for(address);
    alignas(nlmsghdr) std::array<char, 4096> answer{};
    if (::send(socket.get(), &request, request.header.nlmsg_len, 0) < 0) {
        return std::nullopt;
    }
    const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), 0);
    return got < 0 ? std::nullopt : interface_in(answer.data(), static_cast<std::size_t>(got));
}

bool has_master(std::uint32_t interface) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(interface, name.data()) != nullptr &&
           ::access(("/sys/class/net/" + std::string(name.data()) + "/master").c_str(), F_OK) == 0;
}

bool has_strict_path_filter(std::uint32_t interface) {
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(interface, name.data()) == nullptr) {
        return false;
    }
    return std::max(path_filter_of("all"), path_filter_of(name.data())) == kStrict;
}

}  // namespace portcullis::sensor_capture
