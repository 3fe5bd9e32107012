// Lengths of headers without options, in bytes, and the longest datagram.
#pragma once

#include <cstddef>
#include <cstdint>

namespace portcullis::sensor_packet {

inline constexpr std::size_t kIpv4Header = 20;  // RFC 791 section 3.1
inline constexpr std::size_t kIpv6Header = 40;  // RFC 8200 section 3
inline constexpr std::size_t kTcpHeader = 20;   // RFC 9293 section 3.1
inline constexpr std::size_t kUdpHeader = 8;    // RFC 768
inline constexpr std::size_t kIcmpHeader = 8;   // RFC 792, RFC 4443: with the second word
inline constexpr std::size_t kSctpHeader = 12;  // RFC 9260 section 3.1
inline constexpr std::size_t kSctpChunkHeader = 4;

inline constexpr std::uint32_t kLongestDatagram = 65535;  // RFC 791: a total length of 16 bits

}  // namespace portcullis::sensor_packet
