// Links: the header before the IP packet, for each link type that a capture can have.
//
// Between capture and packet: parse_frame() finds the IP packet of a frame, through any number of
// VLAN tags, and has it read by parse_ip(). Stateless, thread-safe.
#pragma once

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
};

// Reads a frame of which `frame` was captured. The views of `view` point into it.
//
// An ARP request over Ethernet for an IPv4 address gets the verdict ArpRequest, its sender as
// `source` and its target as `destination`. Address probes and announcements (RFC 5227: sender
// 0.0.0.0, or sender and target the same) are OtherLink, because nobody asks for a host there.
Packet parse_frame(LinkType link, std::span<const std::uint8_t> frame, PacketView& view,
                   HeaderChecksum checksum = HeaderChecksum::Verified);

}  // namespace portcullis::sensor_packet
