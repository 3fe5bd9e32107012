// Links: the header before the IP packet, for each link type that a capture can have.
//
// Between capture and packet: parse_frame() finds the IP packet of a frame, through any number of
// tags, MPLS labels, PPPoE, LLC and MACsec without encryption, and has it read by parse_ip().
// Stateless, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_packet {

enum class LinkType : std::uint8_t {
    Ethernet,
    RawIp,
    LinuxCooked,   // of the interface "any": LINKTYPE_LINUX_SLL
    LinuxCooked2,  // LINKTYPE_LINUX_SLL2
    Null,          // BSD loopback, address family in the byte order of the host that captured
    Loop,          // the same in network byte order (OpenBSD)
    Ppp,           // PPP, with or without HDLC-like framing; Cisco HDLC where the line has that
    PppoeSession,  // LINKTYPE_PPP_ETHER: a PPPoE session header, without that of Ethernet
    CiscoHdlc,
};

// EtherTypes (IEEE 802 numbers, IANA).
inline constexpr std::uint16_t kTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kTypeArp = 0x0806;
inline constexpr std::uint16_t kTypeIpv6 = 0x86dd;
inline constexpr std::uint16_t kTypeMpls = 0x8847;           // RFC 5332
inline constexpr std::uint16_t kTypeMplsMulticast = 0x8848;  // RFC 5332
inline constexpr std::uint16_t kTypePppoeSession = 0x8864;   // RFC 2516
inline constexpr std::uint16_t kTypeMacsec = 0x88e5;         // IEEE 802.1AE
// A smaller number is not a type but the length of a frame with an LLC header (IEEE 802.3).
inline constexpr std::uint16_t kFirstType = 0x0600;
// What the kernel gives as the type of such a frame in a cooked capture (ETH_P_802_2).
inline constexpr std::uint16_t kTypeCookedLlc = 0x0004;

// A header of fixed length between an EtherType and the next one.
struct TagRow {
    std::uint16_t type;
    std::uint8_t length;  // bytes from behind `type` to behind the next type
};
inline constexpr std::array<TagRow, 9> kTags{{
    {0x8100, 4},   // IEEE 802.1Q: VLAN tag
    {0x88a8, 4},   // IEEE 802.1ad: service VLAN tag
    {0x9100, 4},   // outer VLAN tag of switches older than that
    {0x9200, 4},   // the same
    {0x8909, 8},   // Cisco MetaData: version, length, option, security group
    {0xf1c1, 6},   // IEEE 802.1CB: R-TAG, reserved and sequence number
    {0x893f, 8},   // IEEE 802.1BR: E-TAG
    {0x8926, 6},   // Cisco VN-Tag
    {0x88e7, 18},  // IEEE 802.1ah: I-TAG, service and the customer's two addresses
}};

// IEEE 802.1AE section 9.5: bits of the first byte of a MACsec tag.
inline constexpr std::uint8_t kMacsecVersion = 0x80;
inline constexpr std::uint8_t kMacsecHasChannel = 0x20;  // 8 bytes more
inline constexpr std::uint8_t kMacsecIsChanged = 0x0c;   // encrypted, or changed otherwise
// Bytes from behind the type of MACsec to behind the next one, without and with a channel.
inline constexpr std::uint8_t kMacsecTag = 8;
inline constexpr std::uint8_t kMacsecTagWithChannel = 16;

// PPP protocol numbers (IANA). Both may be sent in one byte (RFC 1661 section 6.5).
inline constexpr std::uint8_t kPppIpv4 = 0x21;
inline constexpr std::uint8_t kPppIpv6 = 0x57;

// Reads a frame of which `frame` was captured. The views of `view` point into it.
//
// An ARP request over Ethernet for an IPv4 address gets the verdict ArpRequest, its sender as
// `source` and its target as `destination`. Address probes and announcements (RFC 5227: sender
// 0.0.0.0, or sender and target the same) are OtherLink, because nobody asks for a host there.
Packet parse_frame(LinkType link, std::span<const std::uint8_t> frame, PacketView& view,
                   HeaderChecksum checksum = HeaderChecksum::Verified);

}  // namespace portcullis::sensor_packet
