// Packet: what the sensor needs to know of one frame, read once and copied out.
//
// First stage after the capture: parse_packet() walks link, network and transport header of a frame
// that an attacker wrote, checks every length against what was captured, allocates nothing and
// never fails loudly; what it cannot use is told apart in `verdict` so that it can be counted.
// A Packet holds no pointer into the frame. Stateless, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/ip_address.hpp"

namespace portcullis::sensor_packet {

enum class Transport : std::uint8_t { Tcp, Udp, Icmp, Icmpv6 };

// Why a frame was or was not understood. One counter each in PacketCounters.
enum class Verdict : std::uint8_t {
    Ok,
    OtherLink,       // ARP and whatever else is neither IPv4 nor IPv6
    OtherTransport,  // IP, but none of the four transports
    Fragment,        // a piece of a datagram
    Malformed,       // lengths that contradict each other, headers cut short
    BadChecksum,     // IPv4 header checksum
};
inline constexpr std::size_t kVerdictCount = 6;

// Bits of Packet::tcp_flags (RFC 9293 section 3.1).
inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;
inline constexpr std::uint8_t kUrg = 0x20;
inline constexpr std::uint8_t kEce = 0x40;
inline constexpr std::uint8_t kCwr = 0x80;

// The packet that an ICMP or ICMPv6 error carries: the one it complains about.
struct Embedded {
    base::IpAddress source;
    base::IpAddress destination;
    Transport transport = Transport::Tcp;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

struct Packet {
    Verdict verdict = Verdict::OtherLink;
    Transport transport = Transport::Tcp;
    // The addresses are set as soon as the IP header could be read, whatever the verdict.
    base::IpAddress source;
    base::IpAddress destination;
    std::uint8_t ttl = 0;  // hop limit for IPv6
    bool dont_fragment = false;
    // Bytes behind the IP header and IPv6 extension headers, by the length field: the transport
    // header and its data, also when less was captured.
    std::uint32_t payload_length = 0;

    std::uint16_t source_port = 0;  // TCP and UDP
    std::uint16_t destination_port = 0;

    std::uint8_t tcp_flags = 0;
    std::uint8_t tcp_header_length = 0;  // bytes, 20..60
    // What tells one sender's stack from another's.
    std::uint16_t ip_id = 0;  // IPv4
    std::uint16_t tcp_window = 0;
    std::uint32_t tcp_sequence = 0;
    std::uint32_t tcp_acknowledgement = 0;
    std::uint32_t tcp_options = 0;      // bit k: an option of kind k, for kinds below 32
    std::uint16_t udp_data_length = 0;  // the length field less the header

    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    bool has_embedded = false;  // of an error with a readable TCP or UDP packet in it
    Embedded embedded;
};

// True for the errors that say "nothing listens there" or "not for you": ICMP type 3, ICMPv6
// type 1.
bool is_unreachable(const Packet& packet);
// True for an echo request / reply of either family.
bool is_echo_request(const Packet& packet);
bool is_echo_reply(const Packet& packet);

// Reads an Ethernet frame of which `frame` was captured.
Packet parse_ethernet(std::span<const std::uint8_t> frame);

// Reads an IPv4 or IPv6 packet, told apart by the version nibble.
Packet parse_ip(std::span<const std::uint8_t> captured);

}  // namespace portcullis::sensor_packet
