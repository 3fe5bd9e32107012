// Packet: the fields of one frame that the sensor needs, read once and copied.
//
// First stage after the capture. An attacker may have written the packet: parse_ip() checks every
// length of the network and transport headers against the captured bytes (link.hpp reads the link
// header before them). It allocates nothing and reports no errors; `verdict` says why a packet
// cannot be used, so that it can be counted. Only `icmp` and `checksummed` point into the frame; a
// PacketView does as well. Stateless, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ip_address.hpp"

namespace portcullis::sensor_packet {

enum class Transport : std::uint8_t {
    Tcp,
    Udp,
    Icmp,    // of a Packet: over IPv4; in keys of tables: either version
    Icmpv6,  // over IPv6
    Sctp,    // RFC 9260
    Other,   // any other IP protocol; Packet::protocol names it
};

// True for the transports whose packets have ports.
constexpr bool has_ports(Transport transport) {
    return transport == Transport::Tcp || transport == Transport::Udp ||
           transport == Transport::Sctp;
}

// Why a frame can or cannot be used. Sensor counts each verdict.
enum class Verdict : std::uint8_t {
    Ok,
    OtherLink,    // neither IPv4 nor IPv6 nor an ArpRequest
    ArpRequest,   // RFC 826: `source` asks for the link address of `destination`
    Fragment,     // a piece of a datagram: for a Reassembler
    Malformed,    // lengths that contradict each other, headers cut short
    ShortPacket,  // IPv4: header length below 20, or more than the total length
    BadChecksum,  // IPv4 header checksum
};
inline constexpr std::size_t kVerdictCount = 7;

// Which IPv4 header checksums are accepted.
enum class HeaderChecksum : std::uint8_t {
    Verified,    // the sum over the header
    MayBeUnset,  // 0 as well: a network card can fill it in after the packet was captured
};

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
    std::uint16_t source_port = 0;  // both 0 unless has_ports(transport)
    std::uint16_t destination_port = 0;
    std::uint8_t protocol = 0;  // as Packet::protocol
};

struct Packet {
    Verdict verdict = Verdict::OtherLink;
    Transport transport = Transport::Tcp;
    // Verdict Ok: the IP protocol number of what `payload_length` counts; for IPv6 the one behind
    // all extension headers.
    std::uint8_t protocol = 0;
    // The addresses are set as soon as the IP header could be read, whatever the verdict.
    base::IpAddress source{};
    base::IpAddress destination{};
    // Kernel index of the interface that captured it; 0 = not known, as in a file. Not set by the
    // functions here.
    std::uint32_t interface_index = 0;
    std::uint8_t ttl = 0;  // hop limit for IPv6
    bool dont_fragment = false;
    // Bytes behind the IP header and IPv6 extension headers, by the length field: the transport
    // header and its data, also when less was captured.
    std::uint32_t payload_length = 0;

    std::uint16_t source_port = 0;  // both 0 unless has_ports(transport)
    std::uint16_t destination_port = 0;

    std::uint8_t tcp_flags = 0;
    std::uint8_t tcp_header_length = 0;  // bytes, 20..60
    std::uint16_t tcp_data_length = 0;   // bytes, by the length field of IP
    // Fields that distinguish the stacks of senders.
    std::uint16_t ip_id = 0;  // IPv4
    std::uint16_t tcp_window = 0;
    std::uint32_t tcp_sequence = 0;
    std::uint32_t tcp_acknowledgement = 0;
    std::uint32_t tcp_options = 0;      // bit k: an option of kind k, for kinds below 32
    std::uint16_t udp_data_length = 0;  // the length field less the header

    std::uint8_t sctp_chunk = 0;  // type of the first chunk (RFC 9260 section 3.2)
    std::uint32_t sctp_verification_tag = 0;

    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::optional<Embedded> embedded{};  // of an error with a readable packet in it
    // ICMP and ICMPv6: the message as captured, for icmp_message.hpp. A view: it dies with the
    // frame.
    std::span<const std::uint8_t> icmp{};
    // TCP and UDP: what the checksum covers, for is_checksum_wrong(); a view as well. Empty for
    // what cannot be verified.
    std::span<const std::uint8_t> checksummed{};
};

// TCP or UDP whose checksum the receiver finds wrong, so that no host answers it. A partial
// checksum (only the pseudo header is summed, the card does the rest) is wrong as well. False
// whenever that is not known: for segments above kLongestChecksummed or not captured whole,
// reassembled datagrams, IPv4 options, and routing headers and destination options of IPv6, which
// can change the addresses of the pseudo header.
bool is_checksum_wrong(const Packet& packet);
// A wrong checksum that is a partial one.
bool is_checksum_partial(const Packet& packet);

// Checksums of longer segments are not verified: bulk would cost more than all the rest, and the
// kernel filter keeps no more of them.
inline constexpr std::size_t kLongestChecksummed = 160;

// True for the errors that report an unreachable destination: ICMP type 3, ICMPv6 type 1.
bool is_unreachable(const Packet& packet);
// True for an echo request / reply of either family.
bool is_echo_request(const Packet& packet);
bool is_echo_reply(const Packet& packet);

// A piece of a datagram. `bytes` points into the frame.
struct Fragment {
    std::uint32_t identification = 0;
    std::uint32_t offset = 0;  // bytes, a multiple of 8
    std::uint32_t length = 0;  // bytes of the piece by the length field
    bool more_follow = false;
    std::uint8_t protocol = 0;  // of IPv4; of IPv6 what the fragment header says comes next
    std::span<const std::uint8_t> bytes;  // of the piece, as many as were captured
};

// What a Packet does not copy. The views die with the frame.
struct PacketView {
    // Verdict Ok: the transport header and what was captured behind it.
    std::span<const std::uint8_t> payload;
    Fragment fragment;  // verdict Fragment
    // True if there is another header between those of Ethernet and IP: a tag or a label.
    bool is_wrapped = false;
};

// Reads an IPv4 or IPv6 packet of which `captured` is known. The version nibble says which.
Packet parse_ip(std::span<const std::uint8_t> captured, PacketView& view,
                HeaderChecksum checksum = HeaderChecksum::Verified);

// Reads the payload of a datagram that was put together from fragments: `packet` is that of the
// piece at offset 0 and gets transport, ports and verdict; `payload` holds as many of its `length`
// bytes as are known; `protocol` is that of the Fragment.
void parse_reassembled(std::span<const std::uint8_t> payload, std::uint32_t length,
                       std::uint8_t protocol, Packet& packet, PacketView& view);

}  // namespace portcullis::sensor_packet
