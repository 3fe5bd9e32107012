#include "sensor/packet/link.hpp"

#include <array>

#include "sensor/packet/bytes.hpp"

namespace portcullis::sensor_packet {
namespace {

// What the link header says of the packet behind it.
struct LinkHeader {
    enum class Says : std::uint8_t { Malformed, Ipv4, Ipv6, Ip, Arp, Other };
    Says says = Says::Malformed;
    std::size_t length = 0;  // bytes
};
using Says = LinkHeader::Says;

// Behind MPLS nothing but the version of IP says what follows (RFC 4928 section 3); the control
// word of a pseudowire begins with 0.
LinkHeader mpls_header(const Bytes& frame, std::size_t length) {
    constexpr std::uint32_t kBottomOfStack = 0x100;  // RFC 3032 section 2.1
    std::uint32_t label = 0;
    while ((label & kBottomOfStack) == 0) {
        if (!frame.has(length + 4)) {
            return {};
        }
        label = frame.u32(length);
        length += 4;
    }
    if (!frame.has(length + 1)) {
        return {};
    }
    const int version = frame.u8(length) >> 4;
    return {version == 4 ? Says::Ipv4 : version == 6 ? Says::Ipv6 : Says::Other, length};
}

// `length`: where the PPP protocol number begins.
LinkHeader ppp_protocol(const Bytes& frame, std::size_t length) {
    if (!frame.has(length + 2)) {
        return {};
    }
    length += frame.u8(length) == 0 ? 1 : 0;
    const std::uint8_t protocol = frame.u8(length);
    return {protocol == kPppIpv4   ? Says::Ipv4
            : protocol == kPppIpv6 ? Says::Ipv6
                                   : Says::Other,
            length + 1};
}

// RFC 2516 section 4: version and type 1, code 0 for data.
LinkHeader pppoe_header(const Bytes& frame, std::size_t length) {
    constexpr std::size_t kHeader = 6;
    if (!frame.has(length + kHeader)) {
        return {};
    }
    return frame.u16(length) == 0x1100 ? ppp_protocol(frame, length + kHeader)
                                       : LinkHeader{Says::Other, length};
}

// The result of reading one header behind an EtherType: the next type, or the end.
struct Step {
    bool is_at_end = true;
    LinkHeader header{};     // at the end
    std::uint16_t type = 0;  // before it
    std::size_t length = 0;
};

Step step_over(const Bytes& frame, std::size_t from, std::size_t tag) {
    const std::size_t length = from + tag;
    if (!frame.has(length)) {
        return {};
    }
    return {false, {}, frame.u16(length - 2), length};
}

// IEEE 802.2: unnumbered information of IP, or of SNAP with an EtherType (RFC 1042; 802.1H).
Step step_over_llc(const Bytes& frame, std::size_t from) {
    constexpr std::size_t kHeader = 3;
    constexpr std::size_t kSnapHeader = 8;
    constexpr std::uint32_t kSnap = 0xaaaa0300;
    constexpr std::uint32_t kIp = 0x06060300;
    if (!frame.has(from + kHeader + 1)) {
        return {};
    }
    const std::uint32_t start = frame.u32(from);
    if ((start & 0xffffff00) == kIp) {
        return {true, {Says::Ipv4, from + kHeader}, 0, 0};
    }
    if (start != kSnap) {
        return {true, {Says::Other, from}, 0, 0};
    }
    if (!frame.has(from + kSnapHeader)) {
        return {};
    }
    const std::uint16_t organization = frame.u16(from + 4);  // its first byte is in kSnap
    if (organization != 0 && organization != 0x00f8) {
        return {true, {Says::Other, from}, 0, 0};
    }
    return step_over(frame, from, kSnapHeader);
}

Step step_over_macsec(const Bytes& frame, std::size_t from) {
    if (!frame.has(from + 1)) {
        return {};
    }
    const std::uint8_t control = frame.u8(from);
    if ((control & (kMacsecVersion | kMacsecIsChanged)) != 0) {
        return {true, {Says::Other, from}, 0, 0};
    }
    return step_over(frame, from,
                     (control & kMacsecHasChannel) != 0 ? kMacsecTagWithChannel : kMacsecTag);
}

Step step_over_tag(const Bytes& frame, std::uint16_t type, std::size_t from) {
    for (const TagRow& row : kTags) {
        if (row.type == type) {
            return step_over(frame, from, row.length);
        }
    }
    return {true, {Says::Other, from}, 0, 0};
}

// `type`: the EtherType in the link header of `length` bytes; more may follow. Each step takes some
// bytes of the frame, so the loop ends.
LinkHeader after_type(const Bytes& frame, std::uint16_t type, std::size_t length) {
    for (;;) {
        Step step;
        switch (type) {
            case kTypeIpv4:
                return {Says::Ipv4, length};
            case kTypeIpv6:
                return {Says::Ipv6, length};
            case kTypeArp:
                return {Says::Arp, length};
            case kTypeMpls:
            case kTypeMplsMulticast:
                return mpls_header(frame, length);
            case kTypePppoeSession:
                return pppoe_header(frame, length);
            case kTypeMacsec:
                step = step_over_macsec(frame, length);
                break;
            default:
                step = type < kFirstType ? step_over_llc(frame, length)
                                         : step_over_tag(frame, type, length);
        }
        if (step.is_at_end) {
            return step.header;
        }
        type = step.type;
        length = step.length;
    }
}

constexpr std::size_t kEthernet = 14;

LinkHeader ethernet_header(const Bytes& frame) {
    return frame.has(kEthernet) ? after_type(frame, frame.u16(kEthernet - 2), kEthernet)
                                : LinkHeader{};
}

LinkHeader after_cooked_type(const Bytes& frame, std::uint16_t type, std::size_t length) {
    // Linux gives other small numbers to protocols without an Ethernet header.
    const bool is_other = type < kFirstType && type != kTypeCookedLlc;
    return is_other ? LinkHeader{Says::Other, length} : after_type(frame, type, length);
}

LinkHeader cooked_header(const Bytes& frame) {
    return frame.has(16) ? after_cooked_type(frame, frame.u16(14), 16) : LinkHeader{};
}

LinkHeader cooked2_header(const Bytes& frame) {
    return frame.has(20) ? after_cooked_type(frame, frame.u16(0), 20) : LinkHeader{};
}

LinkHeader hdlc_header(const Bytes& frame) {
    return frame.has(4) ? after_type(frame, frame.u16(2), 4) : LinkHeader{};
}

// RFC 1662 section 3.1: address ff, control 03; both may be left out. Cisco HDLC on the same line
// has the address 0f or 8f.
LinkHeader ppp_header(const Bytes& frame) {
    if (!frame.has(2)) {
        return {};
    }
    const std::uint16_t start = frame.u16(0);
    if (start == 0x0f00 || start == 0x8f00) {
        return hdlc_header(frame);
    }
    return ppp_protocol(frame, start == 0xff03 ? 2 : 0);
}

LinkHeader pppoe_session_header(const Bytes& frame) { return pppoe_header(frame, 0); }

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
constexpr std::array<LinkRow, 9> kLinks{{
    {LinkType::Ethernet, ethernet_header},
    {LinkType::RawIp, no_header},
    {LinkType::LinuxCooked, cooked_header},
    {LinkType::LinuxCooked2, cooked2_header},
    {LinkType::Null, null_header},
    {LinkType::Loop, loop_header},
    {LinkType::Ppp, ppp_header},
    {LinkType::PppoeSession, pppoe_session_header},
    {LinkType::CiscoHdlc, hdlc_header},
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
    const Bytes bytes(frame);
    // Most frames are IPv4 on Ethernet without a tag. The general way costs 35 instructions more.
    const bool is_plain = link == LinkType::Ethernet && bytes.has(kEthernet + 1) &&
                          bytes.u16(kEthernet - 2) == kTypeIpv4;
    const LinkHeader header = is_plain ? LinkHeader{Says::Ipv4, kEthernet}
                                       : kLinks[static_cast<std::size_t>(link)].read(bytes);
    if (header.says == Says::Malformed || header.says == Says::Other) {
        return Packet{.verdict =
                          header.says == Says::Other ? Verdict::OtherLink : Verdict::Malformed};
    }
    view.is_wrapped = link == LinkType::Ethernet && header.length != kEthernet;
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
