#include "sensor/packet/link.hpp"

#include "tests/support/link_headers.hpp"

using namespace portcullis::sensor_packet;
using namespace portcullis::test;

namespace {

Frame behind(Frame header, const Frame& ethernet_frame) {
    header.insert(header.end(), ethernet_frame.begin() + 14, ethernet_frame.end());
    return header;
}

Frame cooked(std::uint16_t type) {
    Frame header{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    put16(header, 14, type);
    return header;
}

Frame cooked2(std::uint16_t type) {
    Frame header{0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0};
    put16(header, 0, type);
    return header;
}

Frame joined(Frame head, const Frame& rest) {
    append(head, rest);
    return head;
}

}  // namespace

TEST_CASE("link: the packet behind every header in an Ethernet frame is read") {
    const Frame v4 = ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1000, 80, kSyn));
    const Frame v6 = ipv6("fd00::1", "fd00::2", 6, tcp(1000, 80, kSyn));
    for (const LinkHeaderSample& sample : link_header_samples()) {
        CAPTURE(sample.what);
        for (const Frame& packet : {v4, v6}) {
            if (packet[12] == 0x86 && sample.v6.empty()) {
                continue;
            }
            const Frame frame = with_link_header(packet, sample);
            const Packet read = parse_ethernet(frame);
            CHECK(read.verdict == Verdict::Ok);
            CHECK(read.source.is_v4() == (packet[12] == 0x08));
            CHECK(read.destination_port == 80);
            for (std::size_t size = 12; size < frame.size() - 20; ++size) {
                const Packet shorter =  // AddressSanitizer watches
                    parse_ethernet(Frame(frame.begin(), frame.begin() + std::ptrdiff_t(size)));
                CHECK(shorter.verdict == Verdict::Malformed);
            }
        }
    }
    for (const LinkHeaderSample& sample : unreadable_link_header_samples()) {
        CAPTURE(sample.what);
        CHECK(parse_ethernet(with_link_header(v4, sample)).verdict == Verdict::OtherLink);
    }
}

TEST_CASE("link: the packet behind every kind of link header is read") {
    const Frame v4 = ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1000, 80, kSyn));
    const Frame v6 = ipv6("fd00::1", "fd00::2", 6, tcp(1000, 80, kSyn));
    Frame cooked_vlan = cooked(0x8100);
    append(cooked_vlan, {0, 7, 0x08, 0x00});
    struct Row {
        const char* what;
        LinkType link;
        Frame frame;
    };
    const Row rows[] = {
        {"Ethernet", LinkType::Ethernet, v4},
        {"Ethernet, IPv6", LinkType::Ethernet, v6},
        {"raw", LinkType::RawIp, behind({}, v4)},
        {"raw, IPv6", LinkType::RawIp, behind({}, v6)},
        {"cooked", LinkType::LinuxCooked, behind(cooked(0x0800), v4)},
        {"cooked, IPv6", LinkType::LinuxCooked, behind(cooked(0x86dd), v6)},
        {"cooked, in a VLAN", LinkType::LinuxCooked, behind(cooked_vlan, v4)},
        {"cooked v2", LinkType::LinuxCooked2, behind(cooked2(0x0800), v4)},
        {"cooked v2, IPv6", LinkType::LinuxCooked2, behind(cooked2(0x86dd), v6)},
        {"loopback of a little-endian host", LinkType::Null, behind({2, 0, 0, 0}, v4)},
        {"loopback of a big-endian host", LinkType::Null, behind({0, 0, 0, 2}, v4)},
        {"Linux IPv6", LinkType::Null, behind({10, 0, 0, 0}, v6)},
        {"OpenBSD IPv6", LinkType::Loop, behind({0, 0, 0, 24}, v6)},
        {"FreeBSD IPv6", LinkType::Null, behind({28, 0, 0, 0}, v6)},
        {"macOS IPv6", LinkType::Null, behind({30, 0, 0, 0}, v6)},
        {"OpenBSD loopback", LinkType::Loop, behind({0, 0, 0, 2}, v4)},
        {"cooked, LLC", LinkType::LinuxCooked,
         behind(joined(cooked(4), {0xaa, 0xaa, 3, 0, 0, 0, 8, 0}), v4)},
        {"cooked v2, MPLS", LinkType::LinuxCooked2,
         behind(joined(cooked2(0x8847), {0, 2, 1, 64}), v6)},
        {"PPP", LinkType::Ppp, behind({0x00, 0x21}, v4)},
        {"PPP, IPv6 in one byte", LinkType::Ppp, behind({0x57}, v6)},
        {"PPP, framed", LinkType::Ppp, behind({0xff, 0x03, 0x00, 0x57}, v6)},
        {"PPP, framed, in one byte", LinkType::Ppp, behind({0xff, 0x03, 0x21}, v4)},
        {"PPP line with Cisco HDLC", LinkType::Ppp, behind({0x0f, 0x00, 0x08, 0x00}, v4)},
        {"PPPoE alone", LinkType::PppoeSession, behind({0x11, 0x00, 0, 1, 0, 42, 0x00, 0x21}, v4)},
        {"Cisco HDLC", LinkType::CiscoHdlc, behind({0x0f, 0x00, 0x86, 0xdd}, v6)},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        PacketView view;
        const Packet packet = parse_frame(row.link, row.frame, view);
        CHECK(packet.verdict == Verdict::Ok);
        CHECK(packet.destination_port == 80);
        CHECK(view.payload.size() == 20);
        CHECK(view.payload.data() + view.payload.size() == row.frame.data() + row.frame.size());
    }
}

TEST_CASE("link: an ARP request gives its sender and its target") {
    const Frame request = arp_request("10.0.0.1", "10.0.0.2");
    Frame in_vlan = request;
    const Frame tag{0x81, 0, 0, 7};
    in_vlan.insert(in_vlan.begin() + 12, tag.begin(), tag.end());
    const auto changed = [&](std::size_t at, std::uint8_t value) {
        Frame frame = request;
        frame.at(at) = value;
        return frame;
    };
    struct Row {
        const char* what;
        LinkType link;
        Frame frame;
        bool is_request;
    };
    const Row rows[] = {
        {"request", LinkType::Ethernet, request, true},
        {"in a VLAN", LinkType::Ethernet, in_vlan, true},
        {"cooked", LinkType::LinuxCooked, behind(cooked(0x0806), request), true},
        {"cooked v2", LinkType::LinuxCooked2, behind(cooked2(0x0806), request), true},
        {"reply", LinkType::Ethernet, changed(21, 2), false},
        {"of another hardware", LinkType::Ethernet, changed(15, 6), false},
        {"for another protocol", LinkType::Ethernet, changed(16, 0x86), false},
        {"link addresses of another length", LinkType::Ethernet, changed(18, 8), false},
        {"network addresses of another length", LinkType::Ethernet, changed(19, 16), false},
        {"probe", LinkType::Ethernet, arp_request("0.0.0.0", "10.0.0.2"), false},
        {"announcement", LinkType::Ethernet, arp_request("10.0.0.2", "10.0.0.2"), false},
        {"cut short", LinkType::Ethernet, Frame(request.begin(), request.end() - 1), false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        PacketView view;
        const Packet packet = parse_frame(row.link, row.frame, view);
        CHECK(packet.verdict == (row.is_request ? Verdict::ArpRequest : Verdict::OtherLink));
        if (row.is_request) {
            CHECK(packet.source.to_string() == "10.0.0.1");
            CHECK(packet.destination.to_string() == "10.0.0.2");
        }
    }
}

TEST_CASE("link: other protocols, contradictions and short frames have verdicts of their own") {
    const Frame v4 = ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1000, 80, kSyn));
    struct Row {
        const char* what;
        LinkType link;
        Frame frame;
        Verdict verdict;
    };
    const Row rows[] = {
        {"ARP, cooked", LinkType::LinuxCooked, cooked(0x0806), Verdict::OtherLink},
        {"ARP, cooked v2", LinkType::LinuxCooked2, cooked2(0x0806), Verdict::OtherLink},
        {"family 7", LinkType::Null, behind({7, 0, 0, 0}, v4), Verdict::OtherLink},
        {"IPv4 called IPv6", LinkType::LinuxCooked, behind(cooked(0x86dd), v4), Verdict::Malformed},
        {"IPv4 called IPv6", LinkType::Null, behind({30, 0, 0, 0}, v4), Verdict::Malformed},
        {"half a cooked header", LinkType::LinuxCooked, Frame(15, 0), Verdict::Malformed},
        {"half a cooked v2 header", LinkType::LinuxCooked2, Frame(19, 0), Verdict::Malformed},
        {"half a family", LinkType::Null, Frame(3, 0), Verdict::Malformed},
        {"half a family", LinkType::Loop, Frame(3, 0), Verdict::Malformed},
        {"nothing", LinkType::RawIp, {}, Verdict::Malformed},
        {"CAN, cooked", LinkType::LinuxCooked, joined(cooked(0x000c), {6, 6, 3, 0x45}),
         Verdict::OtherLink},
        {"PPP, link control", LinkType::Ppp, {0xff, 0x03, 0xc0, 0x21, 1, 1}, Verdict::OtherLink},
        {"half a PPP header", LinkType::Ppp, {0xff}, Verdict::Malformed},
        {"half a PPPoE header", LinkType::PppoeSession, Frame(5, 0x11), Verdict::Malformed},
        {"half a header of Cisco HDLC", LinkType::CiscoHdlc, {0x0f, 0, 8}, Verdict::Malformed},
        {"version 5", LinkType::RawIp, Frame(40, 0x55), Verdict::Malformed},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        PacketView view;
        CHECK(parse_frame(row.link, row.frame, view).verdict == row.verdict);
    }
}

TEST_CASE("link: a packet behind another header than that of Ethernet is marked as wrapped") {
    const Frame v4 = ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1000, 80, kSyn));
    const Frame v6 = ipv6("fd00::1", "fd00::2", 6, tcp(1000, 80, kSyn));
    const auto is_wrapped = [](LinkType link, const Frame& frame) {
        PacketView view;
        REQUIRE(parse_frame(link, frame, view).verdict == Verdict::Ok);
        return view.is_wrapped;
    };
    CHECK_FALSE(is_wrapped(LinkType::Ethernet, v4));
    CHECK_FALSE(is_wrapped(LinkType::Ethernet, v6));
    CHECK_FALSE(is_wrapped(LinkType::RawIp, behind({}, v4)));
    for (const LinkHeaderSample& sample : link_header_samples()) {
        CAPTURE(sample.what);
        const bool is_plain = std::string_view(sample.what) == "none";
        CHECK(is_wrapped(LinkType::Ethernet, with_link_header(v4, sample)) != is_plain);
    }
}
