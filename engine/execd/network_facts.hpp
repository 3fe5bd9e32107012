// NetworkFacts: the addresses with a role for this host, read from rtnetlink and followed as they
// change:
//   own addresses; broadcast addresses of own subnets; the next hop of every route in every table,
//   also of multipath routes and nexthop objects;
//   the IPv6 prefixes that are on a link of this host.
//
// A new address counts at once. A deleted one is forgotten when all are read again: at most once a
// second, and more rarely if that takes long (a router with a full table). Until then it stays
// spared. Single-threaded.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/ip_address.hpp"
#include "base/result.hpp"

struct mnl_socket;
struct nlmsghdr;

namespace portcullis::execd {

class NetworkFacts {
  public:
    // Subscribes first and then reads, so that no change is missed. Error "no-netlink".
    static base::Result<NetworkFacts> open();

    // Readable when there is news.
    int fd() const;
    // Handles the queued changes without waiting. Returns whether there were any.
    bool follow();

    // Returns "own address", "broadcast address" or "next hop of a route"; empty = none of these.
    // If `target` is a network, the role of any address in it counts.
    std::string_view meaning_of(const base::Cidr& target) const;

    // All addresses with a role.
    const std::unordered_map<base::IpAddress, std::string_view, base::IpAddressHash>& all() const {
        return facts_.meanings;
    }
    // The IPv6 prefixes whose hosts are reached without a router.
    const base::CidrSet& on_link() const { return facts_.on_link; }
    // Whether an IPv6 network overlaps a prefix whose hosts are reached without a router: that of
    // an own address, or of a route without a next hop.
    bool is_on_link(const base::Cidr& network) const {
        return facts_.on_link.find_overlap(network) != nullptr;
    }

  private:
    struct CloseSocket {
        void operator()(mnl_socket* socket) const;
    };
    using Socket = std::unique_ptr<mnl_socket, CloseSocket>;
    struct Facts {
        std::unordered_map<base::IpAddress, std::string_view, base::IpAddressHash> meanings;
        base::CidrSet on_link;  // IPv6 prefixes
    };

    explicit NetworkFacts(Socket news) : news_(std::move(news)) {}
    base::Result<void> read_all();
    static bool dump(int type, Facts& facts);
    static void take(const nlmsghdr* message, Facts& facts);

    Socket news_;
    Facts facts_;
    bool is_stale_ = false;  // an address was deleted after the last full read
    std::chrono::steady_clock::time_point next_read_;
};

}  // namespace portcullis::execd
