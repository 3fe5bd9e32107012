#include "sensor/packet/packet.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "sensor/packet/bytes.hpp"
#include "sensor/packet/header_sizes.hpp"
#include "sensor/packet/icmp_message.hpp"

namespace portcullis::sensor_packet {
namespace {

// IP protocol numbers (IANA).
constexpr std::uint8_t kProtoHopByHop = 0;
constexpr std::uint8_t kProtoIcmp = 1;
constexpr std::uint8_t kProtoTcp = 6;
constexpr std::uint8_t kProtoUdp = 17;
constexpr std::uint8_t kProtoRouting = 43;
constexpr std::uint8_t kProtoFragment = 44;
constexpr std::uint8_t kProtoAuthentication = 51;
constexpr std::uint8_t kProtoIcmpv6 = 58;
constexpr std::uint8_t kProtoDestinationOptions = 60;
constexpr std::uint8_t kProtoSctp = 132;
constexpr std::uint8_t kProtoMobility = 135;
constexpr std::uint8_t kProtoHostIdentity = 139;
constexpr std::uint8_t kProtoShim6 = 140;

// Sum of the 16-bit words of `bytes` (RFC 1071) in the byte order of the host, eight and four bytes
// at a time, not yet folded to 16 bits. Section 2 (B): the byte order does not matter as long as it
// is the same for all.
inline std::uint64_t word_sum(std::span<const std::uint8_t> bytes) {
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t sum = 0;
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
        std::uint64_t words = 0;
        std::memcpy(&words, at, sizeof words);
        sum += (words & 0xffffffff) + (words >> 32);
        at += sizeof words;
    }
    if (left >= sizeof(std::uint32_t)) {
        std::uint32_t word = 0;
        std::memcpy(&word, at, sizeof word);
        sum += word;
        at += sizeof word;
        left -= sizeof word;
    }
    if (left > 0) {
        std::uint32_t word = 0;  // filled up with zeros
        std::memcpy(&word, at, left);
        sum += word;
    }
    return sum;
}

std::uint64_t folded(std::uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

// A packet with a checksum is intact if the sum over all of it is 0xffff.
bool is_sum_right(std::uint64_t sum) { return folded(sum) == 0xffff; }

bool is_ipv4_checksum_right(const Bytes& bytes, std::size_t header_length,
                            HeaderChecksum checksum) {
    constexpr std::size_t kChecksum = 10;
    return is_sum_right(word_sum(bytes.span(0, header_length))) ||
           (checksum == HeaderChecksum::MayBeUnset && bytes.u16(kChecksum) == 0);
}

// Of two lengths that are known here, so that neither takes a loop.
std::uint64_t address_sum(const base::IpAddress& address) {
    constexpr std::size_t kV4 = 4;
    constexpr std::size_t kV6 = 16;
    return address.is_v4() ? word_sum(std::span(address.data(), kV4))
                           : word_sum(std::span(address.data(), kV6));
}

// Sum of the pseudo header of TCP and UDP (RFC 9293 section 3.1, RFC 8200 section 8.1), not folded.
std::uint64_t pseudo_header_sum(const Packet& packet) {
    static_assert(kLongestChecksummed <= 0xff);
    const auto length = static_cast<std::uint16_t>(packet.checksummed.size());
    return address_sum(packet.source) + address_sum(packet.destination) + htons(packet.protocol) +
           htons(length);
}

// Whether the addresses in the IP header are those of the pseudo header.
enum class PseudoHeader : std::uint8_t { Known, Unknown };

// Each family has its own ICMP; hosts do not take that of the other one.
Transport transport_of(std::uint8_t protocol, bool is_v4) {
    switch (protocol) {
        case kProtoTcp:
            return Transport::Tcp;
        case kProtoUdp:
            return Transport::Udp;
        case kProtoIcmp:
            return is_v4 ? Transport::Icmp : Transport::Other;
        case kProtoIcmpv6:
            return is_v4 ? Transport::Other : Transport::Icmpv6;
        case kProtoSctp:
            return Transport::Sctp;
        default:
            return Transport::Other;
    }
}

struct Ipv6Chain {
    Verdict verdict = Verdict::Ok;
    // Unknown: a routing header names another destination, an option another source (RFC 6275).
    PseudoHeader pseudo_header = PseudoHeader::Known;
    std::uint8_t protocol = 0;
    std::size_t length = 0;  // bytes of extension headers
    // Verdict Fragment: what the fragment header says.
    std::uint32_t identification = 0;
    std::uint16_t offset_and_more = 0;
};

// Reads the extension headers; `bytes` starts behind the fixed header. RFC 8200 section 4.1 wants
// at most one of each kind, but hosts accept any number, so a limit would miss scans behind more of
// them. Each header takes at least eight bytes, so the loop ends with the capture.
Ipv6Chain walk_extension_headers(const Bytes& bytes, std::uint8_t protocol) {
    Ipv6Chain chain;
    chain.protocol = protocol;
    for (;;) {
        const Bytes header = bytes.from(chain.length);
        switch (chain.protocol) {
            case kProtoRouting:
            case kProtoDestinationOptions:
                chain.pseudo_header = PseudoHeader::Unknown;
                [[fallthrough]];
            case kProtoHopByHop:
            case kProtoMobility:
            case kProtoHostIdentity:
            case kProtoShim6:
                if (!header.has(2)) {
                    chain.verdict = Verdict::Malformed;
                    return chain;
                }
                chain.length += (std::size_t{header.u8(1)} + 1) * 8;
                break;
            case kProtoAuthentication:  // counted in 4-byte units: RFC 4302 section 2.2
                if (!header.has(2)) {
                    chain.verdict = Verdict::Malformed;
                    return chain;
                }
                chain.length += (std::size_t{header.u8(1)} + 2) * 4;
                break;
            case kProtoFragment:
                if (!header.has(8)) {
                    chain.verdict = Verdict::Malformed;
                    return chain;
                }
                chain.length += 8;
                // An "atomic fragment" (RFC 6946) is a whole packet.
                if ((header.u16(2) & 0xfff9) != 0) {
                    chain.verdict = Verdict::Fragment;
                    chain.identification = header.u32(4);
                    chain.offset_and_more = header.u16(2);
                    chain.protocol = header.u8(0);
                    return chain;
                }
                break;
            default:
                return chain;
        }
        chain.protocol = header.u8(0);
    }
}

// The packet inside an ICMP error: its addresses, its protocol and, if that has ports, the first
// four bytes of its transport header. Routers may cut it there (RFC 792), so nothing more is asked
// for.
std::optional<Embedded> parse_embedded(const Bytes& bytes) {
    Embedded embedded;
    std::size_t header_length = 0;
    if (bytes.has(kIpv4Header) && (bytes.u8(0) >> 4) == 4) {
        header_length = std::size_t{bytes.u8(0)} % 16 * 4;
        if (header_length < kIpv4Header || (bytes.u16(6) & 0x1fff) != 0) {
            return std::nullopt;
        }
        embedded.protocol = bytes.u8(9);
        embedded.source = bytes.ipv4(12);
        embedded.destination = bytes.ipv4(16);
    } else if (bytes.has(kIpv6Header) && (bytes.u8(0) >> 4) == 6) {
        const Ipv6Chain chain = walk_extension_headers(bytes.from(kIpv6Header), bytes.u8(6));
        if (chain.verdict != Verdict::Ok) {
            return std::nullopt;
        }
        header_length = kIpv6Header + chain.length;
        embedded.protocol = chain.protocol;
        embedded.source = bytes.ipv6(8);
        embedded.destination = bytes.ipv6(24);
    } else {
        return std::nullopt;
    }
    embedded.transport = transport_of(embedded.protocol, embedded.source.is_v4());
    if (!has_ports(embedded.transport)) {
        return embedded;
    }
    if (!bytes.has(header_length + 4)) {
        return std::nullopt;
    }
    embedded.source_port = bytes.u16(header_length);
    embedded.destination_port = bytes.u16(header_length + 2);
    return embedded;
}

// The kinds of the options, up to the end of the list, of what was captured, or to a length that
// cannot be (RFC 9293 section 3.1).
std::uint32_t option_kinds(const Bytes& options) {
    std::uint32_t kinds = 0;
    for (std::size_t at = 0; options.has(at + 1) && options.u8(at) != 0;) {
        const std::uint8_t kind = options.u8(at);
        kinds |= kind < 32 ? std::uint32_t{1} << kind : 0;
        if (kind == 1) {  // padding
            ++at;
            continue;
        }
        if (!options.has(at + 2) || options.u8(at + 1) < 2) {
            break;
        }
        at += options.u8(at + 1);
    }
    return kinds;
}

Verdict parse_tcp(const Bytes& bytes, Packet& packet, PseudoHeader pseudo_header) {
    if (!bytes.has(kTcpHeader)) {
        return Verdict::Malformed;
    }
    const auto header_length = static_cast<std::uint8_t>((bytes.u8(12) >> 4) * 4);
    if (header_length < kTcpHeader || header_length > packet.payload_length) {
        return Verdict::Malformed;
    }
    packet.source_port = bytes.u16(0);
    packet.destination_port = bytes.u16(2);
    packet.tcp_flags = bytes.u8(13);
    packet.tcp_header_length = header_length;
    packet.tcp_data_length = static_cast<std::uint16_t>(packet.payload_length - header_length);
    packet.tcp_sequence = bytes.u32(4);
    packet.tcp_acknowledgement = bytes.u32(8);
    packet.tcp_window = bytes.u16(14);
    if (header_length > kTcpHeader) {
        packet.tcp_options = option_kinds(bytes.first(header_length).from(kTcpHeader));
    }
    if (pseudo_header == PseudoHeader::Known && bytes.size() <= kLongestChecksummed &&
        bytes.size() == packet.payload_length) {
        packet.checksummed = bytes.all();
    }
    return Verdict::Ok;
}

Verdict parse_udp(const Bytes& bytes, Packet& packet, PseudoHeader pseudo_header) {
    if (!bytes.has(kUdpHeader)) {
        return Verdict::Malformed;
    }
    std::uint32_t length = bytes.u16(4);
    if (length == 0 && !packet.source.is_v4()) {
        length = packet.payload_length;  // "jumbo": hosts take it for the rest of the packet
    }
    if (length < kUdpHeader || length > packet.payload_length) {
        return Verdict::Malformed;
    }
    packet.source_port = bytes.u16(0);
    packet.destination_port = bytes.u16(2);
    packet.udp_data_length = static_cast<std::uint16_t>(length - kUdpHeader);
    // RFC 768: 0 = the sender made none. RFC 8200 section 8.1: over IPv6 hosts discard that.
    constexpr std::size_t kChecksum = 6;
    const bool has_none = packet.source.is_v4() && bytes.u16(kChecksum) == 0;
    if (pseudo_header == PseudoHeader::Known && !has_none && length <= kLongestChecksummed &&
        bytes.has(length)) {
        packet.checksummed = bytes.span(0, length);
    }
    return Verdict::Ok;
}

Verdict parse_icmp(const Bytes& bytes, Packet& packet) {
    if (!bytes.has(kIcmpHeader)) {
        return Verdict::Malformed;
    }
    packet.icmp_type = bytes.u8(0);
    packet.icmp_code = bytes.u8(1);
    packet.icmp = bytes.span(0, bytes.size());
    if (packet.transport == Transport::Icmp && !is_icmp_message_whole(packet.icmp)) {
        return Verdict::Malformed;
    }
    // RFC 792: 3, 4, 5, 11, 12 carry the packet they complain about; RFC 4443: types below 128.
    const bool is_error = packet.transport == Transport::Icmpv6
                              ? packet.icmp_type < 128
                              : packet.icmp_type == 3 || packet.icmp_type == 4 ||
                                    packet.icmp_type == 5 || packet.icmp_type == 11 ||
                                    packet.icmp_type == 12;
    if (is_error) {
        packet.embedded = parse_embedded(bytes.from(kIcmpHeader));
    }
    return Verdict::Ok;
}

// No host accepts a packet without a chunk (RFC 9260 section 3).
Verdict parse_sctp(const Bytes& bytes, Packet& packet) {
    if (!bytes.has(kSctpHeader + kSctpChunkHeader)) {
        return Verdict::Malformed;
    }
    packet.source_port = bytes.u16(0);
    packet.destination_port = bytes.u16(2);
    packet.sctp_verification_tag = bytes.u32(4);
    packet.sctp_chunk = bytes.u8(kSctpHeader);
    return Verdict::Ok;
}

// `bytes`: the transport header and what was captured behind it, no more than the IP length says.
Verdict parse_transport(const Bytes& bytes, std::uint8_t protocol, PseudoHeader pseudo_header,
                        Packet& packet, PacketView& view) {
    view.payload = bytes.all();
    packet.protocol = protocol;
    packet.transport = transport_of(protocol, packet.source.is_v4());
    switch (packet.transport) {
        case Transport::Tcp:
            return parse_tcp(bytes, packet, pseudo_header);
        case Transport::Udp:
            return parse_udp(bytes, packet, pseudo_header);
        case Transport::Icmp:
        case Transport::Icmpv6:
            return parse_icmp(bytes, packet);
        case Transport::Sctp:
            return parse_sctp(bytes, packet);
        case Transport::Other:
            break;
    }
    return Verdict::Ok;
}

// REQUIRES: `bytes` holds the fixed header; `packet` has its addresses.
Verdict parse_ipv4(const Bytes& bytes, HeaderChecksum checksum, Packet& packet, PacketView& view) {
    const std::size_t header_length = std::size_t{bytes.u8(0)} % 16 * 4;
    const std::size_t total_length = bytes.u16(2);
    if (header_length < kIpv4Header || total_length < header_length) {
        return Verdict::ShortPacket;
    }
    if (!bytes.has(header_length)) {
        return Verdict::Malformed;
    }
    if (!is_ipv4_checksum_right(bytes, header_length, checksum)) {
        return Verdict::BadChecksum;
    }
    packet.ttl = bytes.u8(8);
    packet.ip_id = bytes.u16(4);
    const std::uint16_t fragment = bytes.u16(6);
    packet.dont_fragment = (fragment & 0x4000) != 0;
    packet.payload_length = static_cast<std::uint32_t>(total_length - header_length);
    const Bytes payload = bytes.first(total_length).from(header_length);
    // More fragments, or an offset. Not the reserved bit: hosts do not look at it.
    if ((fragment & 0x3fff) != 0) {
        view.fragment.identification = packet.ip_id;
        view.fragment.offset = (fragment & 0x1fffU) * 8U;
        view.fragment.length = packet.payload_length;
        view.fragment.more_follow = (fragment & 0x2000) != 0;
        view.fragment.protocol = bytes.u8(9);
        view.fragment.bytes = payload.all();
        return Verdict::Fragment;
    }
    // Options may hold a source route, whose end is the destination of the pseudo header.
    const auto pseudo_header =
        header_length == kIpv4Header ? PseudoHeader::Known : PseudoHeader::Unknown;
    return parse_transport(payload, bytes.u8(9), pseudo_header, packet, view);
}

// The extension headers at the start of `bytes` and the transport behind them. `length`: of it all
// by the length field.
Verdict parse_ipv6_payload(const Bytes& bytes, std::size_t length, std::uint8_t protocol,
                           PseudoHeader pseudo_header, Packet& packet, PacketView& view) {
    const Ipv6Chain chain = walk_extension_headers(bytes, protocol);
    if (chain.verdict == Verdict::Malformed || chain.length > length) {
        return Verdict::Malformed;
    }
    const Bytes rest = bytes.from(chain.length);
    packet.payload_length = static_cast<std::uint32_t>(length - chain.length);
    if (chain.verdict == Verdict::Fragment) {
        view.fragment.identification = chain.identification;
        view.fragment.offset = chain.offset_and_more & 0xfff8U;
        view.fragment.length = packet.payload_length;
        view.fragment.more_follow = (chain.offset_and_more & 1) != 0;
        view.fragment.protocol = chain.protocol;
        view.fragment.bytes = rest.all();
        return Verdict::Fragment;
    }
    if (chain.pseudo_header == PseudoHeader::Unknown) {
        pseudo_header = PseudoHeader::Unknown;
    }
    return parse_transport(rest, chain.protocol, pseudo_header, packet, view);
}

// REQUIRES: as for parse_ipv4().
Verdict parse_ipv6(const Bytes& bytes, Packet& packet, PacketView& view) {
    if (packet.source.is_v4() || packet.destination.is_v4()) {
        // IPv4-mapped: never on a wire (RFC 4038 section 4.2); it would pass for an IPv4 host.
        return Verdict::Malformed;
    }
    packet.ttl = bytes.u8(7);
    const std::size_t payload = bytes.u16(4);
    return parse_ipv6_payload(bytes.from(kIpv6Header).first(payload), payload, bytes.u8(6),
                              PseudoHeader::Known, packet, view);
}

// The addresses are made in their place: copied, each would have to wait until its bytes are
// written, which is a third of what a packet costs here.
Packet ipv4_packet(const Bytes& bytes, PacketView& view, HeaderChecksum checksum) {
    Packet packet{.source = bytes.ipv4(12), .destination = bytes.ipv4(16)};
    packet.verdict = parse_ipv4(bytes, checksum, packet, view);
    return packet;
}

Packet ipv6_packet(const Bytes& bytes, PacketView& view) {
    Packet packet{.source = bytes.ipv6(8), .destination = bytes.ipv6(24)};
    packet.verdict = parse_ipv6(bytes, packet, view);
    return packet;
}

}  // namespace

bool is_checksum_wrong(const Packet& packet) {
    constexpr std::size_t kUdpChecksum = 6;
    if (packet.checksummed.empty()) {
        return false;
    }
    // Over IPv6 a datagram must have a checksum (RFC 8200 section 8.1).
    const bool is_missing =
        packet.transport == Transport::Udp &&
        (packet.checksummed[kUdpChecksum] | packet.checksummed[kUdpChecksum + 1]) == 0;
    return is_missing || !is_sum_right(word_sum(packet.checksummed) + pseudo_header_sum(packet));
}

bool is_checksum_partial(const Packet& packet) {
    if (packet.checksummed.empty()) {
        return false;
    }
    const std::size_t at = packet.transport == Transport::Udp ? 6 : 16;
    std::uint16_t field = 0;
    std::memcpy(&field, &packet.checksummed[at], sizeof field);
    return field == folded(pseudo_header_sum(packet));
}

bool is_unreachable(const Packet& packet) {
    return (packet.transport == Transport::Icmp && packet.icmp_type == 3) ||
           (packet.transport == Transport::Icmpv6 && packet.icmp_type == 1);
}

bool is_echo_request(const Packet& packet) {
    return (packet.transport == Transport::Icmp && packet.icmp_type == 8) ||
           (packet.transport == Transport::Icmpv6 && packet.icmp_type == 128);
}

bool is_echo_reply(const Packet& packet) {
    return (packet.transport == Transport::Icmp && packet.icmp_type == 0) ||
           (packet.transport == Transport::Icmpv6 && packet.icmp_type == 129);
}

Packet parse_ip(std::span<const std::uint8_t> captured, PacketView& view, HeaderChecksum checksum) {
    const Bytes bytes(captured);
    const int version = bytes.has(1) ? bytes.u8(0) >> 4 : 0;
    if (version == 4 && bytes.has(kIpv4Header)) {
        return ipv4_packet(bytes, view, checksum);
    }
    if (version == 6 && bytes.has(kIpv6Header)) {
        return ipv6_packet(bytes, view);
    }
    return Packet{.verdict = Verdict::Malformed};
}

void parse_reassembled(std::span<const std::uint8_t> payload, std::uint32_t length,
                       std::uint8_t protocol, Packet& packet, PacketView& view) {
    packet.payload_length = length;
    const Bytes bytes(payload);
    if (packet.source.is_v4()) {
        packet.verdict = parse_transport(bytes, protocol, PseudoHeader::Unknown, packet, view);
        return;
    }
    packet.verdict =
        parse_ipv6_payload(bytes, length, protocol, PseudoHeader::Unknown, packet, view);
    if (packet.verdict == Verdict::Fragment) {
        packet.verdict = Verdict::Malformed;  // a fragment header behind a fragment header
    }
}

}  // namespace portcullis::sensor_packet
