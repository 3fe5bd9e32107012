#include "sensor/packet/icmp_message.hpp"

#include <algorithm>
#include <array>

#include "sensor/packet/bytes.hpp"
#include "sensor/packet/header_sizes.hpp"

namespace portcullis::sensor_packet {
namespace {

constexpr std::size_t kPorts = 4;
constexpr std::size_t kTimestampMessage = 20;
constexpr std::size_t kMaskMessage = 12;
constexpr std::size_t kRouterEntry = 8;  // address and preference, RFC 1256 section 3.1

// ICMP types with something to read (IANA).
constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kRedirect = 5;
constexpr std::uint8_t kRouterAdvertisement = 9;
constexpr std::uint8_t kTimeExceeded = 11;
constexpr std::uint8_t kParameterProblem = 12;
constexpr std::uint8_t kTimestampReply = 14;
constexpr std::uint8_t kMaskReply = 18;

// The highest codes that are defined; above them nothing but the code is of interest.
constexpr std::uint8_t kLastUnreachableCode = 15;
constexpr std::uint8_t kLastRedirectCode = 3;

constexpr std::uint8_t kIpv6ParameterProblem = 4;

void read_payload(const Bytes& bytes, std::size_t at, Complaint& complaint) {
    complaint.source_port = bytes.u16(at);
    complaint.destination_port = bytes.u16(at + 2);
    complaint.icmp_type = bytes.u8(at);
    complaint.icmp_code = bytes.u8(at + 1);
}

bool read_complaint(const Bytes& bytes, EmbeddedPayload payload, bool needs_payload,
                    Complaint& complaint) {
    if (!bytes.has(kIpv4Header)) {
        return false;
    }
    complaint.protocol = bytes.u8(9);
    complaint.source = bytes.ipv4(12);
    complaint.destination = bytes.ipv4(16);
    if (!needs_payload) {
        return true;
    }
    const std::size_t header_length =
        payload == EmbeddedPayload::BehindOptions ? std::size_t{bytes.u8(0)} % 16 * 4 : kIpv4Header;
    if (header_length < kIpv4Header || !bytes.has(header_length + kPorts)) {
        return false;
    }
    read_payload(bytes, header_length, complaint);
    return true;
}

void read_routers(const Bytes& bytes, IcmpMessage& message) {
    const std::size_t announced = std::min<std::size_t>(bytes.u8(4), kMaxRouters);
    message.lifetime = bytes.u16(6);
    while (message.router_count < announced &&
           bytes.has(kIcmpHeader + (message.router_count + 1) * kRouterEntry)) {
        message.routers[message.router_count] =
            bytes.ipv4(kIcmpHeader + message.router_count * kRouterEntry);
        ++message.router_count;
    }
}

}  // namespace

std::optional<IcmpMessage> parse_icmp_message(std::span<const std::uint8_t> captured,
                                              EmbeddedPayload payload) {
    const Bytes bytes(captured);
    if (!bytes.has(kIcmpHeader)) {
        return std::nullopt;
    }
    IcmpMessage message;
    message.type = bytes.u8(0);
    message.code = bytes.u8(1);
    const Bytes rest = bytes.from(kIcmpHeader);
    bool is_whole = true;
    switch (message.type) {
        case kUnreachable:
            is_whole = message.code > kLastUnreachableCode ||
                       read_complaint(rest, payload, true, message.complaint);
            break;
        case kRedirect:
            message.gateway = bytes.ipv4(4);
            is_whole = message.code > kLastRedirectCode ||
                       read_complaint(rest, payload, false, message.complaint);
            break;
        case kTimeExceeded:
            is_whole = read_complaint(rest, payload, true, message.complaint);
            break;
        case kRouterAdvertisement:
            read_routers(bytes, message);
            break;
        case kParameterProblem:
            message.pointer = bytes.u8(4);
            break;
        case kTimestampReply:
            is_whole = bytes.has(kTimestampMessage);
            message.transmit_stamp = is_whole ? bytes.u32(16) : 0;
            break;
        case kMaskReply:
            is_whole = bytes.has(kMaskMessage);
            if (is_whole) {
                std::copy_n(bytes.span(kIcmpHeader, 4).begin(), 4, message.mask.begin());
            }
            break;
        default:
            break;
    }
    return is_whole ? std::optional(message) : std::nullopt;
}

std::optional<base::IpAddress> solicited_address(const Packet& packet) {
    constexpr std::uint8_t kNeighbourSolicitation = 135;
    constexpr std::uint8_t kNotForwarded = 255;
    constexpr std::size_t kTarget = 8;
    constexpr std::size_t kAddress = 16;
    constexpr std::array<std::uint8_t, 13> kSolicitedNode{0xff, 0x02, 0, 0, 0, 0,   0,
                                                          0,    0,    0, 0, 1, 0xff};
    const Bytes message(packet.icmp);
    if (packet.verdict != Verdict::Ok || packet.transport != Transport::Icmpv6 ||
        packet.icmp_type != kNeighbourSolicitation || packet.icmp_code != 0 ||
        packet.ttl != kNotForwarded || !message.has(kTarget + kAddress) ||
        packet.source == base::IpAddress::v6({}) ||
        !std::equal(kSolicitedNode.begin(), kSolicitedNode.end(), packet.destination.data())) {
        return std::nullopt;
    }
    return message.ipv6(kTarget);
}

std::optional<IcmpMessage> parse_icmpv6_message(std::span<const std::uint8_t> captured) {
    const Bytes bytes(captured);
    if (!bytes.has(kIcmpHeader)) {
        return std::nullopt;
    }
    IcmpMessage message;
    message.type = bytes.u8(0);
    message.code = bytes.u8(1);
    if (message.type == 0 || message.type > kIpv6ParameterProblem) {
        return message;
    }
    message.pointer = bytes.u32(4);
    const Bytes rest = bytes.from(kIcmpHeader);
    if (!rest.has(kIpv6Header + kPorts)) {
        return std::nullopt;
    }
    message.complaint.protocol = rest.u8(6);
    message.complaint.source = rest.ipv6(8);
    message.complaint.destination = rest.ipv6(24);
    read_payload(rest, kIpv6Header, message.complaint);
    return message;
}

bool is_icmp_message_whole(std::span<const std::uint8_t> message) {
    constexpr std::uint8_t kEchoReply = 0;
    constexpr std::uint8_t kEchoRequest = 8;
    if (message.size() < kIcmpHeader) {
        return false;
    }
    return message[0] == kEchoReply || message[0] == kEchoRequest ||
           parse_icmp_message(message, EmbeddedPayload::BehindOptions).has_value();
}

}  // namespace portcullis::sensor_packet
