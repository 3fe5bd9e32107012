#include "sensor/packet/icmp_message.hpp"

using namespace portcullis::sensor_packet;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// IPv4 header that says it has `words` words, UDP, from 10.0.0.2 to 10.0.0.9.
Bytes inner(std::uint8_t words) {
    Bytes header(std::max<std::size_t>(words, 5) * 4, 0xee);
    header[0] = static_cast<std::uint8_t>(0x40 | words);
    header[9] = 17;
    const Bytes addresses{10, 0, 0, 2, 10, 0, 0, 9};
    std::copy(addresses.begin(), addresses.end(), header.begin() + 12);
    return header;
}

const Bytes kPorts{0, 1, 0, 2};

}  // namespace

TEST_CASE("icmp_message: the packet that an error complains about is read behind its options") {
    for (const std::uint8_t type : {std::uint8_t{3}, std::uint8_t{11}}) {
        const Bytes message = Bytes{type, 1, 0, 0, 0, 0, 0, 0} + inner(6) + kPorts;
        const auto right = parse_icmp_message(message, EmbeddedPayload::BehindOptions);
        REQUIRE(right);
        CHECK(right->complaint.destination.to_string() == "10.0.0.9");
        CHECK(right->complaint.protocol == 17);
        CHECK(right->complaint.source_port == 1);
        CHECK(right->complaint.destination_port == 2);
        const auto iplogs = parse_icmp_message(message, EmbeddedPayload::BehindTwentyBytes);
        REQUIRE(iplogs);
        CHECK(iplogs->complaint.source_port == 0xeeee);
    }
}

TEST_CASE("icmp_message: gateway, pointer, stamp, mask and routers are where the RFCs have them") {
    const auto parse = [](const Bytes& message) {
        return parse_icmp_message(message, EmbeddedPayload::BehindOptions).value();
    };
    CHECK(parse(Bytes{5, 0, 0, 0, 10, 0, 0, 254} + inner(5)).gateway.to_string() == "10.0.0.254");
    CHECK(parse({12, 0, 0, 0, 20, 0, 0, 0}).pointer == 20);
    CHECK(parse(Bytes{14, 0, 0, 0, 0, 0, 0, 0} + Bytes{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0})
              .transmit_stamp == 256);
    CHECK(parse({18, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 0}).mask[3] == 0);
    const IcmpMessage routers = parse(Bytes{9, 0, 0, 0, 13, 2, 7, 8} + Bytes(17, 1));
    CHECK(routers.lifetime == 1800);
    CHECK(routers.router_count == 2);  // of thirteen that are announced two are there
}

TEST_CASE("icmp_message: a message that lacks what its line says is not whole") {
    const Bytes head{0, 0, 0, 0, 0, 0, 0, 0};
    struct Row {
        Bytes message;
        bool is_whole;
    };
    const Row rows[] = {
        {{}, false},
        {{8, 0, 0, 0, 0, 0, 0}, false},
        {{8, 0, 0, 0, 0, 0, 0, 0}, true},
        {{3, 1, 0, 0}, false},
        {Bytes{3, 1, 0, 0, 0, 0, 0, 0} + inner(5), false},
        {Bytes{3, 1, 0, 0, 0, 0, 0, 0} + inner(5) + kPorts, true},
        {Bytes{3, 1, 0, 0, 0, 0, 0, 0} + inner(4) + kPorts, false},
        {{3, 16, 0, 0, 0, 0, 0, 0}, true},
        {Bytes{5, 1, 0, 0, 0, 0, 0, 0} + Bytes(19, 0x45), false},
        {{14, 0, 0, 0, 0, 0, 0, 0}, false},
        {{18, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, false},
        {{13, 0, 0, 0, 0, 0, 0, 0}, true},
        {{200, 0, 0, 0, 0, 0, 0, 0}, true},
    };
    for (const Row& row : rows) {
        CHECK(is_icmp_message_whole(row.message) == row.is_whole);
    }
    CHECK_FALSE(parse_icmpv6_message(Bytes{1, 0, 0, 0, 0, 0, 0, 0} + Bytes(43, 0)));
    const auto refused =
        parse_icmpv6_message(Bytes{1, 4, 0, 0, 0, 0, 0, 0} + Bytes(40, 0) + kPorts);
    REQUIRE(refused);
    CHECK(refused->complaint.destination_port == 2);
    CHECK(parse_icmpv6_message(Bytes{135, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_CASE("icmp_message: a neighbour solicitation to a group looks for a host") {
    Bytes message(32);
    message[0] = 135;
    message[8] = 0x20;
    message[9] = 0x01;
    message[23] = 0x09;
    Packet packet;
    packet.verdict = Verdict::Ok;
    packet.transport = Transport::Icmpv6;
    packet.icmp_type = 135;
    packet.ttl = 255;
    packet.source = *portcullis::base::IpAddress::parse("2001::1");
    packet.destination = *portcullis::base::IpAddress::parse("ff02::1:ff00:9");
    packet.icmp = message;
    REQUIRE(solicited_address(packet));
    CHECK(solicited_address(packet)->to_string() == "2001::9");

    const auto is_request = [&](auto change) {
        Packet changed = packet;
        change(changed);
        return solicited_address(changed).has_value();
    };
    CHECK_FALSE(is_request([](Packet& p) { p.ttl = 254; }));  // forwarded
    CHECK_FALSE(is_request([](Packet& p) { p.icmp_code = 1; }));
    CHECK_FALSE(is_request([](Packet& p) { p.icmp_type = 136; }));
    CHECK_FALSE(is_request([](Packet& p) { p.verdict = Verdict::Fragment; }));
    CHECK_FALSE(is_request([](Packet& p) { p.icmp = p.icmp.first(23); }));
    CHECK_FALSE(
        is_request([](Packet& p) { p.source = *portcullis::base::IpAddress::parse("::"); }));
    CHECK_FALSE(is_request(
        [](Packet& p) { p.destination = *portcullis::base::IpAddress::parse("2001::9"); }));
}
