#include "sensor/capture/kernel_filter.hpp"

#include <linux/if_arp.h>
#include <linux/if_packet.h>

#include <random>

#include "tests/support/bpf_machine.hpp"

using namespace portcullis::sensor_capture;
using namespace portcullis::test;
using portcullis::base::IpAddress;
using namespace portcullis::sensor_packet;

namespace {

const std::string kThem = "10.10.150.1";
const std::string kUs = "10.10.150.2";
const std::string kThem6 = "fd00::1";
const std::string kUs6 = "fd00::2";

Frame segment(std::uint8_t flags, std::size_t options = 0, std::uint32_t sequence = 7) {
    Frame header = tcp(1000, 80, flags, options);
    put16(header, 4, sequence >> 16);
    put16(header, 6, sequence & 0xffff);
    return header;
}

Frame changed(Frame frame, std::size_t at, std::uint8_t value) {
    frame.at(at) = value;
    return frame;
}

Frame tagged(Frame frame, std::uint16_t vlan, std::uint16_t type = 0x8100) {
    const Frame tag{static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type),
                    static_cast<std::uint8_t>(vlan >> 8), static_cast<std::uint8_t>(vlan)};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    return frame;
}

Frame without_link(const Frame& frame, std::size_t header) {
    Frame packet(header, 0);
    packet.insert(packet.end(), frame.begin() + 14, frame.end());
    return packet;
}

FilterSettings with_addresses() {
    FilterSettings settings;
    settings.ours = {*IpAddress::parse(kUs), *IpAddress::parse("10.9.9.9"),
                     *IpAddress::parse(kUs6)};
    return settings;
}

}  // namespace

TEST_CASE("kernel_filter: what a detector looks at passes, bulk does not") {
    struct Row {
        const char* what;
        Frame payload;
        std::uint8_t protocol;
        std::uint32_t kept;
    };
    Frame data = segment(kAck | kPsh, 12);
    data.resize(1400);
    const Row rows[] = {
        {"data", data, 6, 0},
        {"an acknowledgement", segment(kAck, 12), 6, 0},
        {"an acknowledgement without options", segment(kAck), 6, 0},
        {"ECN marks on it", segment(kAck | kEce | kCwr, 12), 6, 0},
        {"SYN", segment(kSyn, 20), 6, kShortSnapshot},
        {"SYN+ACK", segment(kSyn | kAck), 6, kShortSnapshot},
        {"FIN+ACK", segment(kFin | kAck), 6, kShortSnapshot},
        {"RST", segment(kRst), 6, kShortSnapshot},
        {"RST+ACK", segment(kRst | kAck), 6, kShortSnapshot},
        {"no flags", segment(0), 6, kShortSnapshot},
        {"PSH alone", segment(kPsh), 6, kShortSnapshot},
        {"ECE alone", segment(kEce), 6, kShortSnapshot},
        {"URG+ACK", segment(kUrg | kAck), 6, kShortSnapshot},
        {"Xmas", segment(kFin | kUrg | kPsh), 6, kShortSnapshot},
        {"ACK with sequence number 0", segment(kAck, 0, 0), 6, kShortSnapshot},
        {"half a TCP header", Frame(13, 0), 6, kShortSnapshot},
        {"UDP", udp(1, 53, 1000), 17, kShortSnapshot},
        {"GRE", Frame(40, 0), 47, 0},
    };
    const BpfMachine filter(kernel_filter(LinkType::Ethernet, {}));
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const Frame frame = ipv4(kThem, kUs, row.protocol, row.payload);
        const Frame frame6 = ipv6(kThem6, kUs6, row.protocol, row.payload);
        CHECK(filter.run(frame) == row.kept);
        CHECK(filter.run(frame6) == row.kept);
        CHECK(filter.run(tagged(frame, 7)) == row.kept);
        CHECK(filter.run(tagged(tagged(frame6, 7), 8, 0x88a8)) == row.kept);
        CHECK(filter.run(tagged(tagged(tagged(frame, 7), 8), 9, 0x9100)) == row.kept);
    }
    const auto keeps = [&](const Frame& frame) { return filter.run(frame); };
    const Frame plain = ipv4(kThem, kUs, 6, data);
    CHECK(keeps(ipv4(kThem, kUs, 1, icmp(8, 0, {}))) == kShortSnapshot);
    CHECK(keeps(ipv6(kThem6, kUs6, 58, icmp(1, 4, {}))) == kLongSnapshot);
    CHECK(keeps(changed(plain, 20, 0x20)) == kLongSnapshot);
    CHECK(keeps(changed(plain, 21, 1)) == kLongSnapshot);
    CHECK(keeps(changed(plain, 20, 0x40)) == 0);
    CHECK(keeps(changed(plain, 20, 0x80)) == kLongSnapshot);
    CHECK(keeps(changed(changed(plain, 20, 0x20), 23, 17)) == kLongSnapshot);
    CHECK(keeps(changed(changed(plain, 20, 0x20), 23, 47)) == 0);
    CHECK(keeps(changed(plain, 14, 0x44)) == kShortSnapshot);
    for (const std::uint8_t next : std::vector<std::uint8_t>{0, 43, 44, 51, 60, 135, 139, 140}) {
        CHECK(keeps(ipv6(kThem6, kUs6, next, Frame(64, 0))) == kLongSnapshot);
    }
    CHECK(keeps(changed(changed(plain, 12, 0x08), 13, 0x06)) == 0);  // ARP
    CHECK(keeps(Frame(10, 0)) == 0);
}

TEST_CASE("kernel_filter: every link type is understood as the kernel shows it") {
    const Frame syn = ipv4(kThem, kUs, 6, segment(kSyn));
    const Frame ack6 = ipv6(kThem6, kUs6, 6, segment(kAck));
    const Frame syn6 = ipv6(kThem6, kUs6, 6, segment(kSyn));
    struct Row {
        LinkType link;
        std::size_t header;
        std::uint32_t protocol4;
        std::uint32_t protocol6;
    };
    const Row rows[] = {{LinkType::RawIp, 0, 0, 0},
                        {LinkType::Null, 4, 0, 0},
                        {LinkType::Loop, 4, 0, 0},
                        // The header of "any" is made behind the filter.
                        {LinkType::LinuxCooked, 0, 0x0800, 0x86dd},
                        {LinkType::LinuxCooked2, 0, 0x0800, 0x86dd}};
    for (const Row& row : rows) {
        const BpfMachine filter(kernel_filter(row.link, with_addresses()));
        FrameContext v4;
        v4.protocol = row.protocol4;
        FrameContext v6;
        v6.protocol = row.protocol6;
        CHECK(filter.run(without_link(syn, row.header), v4) == kShortSnapshot);
        CHECK(filter.run(without_link(syn6, row.header), v6) == kShortSnapshot);
        CHECK(filter.run(without_link(ack6, row.header), v6) == 0);
    }
}

TEST_CASE("kernel_filter: the packets of others and forged ones of ours stay out") {
    const FilterSettings ours = with_addresses();
    FilterSettings promiscuous = ours;
    promiscuous.only_ours = false;
    FilterSettings many = ours;
    for (int i = 0; i < 60; ++i) {
        many.ours.push_back(*IpAddress::parse("10.3.0." + std::to_string(i)));
    }
    FrameContext outgoing;
    outgoing.packet_type = PACKET_OUTGOING;
    FrameContext loopback;
    loopback.hardware_type = ARPHRD_LOOPBACK;
    struct Row {
        const char* what;
        Frame frame;
        FrameContext context;
        bool passes;
        bool passes_promiscuous;
    };
    const Row rows[] = {
        {"to us", ipv4(kThem, kUs, 17, udp(1, 2, 4)), {}, true, true},
        {"to us, IPv6", ipv6(kThem6, kUs6, 17, udp(1, 2, 4)), {}, true, true},
        {"from us", ipv4(kUs, kThem, 17, udp(1, 2, 4)), outgoing, true, true},
        {"from us, IPv6", ipv6(kUs6, kThem6, 17, udp(1, 2, 4)), outgoing, true, true},
        {"forged", ipv4(kUs, kThem, 17, udp(1, 2, 4)), {}, false, false},
        {"forged, IPv6", ipv6(kUs6, kThem6, 17, udp(1, 2, 4)), {}, false, false},
        {"to ourselves", ipv4(kUs, kUs, 17, udp(1, 2, 4)), loopback, true, true},
        {"to ourselves, forged", ipv4(kUs, kUs, 17, udp(1, 2, 4)), {}, false, false},
        {"of others", ipv4(kThem, "10.10.150.9", 17, udp(1, 2, 4)), {}, false, true},
        {"of others, IPv6", ipv6(kThem6, "fd00::9", 17, udp(1, 2, 4)), {}, false, true},
        {"almost ours", ipv6(kThem6, "fd00:1::2", 17, udp(1, 2, 4)), {}, false, true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const auto passes = [&](const FilterSettings& settings) {
            return BpfMachine(kernel_filter(LinkType::Ethernet, settings))
                       .run(row.frame, row.context) != 0;
        };
        CHECK(passes(ours) == row.passes);
        CHECK(passes(promiscuous) == row.passes_promiscuous);
        CHECK(passes(many) == row.passes_promiscuous);
    }
}

TEST_CASE("kernel_filter: what the configuration switches off stays out") {
    const Frame syn = ipv4(kThem, kUs, 6, segment(kSyn));
    const Frame datagram6 = ipv6(kThem6, kUs6, 17, udp(1, 2, 4));
    FilterSettings settings;
    settings.tcp = false;
    const BpfMachine no_tcp(kernel_filter(LinkType::Ethernet, settings));
    CHECK(no_tcp.run(syn) == 0);
    CHECK(no_tcp.run(changed(syn, 20, 0x20)) == 0);
    CHECK(no_tcp.run(datagram6) != 0);
    settings = {};
    settings.udp = false;
    const BpfMachine no_udp(kernel_filter(LinkType::Ethernet, settings));
    CHECK(no_udp.run(datagram6) == 0);
    CHECK(no_udp.run(syn) != 0);
}

TEST_CASE("kernel_filter: a VLAN that another source sees is left to it") {
    const Frame syn = ipv4(kThem, kUs, 6, segment(kSyn));
    FilterSettings settings;
    settings.other_vlans = {5, 7};
    const BpfMachine filter(kernel_filter(LinkType::Ethernet, settings));
    FrameContext stripped;
    stripped.has_vlan = 1;
    stripped.vlan = 0xe007;  // with a priority
    CHECK(filter.run(syn, stripped) == 0);
    stripped.vlan = 8;
    CHECK(filter.run(syn, stripped) != 0);
    CHECK(filter.run(syn) != 0);
    CHECK(filter.run(tagged(syn, 0x6005)) == 0);
    CHECK(filter.run(tagged(syn, 6)) != 0);
}

// The slow reference: whatever the parser reads and a detector could count must pass.
TEST_CASE("kernel_filter: on random frames nothing is lost that the parser could use") {
    const std::uint32_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const BpfMachine filter(kernel_filter(LinkType::Ethernet, {}));
    const Frame frames[] = {
        ipv4(kThem, kUs, 6, segment(kAck, 12)),     ipv6(kThem6, kUs6, 6, segment(kAck, 12)),
        tagged(ipv4(kThem, kUs, 6, segment(0)), 4), ipv4(kThem, kUs, 17, udp(1, 2, 20)),
        ipv6(kThem6, kUs6, 44, Frame(40, 6)),
    };
    int usable = 0;
    for (int i = 0; i < 200000; ++i) {
        Frame frame = frames[random() % std::size(frames)];
        for (std::uint32_t n = random() % 4; n > 0; --n) {
            frame[12 + random() % (frame.size() - 12)] = static_cast<std::uint8_t>(random());
        }
        if (random() % 8 == 0) {
            frame.resize(random() % frame.size());
        }
        if (frame.size() > 34 && frame[12] == 8 &&
            frame.size() >= 14 + std::size_t{frame[14]} % 16 * 4) {
            seal(frame);
        }
        const Packet packet = parse_ethernet(frame);
        const std::uint8_t flags = packet.tcp_flags;
        const bool is_bulk = packet.transport == Transport::Tcp && (flags & kAck) != 0 &&
                             (flags & (kFin | kSyn | kRst | kUrg)) == 0 && packet.tcp_sequence != 0;
        if (packet.verdict == Verdict::Ok && !is_bulk) {
            ++usable;
            CAPTURE(i, frame);
            REQUIRE(filter.run(frame) != 0);
        }
    }
    CHECK(usable > 1000);
}
