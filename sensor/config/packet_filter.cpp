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

bool matches(const TypeMatch& match, const Packet& packet) {
    bool is_type = packet.transport == Transport::Icmp && packet.icmp_type == match.type;
    if (packet.transport == Transport::Icmpv6) {
        is_type = (match.type == 8 && sensor_packet::is_echo_request(packet)) ||
                  (match.type == 0 && sensor_packet::is_echo_reply(packet));
    }
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

FilterProtocol protocol_of(Transport transport) {
    switch (transport) {
        case Transport::Tcp:
            return FilterProtocol::Tcp;
        case Transport::Udp:
            return FilterProtocol::Udp;
        case Transport::Icmp:
        case Transport::Icmpv6:
            break;
    }
    return FilterProtocol::Icmp;
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
    const List& list = lists_[static_cast<std::size_t>(protocol_of(packet.transport))];
    for (const PacketFilter& filter : list.filters) {
        if (matches(filter, packet)) {
            return filter.is_ignored;
        }
    }
    return false;
}

}  // namespace portcullis::sensor_config
