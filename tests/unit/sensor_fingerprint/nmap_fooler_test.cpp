#include "sensor/fingerprint/nmap_fooler.hpp"

using namespace portcullis::sensor_fingerprint;
using namespace portcullis::sensor_packet;
using portcullis::base::IpAddress;
using portcullis::base::Timestamp;
using std::chrono::seconds;

namespace {

Packet probe(std::uint8_t flags) {
    Packet packet;
    packet.verdict = Verdict::Ok;
    packet.transport = Transport::Tcp;
    packet.source = *IpAddress::parse("192.0.2.7");
    packet.destination = *IpAddress::parse("192.0.2.1");
    packet.source_port = 40000;
    packet.destination_port = 22;
    packet.tcp_flags = flags;
    return packet;
}

}  // namespace

TEST_CASE("nmap_fooler: what only a fingerprinting tool sends is a probe, a connection is not") {
    struct Row {
        unsigned flags;
        bool is_probe;
    };
    const Row rows[] = {
        {0, true},                          // nmap's T2
        {kSyn | kFin | kUrg | kPsh, true},  // T3
        {kFin | kPsh | kUrg, true},         // T7
        {kSyn | kEce | kCwr, true},         // ECN
        {kPsh, true},
        {kRst | kUrg, true},
        {kSyn | kRst, true},
        {kSyn, false},
        {kAck, false},
        {kAck | kPsh, false},
        {kAck | kPsh | kUrg, false},
        {kFin | kAck, false},
        {kFin, false},
        {kRst, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.flags);
        CHECK(is_fingerprint_probe(probe(static_cast<std::uint8_t>(row.flags))) == row.is_probe);
    }
}

TEST_CASE("nmap_fooler: the answer is one small segment, a RST, with a checksum that is wrong") {
    std::uint64_t random = 88172645463325252ULL;
    for (int i = 0; i < 1000; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const auto bytes = garbage_answer(probe(0), random);
        PacketView view;
        const Packet answer = parse_ip(bytes, view);
        CAPTURE(random);
        REQUIRE(answer.verdict == Verdict::Ok);  // the IP checksum is right
        CHECK(answer.source == *IpAddress::parse("192.0.2.1"));
        CHECK(answer.destination == *IpAddress::parse("192.0.2.7"));
        CHECK(answer.source_port == 22);
        CHECK(answer.destination_port == 40000);
        CHECK(answer.payload_length == 20);
        CHECK((answer.tcp_flags & kRst) != 0);
        CHECK((answer.tcp_flags & kSyn) == 0);
        std::uint32_t sum = 6 + 20;
        for (std::size_t at = 12; at < bytes.size(); at += 2) {
            sum += static_cast<std::uint32_t>((bytes[at] << 8) | bytes[at + 1]);
        }
        while ((sum >> 16) != 0) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        REQUIRE(sum != 0xffff);
    }
}

TEST_CASE("nmap_fooler: answers are limited per source and in all, each second anew") {
    AnswerLimit limit;
    const Timestamp now{seconds(1'700'000'000)};
    const auto admitted = [&](const IpAddress& source, Timestamp time, int tries) {
        int count = 0;
        for (int i = 0; i < tries; ++i) {
            count += limit.admit_and_count(source, time) ? 1 : 0;
        }
        return count;
    };
    const auto source = [](int i) {
        return IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(i)});
    };
    CHECK(admitted(source(0), now, 100) == AnswerLimit::kPerSource);
    int count = AnswerLimit::kPerSource;
    for (int i = 1; i < 200; ++i) {
        count += admitted(source(i), now, 1);
    }
    CHECK(count == AnswerLimit::kInAll);
    CHECK(admitted(source(250), now, 10) == 0);
    CHECK(admitted(source(0), now + seconds(1), 100) == AnswerLimit::kPerSource);
}
