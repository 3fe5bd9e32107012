#include "sensor/packet/link.hpp"

#include <array>

#include "sensor/packet/bytes.hpp"

namespace portcullis::sensor_packet {
namespace {

constexpr std::size_t kVlanTag = 4;

// What the link header says of the packet behind it.
struct LinkHeader {
    enum class Says : std::uint8_t { Malformed, Ipv4, Ipv6, Ip, Arp, Other };
    Says says = Says::Malformed;
    std::size_t length = 0;  // bytes
};
using Says = LinkHeader::Says;

bool is_vlan_tag(std::uint16_t type) {
    // IEEE 802.1Q, 802.1ad (service tag), and what switches used for the outer tag before it.
    return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200;
}

// `type`: the EtherType in the link header of `length` bytes; tags may follow.
LinkHeader after_tags(const Bytes& frame, std::uint16_t type, std::size_t length) {
    while (is_vlan_tag(type)) {
        if (!frame.has(length + kVlanTag)) {
            return {};
        }
        type = frame.u16(length + 2);
        length += kVlanTag;
    }
    switch (type) {
        case 0x0800:
            return {Says::Ipv4, length};
        case 0x86dd:
            return {Says::Ipv6, length};
        case 0x0806:
            return {Says::Arp, length};
        default:
            return {Says::Other, length};
    }
}

LinkHeader ethernet_header(const Bytes& frame) {
    return frame.has(14) ? after_tags(frame, frame.u16(12), 14) : LinkHeader{};
}

LinkHeader cooked_header(const Bytes& frame) {
    return frame.has(16) ? after_tags(frame, frame.u16(14), 16) : LinkHeader{};
}

LinkHeader cooked2_header(const Bytes& frame) {
    return frame.has(20) ? after_tags(frame, frame.u16(0), 20) : LinkHeader{};
}

// AF_INET is 2 everywhere, AF_INET6 differs: Linux 10, NetBSD and OpenBSD 24, FreeBSD 28, macOS 30.
LinkHeader family_header(std::uint32_t family) {
    switch (family) {
        case 2:
            return {Says::Ipv4, 4};
        case 10:
        case 24:
        case 28:
        case 30:
            return {Says::Ipv6, 4};
        default:
            return {Says::Other, 4};
    }
}

LinkHeader loop_header(const Bytes& frame) {
    return frame.has(4) ? family_header(frame.u32(0)) : LinkHeader{};
}

LinkHeader null_header(const Bytes& frame) {
    if (!frame.has(4)) {
        return {};
    }
    // Of whichever byte order the host was: the families are small numbers.
    return family_header(frame.u16(0) != 0 ? std::uint32_t{frame.u8(0)} : frame.u32(0));
}

LinkHeader no_header(const Bytes& /*frame*/) { return {Says::Ip, 0}; }

struct LinkRow {
    LinkType link;
    LinkHeader (*read)(const Bytes& frame);
};
// Row i is that of LinkType(i).
constexpr std::array<LinkRow, 6> kLinks{{
    {LinkType::Ethernet, ethernet_header},
    {LinkType::RawIp, no_header},
    {LinkType::LinuxCooked, cooked_header},
    {LinkType::LinuxCooked2, cooked2_header},
    {LinkType::Null, null_header},
    {LinkType::Loop, loop_header},
}};

// RFC 826, with the addresses of Ethernet and IPv4.
Packet parse_arp(const Bytes& bytes) {
    constexpr std::size_t kLength = 28;
    constexpr std::size_t kSender = 14;
    constexpr std::size_t kTarget = 24;
    const bool is_request = bytes.has(kLength) && bytes.u16(0) == 1 && bytes.u16(2) == 0x0800 &&
                            bytes.u8(4) == 6 && bytes.u8(5) == 4 && bytes.u16(6) == 1;
    if (!is_request || bytes.u32(kSender) == 0 || bytes.u32(kSender) == bytes.u32(kTarget)) {
        return Packet{.verdict = Verdict::OtherLink};
    }
    return Packet{.verdict = Verdict::ArpRequest,
                  .source = bytes.ipv4(kSender),
                  .destination = bytes.ipv4(kTarget)};
}

}  // namespace

Packet parse_frame(LinkType link, std::span<const std::uint8_t> frame, PacketView& view,
                   HeaderChecksum checksum) {
    // Most frames are of Ethernet; an indirect call would be a good part of what they cost.
    const LinkHeader header = link == LinkType::Ethernet
                                  ? ethernet_header(Bytes(frame))
                                  : kLinks[static_cast<std::size_t>(link)].read(Bytes(frame));
    if (header.says == Says::Malformed || header.says == Says::Other) {
        return Packet{.verdict =
                          header.says == Says::Other ? Verdict::OtherLink : Verdict::Malformed};
    }
    const auto packet = frame.subspan(header.length);
    if (header.says == Says::Arp) {
        return parse_arp(Bytes(packet));
    }
    const bool is_contradicted = header.says != Says::Ip && !packet.empty() &&
                                 (packet[0] >> 4) != (header.says == Says::Ipv4 ? 4 : 6);
    if (is_contradicted) {
        return Packet{.verdict = Verdict::Malformed};
    }
    return parse_ip(packet, view, checksum);
}

}  // namespace portcullis::sensor_packet
