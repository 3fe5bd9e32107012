// Protection: the seam between Executor and the list of addresses that are never blocked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"

namespace portcullis::execd {

// One entry of the never-block list.
struct ProtectedEntry {
    base::Cidr network;
    std::string reason;  // as reason_to_spare() says it
};

class Protection {
  public:
    virtual ~Protection() = default;
    // Returns why `target`, an address or a network, must not be blocked, for a person ("own
    // address", "next hop of a route", …); nullopt = it may be blocked. A network must not be
    // blocked if any address in it must not. Uses the state of the host at this moment.
    virtual std::optional<std::string> reason_to_spare(const base::Cidr& target) = 0;
    // The same, but without a search for sessions of `target`. This is cheap enough for every ban
    // of a full table.
    virtual std::optional<std::string> standing_reason(const base::Cidr& target) = 0;

    // Whether `target` has an established TCP connection with this host at this moment.
    virtual bool has_connection(const base::Cidr& target) {
        static_cast<void>(target);
        return false;
    }

    // Returns the network to block in place of `target`: its IPv6 network of `prefix_length` bits,
    // if that holds no protected address and no neighbour of this host. Otherwise, and for IPv4 and
    // networks: `target`.
    virtual base::Cidr widen(const base::Cidr& target, int prefix_length) {
        static_cast<void>(prefix_length);
        return target;
    }
    // Returns the present list, ordered by address, each entry with its reason.
    virtual std::vector<ProtectedEntry> all_protected() { return {}; }
    // The IPv6 networks whose hosts this host reaches without a router.
    virtual std::vector<base::Cidr> on_link_networks() { return {}; }
};

}  // namespace portcullis::execd
