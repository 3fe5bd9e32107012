#include "sensor/capture/return_path.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "base/fd.hpp"
#include "sensor/capture/host.hpp"

namespace portcullis::sensor_capture {
namespace {

constexpr std::chrono::seconds kKept{1};

// Deepest stack of interfaces that is followed: an interface on a bridge on a bond on an interface.
constexpr int kMaxStack = 4;

// Header, route and three attributes of 16 bytes at most.
struct RouteQuestion {
    nlmsghdr header{};
    rtmsg route{};
    std::array<std::uint8_t, 64> attributes{};
};

void add_address(RouteQuestion& question, std::uint16_t type, const base::IpAddress& address) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(address.size()));
    std::uint8_t* at = question.attributes.data() +
                       (question.header.nlmsg_len - NLMSG_LENGTH(sizeof question.route));
    std::memcpy(at, &attribute, sizeof attribute);
    std::memcpy(at + sizeof attribute, address.data(), address.size());
    question.header.nlmsg_len += RTA_ALIGN(attribute.rta_len);
}

// The interfaces of the nexthops of a route with several; `bytes` is the content of RTA_MULTIPATH.
void add_nexthops(std::span<const std::uint8_t> bytes, std::vector<unsigned>& interfaces) {
    rtnexthop hop{};
    while (bytes.size() >= sizeof hop) {
        std::memcpy(&hop, bytes.data(), sizeof hop);
        const std::size_t length = RTNH_ALIGN(std::size_t{hop.rtnh_len});
        if (hop.rtnh_len < sizeof hop) {
            return;
        }
        interfaces.push_back(static_cast<unsigned>(hop.rtnh_ifindex));
        bytes = bytes.subspan(std::min(length, bytes.size()));
    }
}

// The interfaces in the answer to a RouteQuestion; none if it is an error.
std::vector<unsigned> interfaces_of(std::span<const std::uint8_t> answer) {
    std::vector<unsigned> interfaces;
    nlmsghdr header{};
    if (answer.size() < NLMSG_LENGTH(sizeof(rtmsg))) {
        return interfaces;
    }
    std::memcpy(&header, answer.data(), sizeof header);
    if (header.nlmsg_type != RTM_NEWROUTE || header.nlmsg_len > answer.size()) {
        return interfaces;
    }
    std::span<const std::uint8_t> rest =
        answer.first(header.nlmsg_len).subspan(NLMSG_LENGTH(sizeof(rtmsg)));
    rtattr attribute{};
    while (rest.size() >= sizeof attribute) {
        std::memcpy(&attribute, rest.data(), sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size()) {
            break;
        }
        const auto content = rest.first(attribute.rta_len).subspan(sizeof attribute);
        if (attribute.rta_type == RTA_OIF && content.size() == sizeof(std::uint32_t)) {
            std::uint32_t index = 0;
            std::memcpy(&index, content.data(), sizeof index);
            interfaces.push_back(index);
        } else if (attribute.rta_type == RTA_MULTIPATH) {
            add_nexthops(content, interfaces);
        }
        rest = rest.subspan(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), rest.size()));
    }
    return interfaces;
}

// The interfaces by which packets to `target` may leave; empty if there is no route.
std::vector<unsigned> route_interfaces(const base::IpAddress& target,
                                       const std::optional<base::IpAddress>& from) {
    const base::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) {
        return {};
    }
    RouteQuestion question;
    question.header.nlmsg_len = NLMSG_LENGTH(sizeof question.route);
    question.header.nlmsg_type = RTM_GETROUTE;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.route.rtm_family = target.is_v4() ? AF_INET : AF_INET6;
    question.route.rtm_dst_len = static_cast<std::uint8_t>(target.size() * 8);
    // The entry itself, with all its nexthops: strict filtering takes packets from each of them.
    question.route.rtm_flags = RTM_F_FIB_MATCH;
    add_address(question, RTA_DST, target);
    if (from && from->family() == target.family()) {
        question.route.rtm_src_len = static_cast<std::uint8_t>(from->size() * 8);
        add_address(question, RTA_SRC, *from);
    }
    if (::send(socket.get(), &question, question.header.nlmsg_len, 0) < 0) {
        return {};
    }
    // The answer is there when send() returns.
    std::array<std::uint8_t, 8192> answer{};
    const auto size = ::recv(socket.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    return size < 0 ? std::vector<unsigned>()
                    : interfaces_of(std::span(answer).first(static_cast<std::size_t>(size)));
}

std::string name_of(unsigned index) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

// True if `upper` is stacked on `lower`.
bool is_stacked_on(const std::string& upper, const std::string& lower, int depth = kMaxStack) {
    constexpr std::string_view kLower = "lower_";
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/sys/class/net/" + upper, error), end;
         !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename();
        if (name.starts_with(kLower) &&
            (name.substr(kLower.size()) == lower ||
             (depth > 1 && is_stacked_on(name.substr(kLower.size()), lower, depth - 1)))) {
            return true;
        }
    }
    return false;
}

bool is_in_vrf(const std::string& interface) {
    std::error_code error;
    const auto master =
        std::filesystem::read_symlink("/sys/class/net/" + interface + "/master", error);
    return !error && device_type(master.filename()) == "vrf";
}

// Documentation/networking/ip-sysctl: 0 = none, 1 = strict, 2 = loose. nullopt = not known.
std::optional<int> filter_mode(const std::string& interface) {
    std::ifstream file("/proc/sys/net/ipv4/conf/" + interface + "/rp_filter");
    int mode = 0;
    return file >> mode ? std::optional(mode) : std::nullopt;
}

bool is_link_local(const base::IpAddress& address) {
    return !address.is_v4() && address.data()[0] == 0xfe && (address.data()[1] & 0xc0) == 0x80;
}

}  // namespace

ReturnPath judge_return_path(const base::IpAddress& source, std::uint32_t interface_index,
                             const std::optional<base::IpAddress>& destination) {
    const std::string in = interface_index == 0 ? "" : name_of(interface_index);
    if (in.empty() || is_in_vrf(in)) {
        return ReturnPath::Unknown;
    }
    if (is_link_local(source)) {
        return ReturnPath::Same;  // RFC 4007 section 9: answers never leave that link
    }
    const std::vector<unsigned> interfaces = route_interfaces(source, destination);
    if (interfaces.empty()) {
        return ReturnPath::Unknown;
    }
    if (std::find(interfaces.begin(), interfaces.end(), interface_index) != interfaces.end()) {
        return ReturnPath::Same;
    }
    for (const unsigned index : interfaces) {
        const std::string out = name_of(index);
        if (out.empty() || device_type(out) == "ppp") {
            return ReturnPath::Unknown;  // nothing says on which interface a PPP link is stacked
        }
        if (is_stacked_on(out, in)) {
            return ReturnPath::Same;
        }
    }
    if (!source.is_v4()) {
        return ReturnPath::Other;
    }
    const auto all = filter_mode("all");
    const auto own = filter_mode(in);
    if (!all || !own) {
        return ReturnPath::Unknown;
    }
    return std::max(*all, *own) == 1 ? ReturnPath::Filtered : ReturnPath::Other;
}

ReturnPath ReturnPaths::judge(const base::IpAddress& source, std::uint32_t interface_index,
                              const std::optional<base::IpAddress>& destination,
                              base::Timestamp now) {
    std::erase_if(answers_, [&](const Answer& answer) {
        return now < answer.time || now - answer.time >= kKept;
    });
    const auto kept = std::find_if(answers_.begin(), answers_.end(), [&](const Answer& answer) {
        return answer.source == source && answer.interface_index == interface_index &&
               answer.destination == destination;
    });
    if (kept != answers_.end()) {
        return kept->path;
    }
    if (answers_.size() == kMaxAnswers) {
        answers_.erase(answers_.begin());
    }
    const ReturnPath path = judge_return_path(source, interface_index, destination);
    answers_.push_back({source, interface_index, destination, now, path});
    return path;
}

}  // namespace portcullis::sensor_capture
