#include "engine/execd/network_facts.hpp"

#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/netlink_attributes.hpp"

namespace portcullis::execd {
namespace {

using base::IpAddress;
using std::chrono::steady_clock;

constexpr std::string_view kOwn = "own address";
constexpr std::string_view kBroadcast = "broadcast address of an own subnet";
constexpr std::string_view kNextHop = "next hop of a route";
constexpr timeval kDumpLimit{2, 0};
constexpr int kGroups[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                           RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP};
constexpr std::size_t kMaxFacts = 1'000'000;  // far above any real table
constexpr std::size_t kMaxPrefixes = 1000;

std::optional<IpAddress> address_of(int family, const void* bytes, std::size_t size) {
    if (family == AF_INET && size >= 4) {
        std::array<std::uint8_t, 4> v4{};
        std::memcpy(v4.data(), bytes, v4.size());
        return IpAddress::v4(v4);
    }
    if (family == AF_INET6 && size >= 16) {
        std::array<std::uint8_t, 16> v6{};
        std::memcpy(v6.data(), bytes, v6.size());
        return IpAddress::v6(v6);
    }
    return std::nullopt;
}

std::optional<IpAddress> address_of(int family, const nlattr* attribute) {
    return address_of(family, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

// RTA_GATEWAY is of the route's family, RTA_VIA names its own (RFC 5549 routes).
std::optional<IpAddress> gateway_of(int family, const nlattr* attribute) {
    const auto type = mnl_attr_get_type(attribute);
    if (type == RTA_GATEWAY) {
        return address_of(family, attribute);
    }
    if (type == RTA_VIA && mnl_attr_get_payload_len(attribute) > sizeof(rtvia)) {
        const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
        return address_of(via->rtvia_family, via->rtvia_addr,
                          mnl_attr_get_payload_len(attribute) - sizeof(rtvia));
    }
    return std::nullopt;
}

// First and last address of an IPv4 subnet: old and new form of its broadcast address.
std::array<IpAddress, 2> ends_of_subnet(const IpAddress& address, int prefix_length) {
    std::array<std::uint8_t, 4> first{};
    std::array<std::uint8_t, 4> last{};
    for (int i = 0; i < 4; ++i) {
        const int bits = std::clamp(prefix_length - 8 * i, 0, 8);
        const auto mask = static_cast<std::uint8_t>(0xff00 >> bits);
        const auto byte = address.data()[i];
        first[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(byte & mask);
        last[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(byte | ~mask);
    }
    return {IpAddress::v4(first), IpAddress::v4(last)};
}

// Routes of whole families through a tunnel ("::/1 dev wg0") make nobody a neighbour, and
// link-local and multicast prefixes are on every link.
void note_on_link(base::CidrSet& on_link, const IpAddress& address, int prefix_length) {
    constexpr int kWholeFamily = 3;
    const base::Cidr prefix(address, prefix_length);
    if (!address.is_v4() && prefix_length > kWholeFamily && prefix_length < 128 &&
        base::special_use_of(address).empty() && on_link.all().size() < kMaxPrefixes &&
        std::none_of(on_link.all().begin(), on_link.all().end(), [&](const base::Cidr& known) {
            return known.prefix_length <= prefix_length && known.contains(address);
        })) {
        on_link.add(prefix);
    }
}

tl::unexpected<base::Diagnostic> no_netlink(int error) {
    return base::fail("no-netlink",
                      "cannot read this host's addresses and routes: " + base::error_text(error));
}

}  // namespace

void NetworkFacts::CloseSocket::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

base::Result<NetworkFacts> NetworkFacts::open() {
    Socket news(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (news == nullptr || mnl_socket_bind(news.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
        return no_netlink(errno);
    }
    for (int group : kGroups) {
        // An old kernel may lack nexthop objects, and then has none to hear of.
        if (mnl_socket_setsockopt(news.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0 &&
            group != RTNLGRP_NEXTHOP) {
            return no_netlink(errno);
        }
    }
    NetworkFacts facts(std::move(news));
    if (auto read = facts.read_all(); !read) {
        return base::fail(std::move(read.error()));
    }
    return facts;
}

int NetworkFacts::fd() const { return mnl_socket_get_fd(news_.get()); }

base::Result<void> NetworkFacts::read_all() {
    const auto begin = steady_clock::now();
    Facts facts;
    if (!dump(RTM_GETROUTE, facts) || !dump(RTM_GETADDR, facts)) {
        return no_netlink(errno);
    }
    dump(RTM_GETNEXTHOP, facts);
    facts_ = std::move(facts);
    is_stale_ = false;
    const auto end = steady_clock::now();
    next_read_ =
        end + std::max<steady_clock::duration>(std::chrono::seconds(1), 20 * (end - begin));
    return {};
}

bool NetworkFacts::dump(int type, Facts& facts) {
    const Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (socket == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
        return false;
    }
    ::setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &kDumpLimit,
                 sizeof kDumpLimit);
    alignas(nlmsghdr) std::array<char, 256> request{};
    auto* header = mnl_nlmsg_put_header(request.data());
    header->nlmsg_type = static_cast<std::uint16_t>(type);
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = 1;
    // The family-specific header of each of the three begins with the family; 0 = all.
    const std::size_t extra = type == RTM_GETADDR    ? sizeof(ifaddrmsg)
                              : type == RTM_GETROUTE ? sizeof(rtmsg)
                                                     : sizeof(nhmsg);
    mnl_nlmsg_put_extra_header(header, extra);
    if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) {
        return false;
    }
    alignas(nlmsghdr) std::array<char, 65536> buffer;
    for (;;) {
        const auto got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
        if (got <= 0) {
            return false;
        }
        int left = static_cast<int>(got);
        for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type == NLMSG_DONE) {
                return true;
            }
            if (message->nlmsg_type == NLMSG_ERROR) {
                errno = EOPNOTSUPP;
                return false;
            }
            take(message, facts);
        }
    }
}

void NetworkFacts::take(const nlmsghdr* message, Facts& facts) {
    auto& meanings = facts.meanings;
    const auto note = [&](const std::optional<IpAddress>& address, std::string_view meaning) {
        if (address && meanings.size() < kMaxFacts) {
            // An own address says more than the route that leads to it.
            auto [it, is_new] = meanings.emplace(*address, meaning);
            if (!is_new && meaning == kOwn) {
                it->second = meaning;
            }
        }
    };
    if (message->nlmsg_type == RTM_NEWADDR &&
        mnl_nlmsg_get_payload_len(message) >= sizeof(ifaddrmsg)) {
        const auto* address = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
        std::optional<IpAddress> local;  // of a point-to-point link; IFA_ADDRESS is its peer
        std::optional<IpAddress> on_link;
        base::for_each_attribute_of(message, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
            switch (mnl_attr_get_type(attribute)) {
                case IFA_LOCAL:
                    local = address_of(address->ifa_family, attribute);
                    break;
                case IFA_ADDRESS:
                    on_link = address_of(address->ifa_family, attribute);
                    break;
                case IFA_BROADCAST:
                    note(address_of(address->ifa_family, attribute), kBroadcast);
                    break;
                default:
                    break;
            }
        });
        const auto own = local ? local : on_link;
        note(own, kOwn);
        if (own) {
            note_on_link(facts.on_link, on_link.value_or(*own), address->ifa_prefixlen);
        }
        if (own && own->is_v4() && address->ifa_prefixlen <= 30) {
            for (const auto& end : ends_of_subnet(*own, address->ifa_prefixlen)) {
                note(end, kBroadcast);
            }
        }
        return;
    }
    if (message->nlmsg_type == RTM_NEWROUTE &&
        mnl_nlmsg_get_payload_len(message) >= sizeof(rtmsg)) {
        const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
        const int family = route->rtm_family;
        const bool is_host = route->rtm_dst_len == (family == AF_INET ? 32 : 128);
        std::optional<IpAddress> destination;
        bool has_next_hop = false;
        base::for_each_attribute_of(message, sizeof(rtmsg), [&](const nlattr* attribute) {
            note(gateway_of(family, attribute), kNextHop);
            const auto type = mnl_attr_get_type(attribute);
            has_next_hop = has_next_hop || type == RTA_GATEWAY || type == RTA_VIA ||
                           type == RTA_MULTIPATH || type == RTA_NH_ID;
            if (type == RTA_DST) {
                destination = address_of(family, attribute);
            }
            if (type == RTA_DST && is_host) {
                if (route->rtm_type == RTN_LOCAL || route->rtm_type == RTN_ANYCAST) {
                    note(address_of(family, attribute), kOwn);
                } else if (route->rtm_type == RTN_BROADCAST) {
                    note(address_of(family, attribute), kBroadcast);
                }
            }
            if (type == RTA_MULTIPATH) {
                const auto* at = static_cast<const char*>(mnl_attr_get_payload(attribute));
                std::size_t left = mnl_attr_get_payload_len(attribute);
                while (left >= sizeof(rtnexthop)) {
                    rtnexthop hop{};
                    std::memcpy(&hop, at, sizeof hop);
                    if (hop.rtnh_len < sizeof(rtnexthop) || hop.rtnh_len > left) {
                        break;
                    }
                    base::for_each_attribute(
                        at + RTNH_LENGTH(0), at + hop.rtnh_len,
                        [&](const nlattr* inner) { note(gateway_of(family, inner), kNextHop); });
                    const auto step = std::min<std::size_t>(RTNH_ALIGN(hop.rtnh_len), left);
                    at += step;
                    left -= step;
                }
            }
        });
        if (destination && !has_next_hop && route->rtm_type == RTN_UNICAST) {
            note_on_link(facts.on_link, *destination, route->rtm_dst_len);
        }
        return;
    }
    if (message->nlmsg_type == RTM_NEWNEXTHOP &&
        mnl_nlmsg_get_payload_len(message) >= sizeof(nhmsg)) {
        const auto* hop = static_cast<const nhmsg*>(mnl_nlmsg_get_payload(message));
        base::for_each_attribute_of(message, sizeof(nhmsg), [&](const nlattr* attribute) {
            if (mnl_attr_get_type(attribute) == NHA_GATEWAY) {
                note(address_of(hop->nh_family, attribute), kNextHop);
            }
        });
    }
}

bool NetworkFacts::follow() {
    bool has_news = false;
    alignas(nlmsghdr) std::array<char, 65536> buffer;
    for (int round = 0; round < 64; ++round) {
        const auto got = mnl_socket_recvfrom(news_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == ENOBUFS) {  // too much at once: read all anew
            is_stale_ = true;
            next_read_ = {};
            continue;
        }
        if (got <= 0) {
            break;
        }
        has_news = true;
        int left = static_cast<int>(got);
        for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            const auto type = message->nlmsg_type;
            is_stale_ =
                is_stale_ || type == RTM_DELADDR || type == RTM_DELROUTE || type == RTM_DELNEXTHOP;
            take(message, facts_);
        }
    }
    if (is_stale_ && steady_clock::now() >= next_read_) {
        has_news = true;
        if (!read_all()) {  // keep what is known, and try again later
            next_read_ = steady_clock::now() + std::chrono::seconds(5);
        }
    }
    return has_news;
}

std::string_view NetworkFacts::meaning_of(const base::Cidr& target) const {
    const auto it =
        target.is_one_address()
            ? facts_.meanings.find(target.address)
            : std::find_if(facts_.meanings.begin(), facts_.meanings.end(),
                           [&](const auto& each) { return target.contains(each.first); });
    return it == facts_.meanings.end() ? std::string_view() : it->second;
}

}  // namespace portcullis::execd
