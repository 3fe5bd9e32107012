// Frames: Ethernet frames as bytes, for tests of the sensor. Lengths and checksum are right unless
// a test changes them afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/ip_address.hpp"
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

// Sets the IPv4 header checksum of an Ethernet frame.
inline void seal(Frame& frame) {
    const std::size_t length = std::size_t{frame[14]} % 16 * 4;
    put16(frame, 24, 0);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < length; i += 2) {
        sum += static_cast<std::uint32_t>((frame[14 + i] << 8) | frame[15 + i]);
    }
    while ((sum >> 16) != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    put16(frame, 24, ~sum & 0xffff);
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
