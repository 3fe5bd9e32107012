#include "sensor/capture/kernel_filter.hpp"

#include <linux/if_arp.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <random>

#include "tests/support/bpf_machine.hpp"
#include "tests/support/link_headers.hpp"
#include "tests/support/seed.hpp"

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
        {"ESP", Frame(40, 0), 50, 0},
        {"IPv4 in IP", Frame(40, 0), 4, 0},
        {"IPv6 in IP", Frame(40, 0), 41, 0},
        {"OSPF", Frame(40, 0), 89, kShortSnapshot},
        {"an unknown protocol", {}, 200, kShortSnapshot},
        {"SCTP, INIT", sctp(1, 2, 1), 132, kShortSnapshot},
        {"SCTP, INIT ACK", sctp(1, 2, 2), 132, kShortSnapshot},
        {"SCTP, ABORT", sctp(1, 2, 6), 132, kShortSnapshot},
        {"SCTP, COOKIE ECHO", sctp(1, 2, 10), 132, kShortSnapshot},
        {"SCTP, COOKIE ACK", sctp(1, 2, 11), 132, kShortSnapshot},
        {"SCTP, SHUTDOWN COMPLETE", sctp(1, 2, 14), 132, kShortSnapshot},
        {"SCTP, DATA", sctp(1, 2, 0), 132, 0},
        {"SCTP, SACK", sctp(1, 2, 3), 132, 0},
        {"SCTP, HEARTBEAT", sctp(1, 2, 4), 132, 0},
        {"half an SCTP header", Frame(12, 0), 132, kShortSnapshot},
    };
    const BpfMachine filter(kernel_filter(LinkType::Ethernet, {}));
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const Frame frame = ipv4(kThem, kUs, row.protocol, row.payload);
        const Frame frame6 = ipv6(kThem6, kUs6, row.protocol, row.payload);
        CHECK(filter.run(frame) == row.kept);
        CHECK(filter.run(frame6) == row.kept);
        for (const LinkHeaderSample& sample : link_header_samples()) {
            CAPTURE(sample.what);
            CHECK(filter.run(with_link_header(frame, sample)) == row.kept);
            if (!sample.v6.empty()) {
                CHECK(filter.run(with_link_header(frame6, sample)) == row.kept);
            }
        }
    }
    for (const LinkHeaderSample& sample : unreadable_link_header_samples()) {
        CAPTURE(sample.what);
        CHECK(filter.run(with_link_header(ipv4(kThem, kUs, 6, segment(kSyn)), sample)) == 0);
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
    CHECK(keeps(ipv4(kThem, kUs, 51, Frame(40, 0))) == 0);  // AH
    CHECK(keeps(changed(changed(plain, 20, 0x20), 23, 132)) == kLongSnapshot);
    CHECK(keeps(arp_request(kThem, kUs)) == 0);
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
    settings.other_protocols = false;
    const BpfMachine no_others(kernel_filter(LinkType::Ethernet, settings));
    for (const std::uint8_t protocol : std::vector<std::uint8_t>{132, 200}) {
        const Frame init = ipv4(kThem, kUs, protocol, sctp(1, 2, 1));
        CHECK(no_others.run(init) == 0);
        CHECK(no_others.run(changed(init, 20, 0x20)) == 0);
        CHECK(no_others.run(ipv6(kThem6, kUs6, protocol, sctp(1, 2, 1))) == 0);
    }
    CHECK(no_others.run(syn) != 0);
    settings = {};
    settings.arp = true;
    const BpfMachine with_arp(kernel_filter(LinkType::Ethernet, settings));
    CHECK(with_arp.run(arp_request(kThem, kUs)) == kShortSnapshot);
    CHECK(with_arp.run(tagged(arp_request(kThem, kUs), 7)) == kShortSnapshot);
    CHECK(with_arp.run(changed(arp_request(kThem, kUs), 21, 2)) == 0);  // the reply
    settings = {};
    settings.udp = false;
    const BpfMachine no_udp(kernel_filter(LinkType::Ethernet, settings));
    CHECK(no_udp.run(datagram6) == 0);
    CHECK(no_udp.run(syn) != 0);
}

TEST_CASE("kernel_filter: what PPPoE and MACsec carry is left to a source that shows it") {
    const Frame syn = ipv4(kThem, kUs, 6, segment(kSyn));
    FilterSettings no_pppoe;
    no_pppoe.pppoe = false;
    FilterSettings no_macsec;
    no_macsec.macsec = false;
    const BpfMachine without_pppoe(kernel_filter(LinkType::Ethernet, no_pppoe));
    const BpfMachine without_macsec(kernel_filter(LinkType::Ethernet, no_macsec));
    for (const LinkHeaderSample& sample : link_header_samples()) {
        CAPTURE(sample.what);
        const Frame frame = with_link_header(syn, sample);
        const std::string what = sample.what;
        CHECK((without_pppoe.run(frame) == 0) == what.starts_with("PPPoE"));
        CHECK((without_macsec.run(frame) == 0) == what.starts_with("MACsec"));
    }
}

TEST_CASE(
    "kernel_filter: a frame with more headers than it follows passes where others are watched") {
    const Frame syn = ipv4(kThem, kUs, 6, segment(kSyn));
    Frame deep = syn;
    for (std::uint32_t i = 0; i < kMaxFilteredHeaders; ++i) {
        deep = tagged(deep, 7);
    }
    const Frame deeper = tagged(deep, 8);
    LinkHeaderSample labels{"labels", {0x88, 0x47}, {}};
    for (std::uint32_t i = 0; i < kMaxFilteredLabels; ++i) {
        append(labels.v4, {0, 1, 0, 64});
    }
    append(labels.v4, {0, 1, 1, 64});
    FilterSettings promiscuous = with_addresses();
    promiscuous.only_ours = false;
    const BpfMachine host(kernel_filter(LinkType::Ethernet, with_addresses()));
    const BpfMachine watcher(kernel_filter(LinkType::Ethernet, promiscuous));
    CHECK(host.run(deep) == kShortSnapshot);
    CHECK(host.run(deeper) == 0);
    CHECK(host.run(with_link_header(syn, labels)) == 0);
    CHECK(watcher.run(deeper) == kLongSnapshot);
    CHECK(watcher.run(with_link_header(syn, labels)) == kLongSnapshot);
    CHECK(parse_ethernet(deeper).verdict == Verdict::Ok);
    CHECK(parse_ethernet(with_link_header(syn, labels)).verdict == Verdict::Ok);
}

TEST_CASE("kernel_filter: the program is one that the kernel takes, whatever the settings") {
    FilterSettings settings = with_addresses();
    for (int i = 0; i < 60; ++i) {
        settings.ours.push_back(*IpAddress::parse("fd00:9::" + std::to_string(i)));
    }
    settings.arp = true;
    for (const LinkType link : {LinkType::Ethernet, LinkType::LinuxCooked, LinkType::CiscoHdlc}) {
        CHECK(kernel_filter(link, settings).size() < BPF_MAXINSNS);
    }
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
    const std::uint32_t seed = first_seed();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const BpfMachine filter(kernel_filter(LinkType::Ethernet, {}));
    const Frame frames[] = {
        ipv4(kThem, kUs, 6, segment(kAck, 12)),     ipv6(kThem6, kUs6, 6, segment(kAck, 12)),
        tagged(ipv4(kThem, kUs, 6, segment(0)), 4), ipv4(kThem, kUs, 17, udp(1, 2, 20)),
        ipv6(kThem6, kUs6, 44, Frame(40, 6)),       ipv4(kThem, kUs, 132, sctp(1, 2, 1)),
        ipv6(kThem6, kUs6, 132, sctp(1, 2, 10)),    ipv4(kThem, kUs, 103, Frame(20, 0)),
    };
    int usable = 0;
    const auto samples = link_header_samples();
    for (int i = 0; i < 200000; ++i) {
        Frame frame = frames[random() % std::size(frames)];
        const LinkHeaderSample& sample = samples[random() % samples.size()];
        if (random() % 2 == 0 && frame[12] != 0x81 && (frame[12] == 0x08 || !sample.v6.empty())) {
            frame = with_link_header(frame, sample);
        }
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
        constexpr std::uint8_t kTunnels[] = {4, 41, 47, 50, 94, 97, 115, 137};
        constexpr std::uint8_t kChunks[] = {1, 2, 6, 10, 11, 14};
        const auto is_among = [](const auto& list, std::uint8_t value) {
            return std::find(std::begin(list), std::end(list), value) != std::end(list);
        };
        const bool is_carrier =
            (packet.transport == Transport::Other &&
             (is_among(kTunnels, packet.protocol) || packet.protocol == 51)) ||
            (packet.transport == Transport::Sctp && !is_among(kChunks, packet.sctp_chunk));
        if (packet.verdict == Verdict::Ok && !is_bulk && !is_carrier) {
            ++usable;
            CAPTURE(i, frame);
            REQUIRE(filter.run(frame) != 0);
        }
    }
    CHECK(usable > 1000);
}
