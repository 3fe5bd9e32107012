#include "sensor/config/packet_filter.hpp"

#include <algorithm>

namespace portcullis::sensor_config {
namespace {

using sensor_packet::Packet;
using sensor_packet::Transport;

bool matches(const AddressMatch& match, const base::IpAddress& address) {
    const bool is_member =
        std::any_of(match.networks.begin(), match.networks.end(),
                    [&](const base::Cidr& network) { return network.contains(address); });
    return is_member != match.is_negated;
}

bool matches(const PortMatch& match, std::uint16_t port) {
    return (port >= match.lowest && port <= match.highest) != match.is_negated;
}

// The ICMP type with the meaning of an ICMPv6 type (RFC 4443); nullopt = none.
std::optional<std::uint8_t> icmp_type_of(const Packet& packet) {
    if (packet.transport == Transport::Icmp) {
        return packet.icmp_type;
    }
    struct Pair {
        std::uint8_t icmpv6;
        std::uint8_t icmp;
    };
    static constexpr Pair kPairs[] = {
        {1, 3},     // unreachable
        {2, 3},     // too big: "fragmentation needed"
        {3, 11},    // time exceeded
        {4, 12},    // parameter problem
        {128, 8},   // echo
        {129, 0},   // echo reply
        {133, 10},  // router solicitation
        {134, 9},   // router advertisement
        {137, 5},   // redirect
    };
    for (const Pair& pair : kPairs) {
        if (pair.icmpv6 == packet.icmp_type) {
            return pair.icmp;
        }
    }
    return std::nullopt;
}

bool matches(const TypeMatch& match, const Packet& packet) {
    const bool is_type = !match.type || icmp_type_of(packet) == match.type;
    return is_type != match.is_negated;
}

bool matches(const PacketFilter& filter, const Packet& packet) {
    return (!filter.from || matches(*filter.from, packet.source)) &&
           (!filter.to || matches(*filter.to, packet.destination)) &&
           (!filter.source_port || matches(*filter.source_port, packet.source_port)) &&
           (!filter.destination_port ||
            matches(*filter.destination_port, packet.destination_port)) &&
           (!filter.icmp_type || matches(*filter.icmp_type, packet));
}

// nullopt = no rule can match it.
std::optional<FilterProtocol> protocol_of(Transport transport) {
    switch (transport) {
        case Transport::Tcp:
            return FilterProtocol::Tcp;
        case Transport::Udp:
            return FilterProtocol::Udp;
        case Transport::Icmp:
        case Transport::Icmpv6:
            return FilterProtocol::Icmp;
        case Transport::Sctp:
        case Transport::Other:
            break;
    }
    return std::nullopt;
}

}  // namespace

void PacketFilters::add(FilterProtocol protocol, PacketFilter filter) {
    List& list = lists_[static_cast<std::size_t>(protocol)];
    if (filter.is_ignored) {
        list.filters.push_back(std::move(filter));
        return;
    }
    list.filters.insert(list.filters.begin() + static_cast<std::ptrdiff_t>(list.first),
                        std::move(filter));
}

void PacketFilters::add_first(FilterProtocol protocol, PacketFilter filter) {
    List& list = lists_[static_cast<std::size_t>(protocol)];
    list.filters.insert(list.filters.begin() + static_cast<std::ptrdiff_t>(list.first),
                        std::move(filter));
    ++list.first;
}

bool PacketFilters::ignores(const Packet& packet) const {
    const auto protocol = protocol_of(packet.transport);
    if (!protocol) {
        return false;
    }
    const List& list = lists_[static_cast<std::size_t>(*protocol)];
    for (const PacketFilter& filter : list.filters) {
        if (matches(filter, packet)) {
            return filter.is_ignored;
        }
    }
    return false;
}

}  // namespace portcullis::sensor_config
