// IcmpMessage: what one ICMP or ICMPv6 message says beside its type, for a line of the log.
//
// Read from Packet::icmp only when a line is to be written; the detectors need none of it. Every
// length is checked against what was captured. Stateless, thread-safe. RFC 792, 950, 1256, 4443.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ip_address.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_packet {

// Where the payload of the packet inside an error is read.
enum class EmbeddedPayload : std::uint8_t {
    BehindOptions,     // where it is
    BehindTwentyBytes  // where iplog 2.2.3 looked, options or not
};

// The packet that an error complains about.
struct Complaint {
    base::IpAddress source;
    base::IpAddress destination;
    std::uint8_t protocol = 0;
    // The first four bytes behind its IP header, as ports and as type and code.
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
};

inline constexpr std::size_t kMaxRouters = 12;

struct IcmpMessage {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    Complaint complaint;                 // unreachable, redirect, time exceeded
    base::IpAddress gateway;             // redirect
    std::uint32_t pointer = 0;           // parameter problem
    std::uint32_t transmit_stamp = 0;    // timestamp reply: ms since midnight UT
    std::array<std::uint8_t, 4> mask{};  // address mask reply
    // Router advertisement: the first kMaxRouters that are there.
    std::array<base::IpAddress, kMaxRouters> routers;
    std::size_t router_count = 0;
    std::uint16_t lifetime = 0;  // of the routers, seconds
};

// True if the message has all that parse_icmp_message() asks for its type. ICMP only.
bool is_icmp_message_whole(std::span<const std::uint8_t> message);

// ICMP. nullopt = it is not whole.
std::optional<IcmpMessage> parse_icmp_message(std::span<const std::uint8_t> captured,
                                              EmbeddedPayload payload);

// ICMPv6, types 1 to 4 with their complaint; of others type and code alone. nullopt = not whole.
std::optional<IcmpMessage> parse_icmpv6_message(std::span<const std::uint8_t> captured);

// The address that a neighbour solicitation looks for: its sender wants to send to that host and
// does not know its link address (RFC 4861 section 7.2.2). nullopt = the packet is not such a
// request: also for those to a single host, which only verify a known address (section 7.3.3), and
// those without a source, which look for duplicates (RFC 4862 section 5.4.2).
std::optional<base::IpAddress> solicited_address(const Packet& packet);

}  // namespace portcullis::sensor_packet
