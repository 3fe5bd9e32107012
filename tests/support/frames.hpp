// Frames: Ethernet frames as bytes, for tests of the sensor. Lengths and the IPv4 header checksum
// are right unless a test changes them afterwards; seal_segment() sets that of TCP and UDP.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "sensor/packet/link.hpp"

namespace portcullis::test {

using Frame = std::vector<std::uint8_t>;

inline sensor_packet::Packet parse_ethernet(const Frame& frame) {
    sensor_packet::PacketView view;
    return sensor_packet::parse_frame(sensor_packet::LinkType::Ethernet, frame, view);
}

inline void put16(Frame& bytes, std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

inline void append(Frame& bytes, const Frame& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

// RFC 1071: the sum of `length` bytes from `at`, as 16-bit words and folded.
inline std::uint32_t checksum_sum(const Frame& bytes, std::size_t at, std::size_t length,
                                  std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < length; ++i) {
        sum += i % 2 == 0 ? std::uint32_t{bytes[at + i]} << 8 : bytes[at + i];
    }
    while ((sum >> 16) != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

// Sets the IPv4 header checksum of an Ethernet frame.
inline void seal(Frame& frame) {
    put16(frame, 24, 0);
    put16(frame, 24, ~checksum_sum(frame, 14, std::size_t{frame[14]} % 16 * 4) & 0xffff);
}

// What seal_segment() sums: all of it, or what the kernel leaves for a network card that does the
// rest.
enum class Summed : std::uint8_t { All, PseudoHeader };

// Sets the checksum of TCP or UDP in an Ethernet frame of IPv4, or of IPv6 without extension
// headers. The IP length says where the segment ends.
inline void seal_segment(Frame& frame, Summed summed = Summed::All) {
    const bool is_v4 = frame[12] == 0x08;
    const std::size_t at = is_v4 ? 14 + std::size_t{frame[14]} % 16 * 4 : 14 + 40;
    const std::size_t end = is_v4 ? 14 + ((std::size_t{frame[16]} << 8) | frame[17])
                                  : at + ((std::size_t{frame[18]} << 8) | frame[19]);
    const std::uint8_t protocol = is_v4 ? frame[23] : frame[20];
    const std::size_t checksum = at + (protocol == 6 ? 16 : 6);
    put16(frame, checksum, 0);
    std::uint32_t sum = checksum_sum(frame, is_v4 ? 26 : 22, is_v4 ? 8 : 32,
                                     static_cast<std::uint32_t>(protocol + (end - at)));
    if (summed == Summed::All) {
        sum = ~checksum_sum(frame, at, end - at, sum) & 0xffff;
        sum = sum == 0 && protocol == 17 ? 0xffff : sum;  // RFC 768
    }
    put16(frame, checksum, sum);
}

inline Frame tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags,
                 std::size_t options = 0) {
    Frame header(20 + options, 0);
    put16(header, 0, source_port);
    put16(header, 2, destination_port);
    header[12] = static_cast<std::uint8_t>((header.size() / 4) << 4);
    header[13] = flags;
    return header;
}

inline Frame udp(std::uint16_t source_port, std::uint16_t destination_port, std::size_t data) {
    Frame datagram(8 + data, 'x');
    put16(datagram, 0, source_port);
    put16(datagram, 2, destination_port);
    put16(datagram, 4, datagram.size());
    put16(datagram, 6, 0);
    return datagram;
}

// With one chunk, without data.
inline Frame sctp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t chunk,
                  std::uint32_t verification_tag = 0) {
    Frame packet(16, 0);
    put16(packet, 0, source_port);
    put16(packet, 2, destination_port);
    put16(packet, 4, verification_tag >> 16);
    put16(packet, 6, verification_tag & 0xffff);
    packet[12] = chunk;
    put16(packet, 14, 4);
    return packet;
}

// An ARP request over Ethernet.
inline Frame arp_request(const std::string& sender, const std::string& target) {
    Frame frame(14 + 28, 0);
    const Frame head{0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
    std::copy(head.begin(), head.end(), frame.begin() + 12);
    const auto from = *base::IpAddress::parse(sender);
    const auto to = *base::IpAddress::parse(target);
    std::copy_n(from.data(), 4, frame.begin() + 28);
    std::copy_n(to.data(), 4, frame.begin() + 38);
    return frame;
}

inline Frame icmp(std::uint8_t type, std::uint8_t code, const Frame& rest) {
    Frame message{type, code, 0, 0, 0, 0, 0, 0};
    append(message, rest);
    return message;
}

inline Frame ipv4(const std::string& source, const std::string& destination, std::uint8_t protocol,
                  const Frame& payload, std::uint8_t ttl = 64) {
    Frame frame(14 + 20, 0);
    frame[12] = 0x08;
    frame[14] = 0x45;
    put16(frame, 16, 20 + payload.size());
    frame[22] = ttl;
    frame[23] = protocol;
    const auto from = *base::IpAddress::parse(source);
    const auto to = *base::IpAddress::parse(destination);
    std::copy_n(from.data(), 4, frame.begin() + 26);
    std::copy_n(to.data(), 4, frame.begin() + 30);
    seal(frame);
    append(frame, payload);
    return frame;
}

inline Frame ipv6(const std::string& source, const std::string& destination, std::uint8_t next,
                  const Frame& payload) {
    Frame frame(14 + 40, 0);
    frame[12] = 0x86;
    frame[13] = 0xdd;
    frame[14] = 0x60;
    put16(frame, 18, payload.size());
    frame[20] = next;
    frame[21] = 64;
    const auto from = *base::IpAddress::parse(source);
    const auto to = *base::IpAddress::parse(destination);
    std::copy_n(from.data(), 16, frame.begin() + 22);
    std::copy_n(to.data(), 16, frame.begin() + 38);
    append(frame, payload);
    return frame;
}

}  // namespace portcullis::test
