#include "sensor/packet/packet.hpp"

#include "tests/support/frames.hpp"

using namespace portcullis::sensor_packet;
using namespace portcullis::test;
using portcullis::base::IpAddress;

namespace {

const std::string kThem = "10.10.150.1";
const std::string kUs = "10.10.150.2";

Frame changed(Frame frame, std::size_t at, std::uint8_t value) {
    frame.at(at) = value;
    return frame;
}

Frame sealed(Frame frame) {
    seal(frame);
    return frame;
}

Frame cut(Frame frame, std::size_t size) {
    frame.resize(size);
    return frame;
}

// An extension header of 8 bytes.
Frame extension(std::uint8_t next, const Frame& behind) {
    Frame header{next, 0, 0, 0, 0, 0, 0, 0};
    append(header, behind);
    return header;
}

Frame tagged(Frame frame, std::uint16_t vlan) {
    const Frame tag{0x81, 0, static_cast<std::uint8_t>(vlan >> 8), static_cast<std::uint8_t>(vlan)};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    return frame;
}

// ::ffff:10.10.150.1 would be taken for the IPv4 host.
Frame ipv6_mapped() {
    Frame frame = ipv6("fd00::1", "fd00::2", 6, tcp(1, 2, kSyn));
    const Frame mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 10, 150, 1};
    std::copy(mapped.begin(), mapped.end(), frame.begin() + 22);
    return frame;
}

}  // namespace

TEST_CASE("packet: a TCP segment gives addresses, ports, flags and the length of its payload") {
    Frame frame = ipv4(kThem, kUs, 6, tcp(40000, 22, kSyn, 4), 57);
    frame[20] = 0x40;  // DF
    seal(frame);
    const Packet packet = parse_ethernet(frame);
    REQUIRE(packet.verdict == Verdict::Ok);
    CHECK(packet.transport == Transport::Tcp);
    CHECK(packet.source.to_string() == kThem);
    CHECK(packet.destination.to_string() == kUs);
    CHECK(packet.source_port == 40000);
    CHECK(packet.destination_port == 22);
    CHECK(packet.tcp_flags == kSyn);
    CHECK(packet.tcp_header_length == 24);
    CHECK(packet.payload_length == 24);
    CHECK(packet.dont_fragment);
    CHECK(packet.ttl == 57);
}

TEST_CASE("packet: an ICMP error shows the ports of the packet it refuses") {
    const Frame refused_frame = ipv4(kThem, kUs, 17, udp(4000, 161, 10));
    const Frame refused(refused_frame.begin() + 14, refused_frame.end());
    const Packet packet = parse_ethernet(ipv4(kUs, kThem, 1, icmp(3, 3, refused)));
    REQUIRE(packet.verdict == Verdict::Ok);
    CHECK(is_unreachable(packet));
    REQUIRE(packet.embedded);
    CHECK(packet.embedded->transport == Transport::Udp);
    CHECK(packet.embedded->source.to_string() == kThem);
    CHECK(packet.embedded->source_port == 4000);
    CHECK(packet.embedded->destination_port == 161);

    const Frame refused6_frame = ipv6("fd00::1", "fd00::2", 6, tcp(5, 6, kSyn));
    const Frame refused6(refused6_frame.begin() + 14, refused6_frame.end());
    const Packet packet6 = parse_ethernet(ipv6("fd00::2", "fd00::1", 58, icmp(1, 4, refused6)));
    CHECK(is_unreachable(packet6));
    REQUIRE(packet6.embedded);
    CHECK(packet6.embedded->destination_port == 6);
}

TEST_CASE("packet: an ICMP error shows the protocol of the packet it refuses") {
    struct Row {
        const char* what;
        std::uint8_t protocol;
        Frame packet;
        Transport transport;
        std::uint16_t destination_port;
    };
    const Row rows[] = {
        {"TCP", 6, tcp(4000, 80, kSyn), Transport::Tcp, 80},
        {"SCTP", 132, sctp(4000, 2905, 1), Transport::Sctp, 2905},
        {"ICMP", 1, icmp(8, 0, {}), Transport::Icmp, 0},
        {"nothing behind the IP header", 103, {}, Transport::Other, 0},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const Frame refused_frame = ipv4(kThem, kUs, row.protocol, row.packet);
        Frame refused(refused_frame.begin() + 14, refused_frame.end());
        refused.resize(std::max<std::size_t>(refused.size(), 28));  // RFC 792: 64 bits of it
        const Packet packet = parse_ethernet(ipv4(kUs, kThem, 1, icmp(3, 2, refused)));
        REQUIRE(packet.embedded);
        CHECK(packet.embedded->protocol == row.protocol);
        CHECK(packet.embedded->transport == row.transport);
        CHECK(packet.embedded->destination_port == row.destination_port);
    }
}

TEST_CASE("packet: other IP protocols are named by their number and have no ports") {
    struct Row {
        const char* what;
        Frame frame;
        std::uint8_t protocol;
    };
    const Row rows[] = {
        {"GRE", ipv4(kThem, kUs, 47, Frame(8, 1)), 47},
        {"a protocol without a byte", ipv4(kThem, kUs, 200, {}), 200},
        {"ICMPv6 in IPv4", ipv4(kThem, kUs, 58, icmp(128, 0, {})), 58},
        {"ICMP in IPv6", ipv6("fd00::1", "fd00::2", 1, icmp(8, 0, {})), 1},
        {"ESP behind an extension header",
         ipv6("fd00::1", "fd00::2", 60, extension(50, Frame(8, 1))), 50},
        {"no next header", ipv6("fd00::1", "fd00::2", 59, {}), 59},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const Packet packet = parse_ethernet(row.frame);
        CHECK(packet.verdict == Verdict::Ok);
        CHECK(packet.transport == Transport::Other);
        CHECK(packet.protocol == row.protocol);
        CHECK(packet.source_port == 0);
        CHECK(packet.destination_port == 0);
    }
    CHECK(parse_ethernet(ipv4(kThem, kUs, 6, tcp(1, 2, kSyn))).protocol == 6);
    CHECK(parse_ethernet(ipv6("fd00::1", "fd00::2", 60, extension(17, udp(1, 2, 3)))).protocol ==
          17);
}

TEST_CASE("packet: SCTP gives ports, verification tag and the type of the first chunk") {
    for (const Frame& frame :
         {ipv4(kThem, kUs, 132, sctp(40000, 2905, 10, 0xfeedbeef)),
          ipv6("fd00::1", "fd00::2", 132, sctp(40000, 2905, 10, 0xfeedbeef))}) {
        const Packet packet = parse_ethernet(frame);
        REQUIRE(packet.verdict == Verdict::Ok);
        CHECK(packet.transport == Transport::Sctp);
        CHECK(packet.protocol == 132);
        CHECK(packet.source_port == 40000);
        CHECK(packet.destination_port == 2905);
        CHECK(packet.sctp_chunk == 10);
        CHECK(packet.sctp_verification_tag == 0xfeedbeef);
    }
}

TEST_CASE("packet: the data of a segment is counted by the IP length, not by what was captured") {
    Frame segment = tcp(1, 80, kPsh | kAck, 12);
    append(segment, Frame(100, 'x'));
    const Frame frame = ipv4(kThem, kUs, 6, segment);
    CHECK(parse_ethernet(frame).tcp_data_length == 100);
    CHECK(parse_ethernet(cut(frame, 14 + 20 + 32)).tcp_data_length == 100);
    CHECK(parse_ethernet(cut(ipv4(kThem, kUs, 6, tcp(1, 80, kSyn)), 60)).tcp_data_length == 0);
}

TEST_CASE("packet: a checksum is wrong where the receiver would discard the segment") {
    Frame odd_data = tcp(1000, 80, kSyn | kFin, 4);
    append(odd_data, {1, 2, 3, 4, 5});
    Frame long_data = tcp(1000, 80, kSyn);
    append(long_data, Frame(141, 'x'));
    Frame longest_data = tcp(1000, 80, kSyn);
    append(longest_data, Frame(140, 'x'));
    const Frame tcp4 = ipv4(kThem, kUs, 6, tcp(1000, 80, kSyn, 4));
    const Frame tcp4_odd = ipv4(kThem, kUs, 6, odd_data);
    const Frame udp4 = ipv4(kThem, kUs, 17, udp(1000, 53, 11));
    const Frame tcp6 = ipv6("fd00::1", "fd00::2", 6, tcp(1000, 80, kSyn, 4));
    const Frame udp6 = ipv6("fd00::1", "fd00::2", 17, udp(1000, 53, 11));
    Frame routed = ipv4(kThem, kUs, 6, tcp(1000, 80, kSyn));
    routed.insert(routed.begin() + 34, {1, 1, 1, 0});
    routed[14] = 0x46;
    put16(routed, 16, 20 + 4 + 20);
    seal(routed);
    const auto summed = [](Frame frame, Summed part = Summed::All) {
        seal_segment(frame, part);
        return frame;
    };
    const auto broken = [&](Frame frame) {
        frame = summed(frame);
        frame.back() ^= 1;
        return frame;
    };
    struct Row {
        const char* what;
        Frame frame;
        bool is_wrong;
    };
    const Row rows[] = {
        {"TCP over IPv4, right", summed(tcp4), false},
        {"TCP over IPv4, wrong", broken(tcp4), true},
        {"TCP over IPv4, none", tcp4, true},
        {"TCP over IPv4, partial", summed(tcp4, Summed::PseudoHeader), true},
        {"TCP, odd length, right", summed(tcp4_odd), false},
        {"TCP, odd length, wrong in the last byte", broken(tcp4_odd), true},
        {"TCP, trailing padding of Ethernet", cut(summed(tcp4), 80), false},
        {"TCP, wrong, trailing padding", cut(broken(tcp4), 80), true},
        {"TCP over IPv6, right", summed(tcp6), false},
        {"TCP over IPv6, wrong", broken(tcp6), true},
        {"TCP over IPv6, partial", summed(tcp6, Summed::PseudoHeader), true},
        {"TCP, longest that is verified, right", summed(ipv4(kThem, kUs, 6, longest_data)), false},
        {"TCP, longest that is verified, wrong", broken(ipv4(kThem, kUs, 6, longest_data)), true},
        {"TCP, wrong, too long", broken(ipv4(kThem, kUs, 6, long_data)), false},
        {"TCP, wrong, not captured whole", cut(broken(tcp4_odd), tcp4_odd.size() - 1), false},
        {"TCP, wrong, behind IPv4 options", routed, false},
        {"TCP, wrong, behind a routing header",
         ipv6("fd00::1", "fd00::2", 43, extension(6, tcp(1000, 80, kSyn))), false},
        {"TCP, wrong, behind destination options",
         ipv6("fd00::1", "fd00::2", 60, extension(6, tcp(1000, 80, kSyn))), false},
        {"TCP, wrong, behind hop-by-hop options",
         ipv6("fd00::1", "fd00::2", 0, extension(6, tcp(1000, 80, kSyn))), true},
        {"UDP over IPv4, right", summed(udp4), false},
        {"UDP over IPv4, wrong", broken(udp4), true},
        {"UDP over IPv4, none", udp4, false},
        {"UDP over IPv4, partial", summed(udp4, Summed::PseudoHeader), true},
        {"UDP over IPv6, right", summed(udp6), false},
        {"UDP over IPv6, wrong", broken(udp6), true},
        {"UDP over IPv6, none", udp6, true},
        {"UDP, wrong, not captured whole", cut(broken(udp4), udp4.size() - 1), false},
        {"SCTP is not verified", ipv4(kThem, kUs, 132, sctp(1, 2, 1)), false},
        {"ICMP is not verified", ipv4(kThem, kUs, 1, icmp(8, 0, {})), false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const Packet packet = parse_ethernet(row.frame);
        CHECK(packet.verdict == Verdict::Ok);
        CHECK(is_checksum_wrong(packet) == row.is_wrong);
    }
    // The length field of UDP, not that of IP, says what is summed.
    Frame datagram = ipv4(kThem, kUs, 17, udp(1000, 53, 9));
    seal_segment(datagram);
    append(datagram, {1, 2, 3});
    put16(datagram, 16, 20 + 8 + 9 + 3);
    seal(datagram);
    CHECK_FALSE(is_checksum_wrong(parse_ethernet(datagram)));
    datagram.at(14 + 20 + 8 + 8) ^= 1;
    CHECK(is_checksum_wrong(parse_ethernet(datagram)));
}

TEST_CASE("packet: an IPv4 header checksum of 0 is right only where it may be unset") {
    Frame unset = ipv4(kUs, kThem, 6, tcp(80, 1000, kSyn | kAck));
    put16(unset, 24, 0);
    const Frame wrong = changed(unset, 25, 1);
    struct Row {
        const Frame& frame;
        HeaderChecksum checksum;
        Verdict verdict;
    };
    const Row rows[] = {
        {unset, HeaderChecksum::Verified, Verdict::BadChecksum},
        {unset, HeaderChecksum::MayBeUnset, Verdict::Ok},
        {wrong, HeaderChecksum::MayBeUnset, Verdict::BadChecksum},
    };
    for (const Row& row : rows) {
        PacketView view;
        CHECK(parse_frame(LinkType::Ethernet, row.frame, view, row.checksum).verdict ==
              row.verdict);
    }
}

TEST_CASE("packet: IPv6 extension headers are read up to the transport header") {
    const Frame chain = extension(60, extension(43, extension(6, tcp(1000, 80, kFin))));
    const Packet packet = parse_ethernet(ipv6("fd00::1", "fd00::2", 0, chain));
    REQUIRE(packet.verdict == Verdict::Ok);
    CHECK(packet.destination_port == 80);
    CHECK(packet.payload_length == 20);
}

TEST_CASE("packet: every frame gets the verdict that its bytes deserve") {
    const Frame segment = ipv4(kThem, kUs, 6, tcp(1, 2, kSyn));
    const Frame datagram = ipv4(kThem, kUs, 17, udp(1, 2, 4));
    const Frame segment6 = ipv6("fd00::1", "fd00::2", 6, tcp(1, 2, kSyn));
    struct Row {
        const char* what;
        Frame frame;
        Verdict verdict;
    };
    const Row rows[] = {
        {"whole segment", segment, Verdict::Ok},
        {"padded to 60 bytes, as Ethernet does", cut(segment, 60), Verdict::Ok},
        {"ARP", changed(changed(segment, 12, 0x08), 13, 0x06), Verdict::OtherLink},
        {"SCTP without a chunk", ipv4(kThem, kUs, 132, Frame(15, 0)), Verdict::Malformed},
        {"empty", {}, Verdict::Malformed},
        {"half a link header", Frame(7, 0), Verdict::Malformed},
        {"link header alone", cut(segment, 14), Verdict::Malformed},
        {"half an IP header", cut(segment, 30), Verdict::Malformed},
        {"half a TCP header", cut(segment, 14 + 20 + 13), Verdict::Malformed},
        {"header length below 20", sealed(changed(segment, 14, 0x44)), Verdict::ShortPacket},
        {"header longer than the packet", changed(segment, 14, 0x4f), Verdict::ShortPacket},
        {"header longer than what was captured",
         cut(changed(changed(segment, 14, 0x4f), 17, 80), 70), Verdict::Malformed},
        {"total length below the header", sealed(changed(segment, 17, 19)), Verdict::ShortPacket},
        {"total length cuts the TCP header", sealed(changed(segment, 17, 30)), Verdict::Malformed},
        {"TCP header length below 20", changed(segment, 14 + 20 + 12, 0x40), Verdict::Malformed},
        {"TCP header beyond the packet", changed(segment, 14 + 20 + 12, 0xf0), Verdict::Malformed},
        {"IPv4 in an IPv6 frame", changed(changed(segment, 12, 0x86), 13, 0xdd),
         Verdict::Malformed},
        {"wrong checksum", changed(segment, 24, static_cast<std::uint8_t>(segment[24] ^ 1)),
         Verdict::BadChecksum},
        {"UDP length below its header", changed(datagram, 14 + 20 + 5, 7), Verdict::Malformed},
        {"UDP length beyond the packet", changed(datagram, 14 + 20 + 5, 99), Verdict::Malformed},
        {"more fragments", sealed(changed(segment, 20, 0x20)), Verdict::Fragment},
        {"fragment offset", sealed(changed(segment, 21, 1)), Verdict::Fragment},
        {"half an IPv6 header", cut(segment6, 40), Verdict::Malformed},
        {"IPv6 payload length cuts the TCP header", changed(segment6, 19, 8), Verdict::Malformed},
        {"IPv6 fragment", ipv6("fd00::1", "fd00::2", 44, {6, 0, 0, 1, 0, 0, 0, 1}),
         Verdict::Fragment},
        {"extension headers without an end", ipv6("fd00::1", "fd00::2", 60, Frame(1200, 60)),
         Verdict::Malformed},
        {"ARP in a VLAN", tagged(changed(changed(segment, 12, 0x08), 13, 0x06), 100),
         Verdict::OtherLink},
        {"half a VLAN tag", cut(tagged(segment, 100), 17), Verdict::Malformed},
        {"IPv6 from an IPv4-mapped address", ipv6_mapped(), Verdict::Malformed},
        {"UDP length 0 over IPv4", changed(datagram, 14 + 20 + 5, 0), Verdict::Malformed},
        {"extension header beyond the packet", ipv6("fd00::1", "fd00::2", 60, {6, 200}),
         Verdict::Malformed},
        {"ICMP without a header", ipv4(kThem, kUs, 1, {8, 0, 0}), Verdict::Malformed},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        CHECK(static_cast<int>(parse_ethernet(row.frame).verdict) == static_cast<int>(row.verdict));
    }
}

// Linux answers each of these; a scanner that sends its probes so must not be missed.
TEST_CASE("packet: disguises that a host sees through hide no probe") {
    const Frame segment = ipv4(kThem, kUs, 6, tcp(1000, 80, kSyn));
    Frame chain = tcp(1000, 80, kSyn);
    for (int i = 0; i < 20; ++i) {
        chain = extension(i == 0 ? 6 : 60, chain);
    }
    Frame datagram = udp(1000, 80, 4);
    put16(datagram, 4, 0);
    Frame atomic{6, 0, 0, 0, 1, 2, 3, 4};
    append(atomic, tcp(1000, 80, kSyn));
    struct Row {
        const char* what;
        Frame frame;
    };
    const Row rows[] = {
        {"reserved flag of IPv4", sealed(changed(segment, 20, 0x80))},
        {"reserved flag and DF", sealed(changed(segment, 20, 0xc0))},
        {"twenty extension headers", ipv6("fd00::1", "fd00::2", 60, chain)},
        {"UDP length 0 over IPv6", ipv6("fd00::1", "fd00::2", 17, datagram)},
        {"priority tag", tagged(segment, 0)},
        {"VLAN tag", tagged(segment, 100)},
        {"two tags (802.1ad)",
         changed(changed(tagged(tagged(segment, 100), 200), 12, 0x88), 13, 0xa8)},
        {"three tags", tagged(tagged(tagged(segment, 1), 2), 3)},
        {"atomic fragment", ipv6("fd00::1", "fd00::2", 44, atomic)},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const Packet packet = parse_ethernet(row.frame);
        CHECK(packet.verdict == Verdict::Ok);
        CHECK(packet.destination_port == 80);
    }
    CHECK(parse_ethernet(sealed(changed(segment, 20, 0xc0))).dont_fragment);
}

TEST_CASE("packet: no truncation of a good frame is read beyond its end") {
    const Frame refused_frame = ipv4(kThem, kUs, 17, udp(4000, 161, 10));
    const Frame refused(refused_frame.begin() + 14, refused_frame.end());
    const Frame frames[] = {
        ipv4(kUs, kThem, 1, icmp(3, 3, refused)),
        ipv6("fd00::1", "fd00::2", 0, extension(60, extension(6, tcp(1, 2, kSyn, 20)))),
    };
    for (const Frame& frame : frames) {
        for (std::size_t size = 0; size < frame.size(); ++size) {
            const Frame shorter(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
            const Packet packet = parse_ethernet(shorter);  // AddressSanitizer watches
            CHECK((packet.verdict != Verdict::Ok || size >= 34));
        }
    }
}
