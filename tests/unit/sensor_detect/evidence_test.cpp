// How much the address in a detection is worth: proven by a handshake, forgeable, doubtful.
#include "base/evidence.hpp"

#include <array>
#include <optional>

#include "sensor/track/handshakes.hpp"
#include "sensor/track/open_ports.hpp"
#include "tests/support/detect_wire.hpp"

namespace base = portcullis::base;
using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using Grade = base::Evidence;
using portcullis::test::Wire;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr std::uint32_t kTheirs = 1000;      // the source's first sequence number
constexpr std::uint32_t kOurs = 0xfffffffe;  // ours: the number after it is not far from zero

// TCP with sequence numbers.
struct Talk : Wire {
    using Wire::Wire;

    void from_them(std::uint8_t flags, std::uint16_t source_port, std::uint16_t port,
                   std::uint32_t sequence, std::uint32_t acknowledgement) {
        Packet made = packet(Transport::Tcp, source_port, port);
        made.tcp_flags = flags;
        made.tcp_sequence = sequence;
        made.tcp_acknowledgement = acknowledgement;
        made.tcp_window = window;
        made.tcp_header_length = header_length;
        tracker.on_inbound(made, now);
    }
    std::uint16_t window = 502;
    std::uint8_t header_length = 20;

    void from_us(std::uint8_t flags, std::uint16_t source_port, std::uint16_t port,
                 std::uint32_t sequence, std::uint32_t acknowledgement) {
        Packet made = answer(Transport::Tcp, source_port, port);
        made.tcp_flags = flags;
        made.tcp_sequence = sequence;
        made.tcp_acknowledgement = acknowledgement;
        tracker.on_outbound(made, now);
    }
    // A SYN of theirs and our SYN+ACK.
    void half_open(std::uint16_t source_port, std::uint16_t port) {
        from_them(kSyn, source_port, port, kTheirs, 0);
        from_us(kSyn | kAck, source_port, port, kOurs, kTheirs + 1);
    }
    // As connect() and close() with a reset make it.
    void connect_and_reset(std::uint16_t source_port, std::uint16_t port) {
        half_open(source_port, port);
        from_them(kRst | kAck, source_port, port, kTheirs + 1, kOurs + 1);
    }
    // Closed ports, asked by hand-made SYNs.
    void scan(int first, int count) {
        for (int i = first; i < first + count; ++i) {
            raw_syn(40000, static_cast<std::uint16_t>(i));
            refuse(40000, static_cast<std::uint16_t>(i));
        }
    }
    std::vector<Observation> detections() const {
        std::vector<Observation> found;
        for (const Observation& seen : observations) {
            if (seen.type == ObservationType::ScanDetected) {
                found.push_back(seen);
            }
        }
        return found;
    }
    // The grade of the only detection.
    std::optional<Grade> grade() const {
        REQUIRE(detections().size() == 1);
        return detections().front().evidence;
    }
};

}  // namespace

TEST_CASE("evidence: bare probes are forgeable, of every kind") {
    for (const std::uint8_t flags : {std::uint8_t{0}, kFin, std::uint8_t{kFin | kPsh | kUrg}}) {
        Talk wire;
        for (std::uint16_t port = 1; port <= 10; ++port) {
            wire.tcp(flags, 40000, port);
            wire.refuse(40000, port);
        }
        CHECK(wire.grade() == Grade::Forgeable);
    }
    Talk syn;
    syn.scan(1, 10);
    CHECK(syn.grade() == Grade::Forgeable);
    Talk datagrams;
    for (std::uint16_t port = 1; port <= 25; ++port) {
        datagrams.datagram(40000, port);
        datagrams.unreachable(Transport::Udp, 40000, port);
    }
    CHECK(datagrams.grade() == Grade::Forgeable);
    Talk pings;
    for (int i = 0; i < 70; ++i) {
        pings.ping();
    }
    CHECK(pings.grade() == Grade::Forgeable);
}

TEST_CASE("evidence: a completed handshake proves the address, whichever segment shows it") {
    struct Row {
        std::uint8_t flags;
        bool is_ours;
    };
    for (const Row row : {Row{kAck, false}, Row{kAck | kPsh, false}, Row{kFin | kAck, false},
                          Row{kRst | kAck, false}, Row{kFin | kAck, true}}) {
        CAPTURE(int{row.flags}, row.is_ours);
        Talk wire;
        wire.half_open(50000, 80);
        if (row.is_ours) {  // we sent some data before
            wire.from_us(row.flags, 50000, 80, kOurs + 500, kTheirs + 200);
        } else {
            wire.from_them(row.flags, 50000, 80, kTheirs + 1, kOurs + 1);
        }
        wire.pass(minutes(1));
        wire.scan(1, 10);
        CHECK(wire.grade() == Grade::Proven);
    }
}

TEST_CASE("evidence: a packet filter that refuses our SYN+ACK proves nothing of its host") {
    const auto graded = [](std::uint16_t window, std::uint8_t header_length) {
        Talk wire;
        wire.window = window;
        wire.header_length = header_length;
        wire.connect_and_reset(50000, 80);
        wire.scan(1, 10);
        return wire.grade();
    };
    CHECK(graded(0, 20) == Grade::Forgeable);
    // Of a TCP of its own, which aborts a connection.
    CHECK(graded(502, 20) == Grade::Proven);
    CHECK(graded(0, 32) == Grade::Proven);
}

TEST_CASE("evidence: what a forger can send without our SYN+ACK proves nothing") {
    const auto graded = [](auto send) {
        Talk wire;
        send(wire);
        wire.scan(1, 10);
        return wire.grade();
    };
    // Every number but the right one, and the right one elsewhere.
    for (const std::uint32_t off : {0U, 2U, 3U, 0x80000000U, 0xffffffffU}) {
        CAPTURE(off);
        CHECK(graded([&](Talk& wire) {
                  wire.half_open(50000, 80);
                  wire.from_them(kAck, 50000, 80, kTheirs + 1, kOurs + off);
                  wire.from_them(kRst | kAck, 50000, 80, kTheirs + 1, kOurs + off);
                  wire.from_them(kFin | kAck, 50000, 80, kTheirs + 1, kOurs + off);
              }) == Grade::Forgeable);
    }
    CHECK(graded([](Talk& wire) {
              wire.half_open(50000, 80);
              wire.from_them(kAck, 50001, 80, kTheirs + 1, kOurs + 1);
              wire.from_them(kAck, 50000, 81, kTheirs + 1, kOurs + 1);
          }) == Grade::Forgeable);
    // A RST without ACK contains nothing of ours, whatever its acknowledgement number is.
    CHECK(graded([](Talk& wire) {
              wire.half_open(50000, 80);
              wire.from_them(kRst, 50000, 80, kTheirs + 1, kOurs + 1);
          }) == Grade::Forgeable);
    CHECK(graded([](Talk& wire) {
              wire.half_open(50000, 80);
              wire.from_them(kSyn | kAck, 50000, 80, kTheirs + 1, kOurs + 1);
          }) == Grade::Forgeable);
    // Our refusal, and a FIN of ours to a connection that it did not open.
    CHECK(graded([](Talk& wire) {
              wire.from_them(kSyn, 50000, 80, kTheirs, 0);
              wire.from_us(kRst | kAck, 50000, 80, 0, kTheirs + 1);
              wire.from_us(kFin | kAck, 50000, 80, kOurs + 1, kTheirs + 1);
          }) == Grade::Forgeable);
}

TEST_CASE("evidence: connections that we opened prove nothing, since others know our peers") {
    Talk wire;
    wire.from_us(kSyn, 5432, 45000, kOurs, 0);
    wire.from_them(kSyn | kAck, 5432, 45000, kTheirs, kOurs + 1);
    wire.from_us(kAck, 5432, 45000, kOurs + 1, kTheirs + 1);
    wire.from_them(kAck | kPsh, 5432, 45000, kTheirs + 1, kOurs + 1);
    wire.from_us(kFin | kAck, 5432, 45000, kOurs + 1, kTheirs + 1);
    wire.from_them(kFin | kAck, 5432, 45000, kTheirs + 1, kOurs + 2);
    wire.scan(1, 10);
    CHECK(wire.grade() == Grade::Forgeable);
}

TEST_CASE("evidence: the handshake of one source proves no other") {
    Talk wire;
    wire.connect_and_reset(50000, 80);
    wire.them = "10.10.150.9";
    wire.scan(1, 10);
    CHECK(wire.grade() == Grade::Forgeable);
}

TEST_CASE("evidence: a proof is one for ten minutes") {
    for (const bool is_old : {false, true}) {
        Talk wire;
        wire.connect_and_reset(50000, 80);
        wire.pass(seconds(kProofMemory + (is_old ? 1 : 0)));
        wire.scan(1, 10);
        CHECK(wire.grade() == (is_old ? Grade::Forgeable : Grade::Proven));
    }
}

TEST_CASE("evidence: connections to open ports are proven, half open ones are not") {
    Talk connected;
    for (std::uint16_t port = 1; port <= 20; ++port) {
        connected.connect_and_reset(50000, port);
    }
    REQUIRE(connected.detections().size() == 1);
    CHECK(connected.detections().front().kind == ScanKind::OpenPortProbing);
    CHECK(connected.grade() == Grade::Proven);

    Talk half_open;
    for (std::uint16_t port = 1; port <= 20; ++port) {
        half_open.half_open(50000, port);
        half_open.from_them(kRst, 50000, port, kTheirs + 1, 0);
    }
    REQUIRE(half_open.detections().size() == 1);
    CHECK(half_open.detections().front().kind == ScanKind::OpenPortProbing);
    CHECK(half_open.grade() == Grade::Forgeable);
}

TEST_CASE("evidence: an accepted SCTP cookie proves the address") {
    Talk wire;
    Packet accepted = wire.answer(Transport::Sctp, 7, 8);
    accepted.sctp_chunk = 11;  // COOKIE ACK
    wire.tracker.on_outbound(accepted, wire.now);
    wire.scan(1, 10);
    CHECK(wire.grade() == Grade::Proven);
}

TEST_CASE(
    "evidence: a proof while the scan continues is reported ten seconds after the previous line") {
    Talk wire;
    wire.scan(1, 10);
    wire.pass(seconds(2));
    wire.connect_and_reset(50000, 80);
    wire.connect_and_reset(50001, 80);
    // The same ports again: without the proof no line would be due.
    for (int i = 0; i < 100; ++i) {
        wire.scan(1, 1);
        wire.pass(milliseconds(200));
    }
    const auto lines = wire.detections();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].evidence == Grade::Forgeable);
    CHECK(lines[1].evidence == Grade::Proven);
    CHECK(lines[1].is_repeated);
    CHECK(lines[1].time - lines[0].time >= seconds(9));
    CHECK(lines[1].time - lines[0].time <= seconds(11));
    CHECK(lines[1].destination_ports.size() > 0);

    Talk unproven;
    unproven.scan(1, 10);
    unproven.pass(seconds(2));
    unproven.half_open(50000, 80);
    for (int i = 0; i < 100; ++i) {
        unproven.scan(1, 1);
        unproven.pass(milliseconds(200));
    }
    CHECK(unproven.detections().size() == 1);
}

TEST_CASE("evidence: proofs do not add lines: one in ten seconds, and no rise twice") {
    Talk wire;
    for (int i = 0; i < 600; ++i) {
        wire.scan(1 + i % 300, 10);
        wire.connect_and_reset(static_cast<std::uint16_t>(50000 + i), 80);
        wire.pass(milliseconds(100));
    }
    const auto lines = wire.detections();
    CHECK(lines.size() == 6);
    for (std::size_t i = 1; i < lines.size(); ++i) {
        CHECK(lines[i].time - lines[i - 1].time >= seconds(9));
        CHECK(lines[i].evidence == Grade::Proven);
    }
}

TEST_CASE("evidence: a slow scan is as good as the best that took part within a day") {
    for (const bool has_proof : {false, true}) {
        Talk wire;
        for (std::uint16_t port = 1; port <= 10; ++port) {
            wire.scan(port, 1);
            if (has_proof && port == 2) {
                wire.connect_and_reset(50000, 80);
            }
            wire.pass(hours(1));
        }
        REQUIRE(wire.detections().size() == 1);
        CHECK(wire.detections().front().kind == ScanKind::SlowScan);
        CHECK(wire.grade() == (has_proof ? Grade::Proven : Grade::Forgeable));
    }
}

TEST_CASE("evidence: a network is proven by an address that took part, not by another one") {
    for (const bool takes_part : {true, false}) {
        Talk wire;
        wire.us = "2001:db8:ff::1";
        wire.them = takes_part ? "2001:db8:1:2::3" : "2001:db8:1:2::99";
        wire.connect_and_reset(50000, 80);
        for (int i = 1; i <= 10; ++i) {
            wire.them = "2001:db8:1:2::" + std::to_string(i);
            wire.scan(i, 1);
        }
        REQUIRE(wire.detections().size() == 1);
        CHECK(wire.detections().front().source_prefix == 64);
        CHECK(wire.grade() == (takes_part ? Grade::Proven : Grade::Forgeable));
    }
}

TEST_CASE("evidence: a later address of a network that continues raises its grade") {
    Talk wire;
    wire.us = "2001:db8:ff::1";
    for (int i = 1; i <= 100; ++i) {
        wire.them = "2001:db8:1:2::" + std::to_string(i);
        wire.scan(i, 1);
        if (i == 50) {
            wire.connect_and_reset(50000, 80);
        }
        wire.pass(milliseconds(500));
    }
    const auto lines = wire.detections();
    REQUIRE(lines.size() >= 3);
    CHECK(lines.front().evidence == Grade::Forgeable);
    const auto proven = std::find_if(lines.begin(), lines.end(), [](const Observation& line) {
        return line.evidence == Grade::Proven;
    });
    REQUIRE(proven != lines.end());
    CHECK(proven->is_repeated);
}

TEST_CASE("evidence: another route back is doubtful, even beside a proof") {
    struct Judge final : ReturnPathJudge {
        ReturnPath judge(const base::IpAddress& /*source*/, const base::IpAddress& /*destination*/,
                         std::uint32_t /*interface*/) override {
            return ReturnPath::Other;
        }
    } judge;
    Talk wire;
    wire.interface = 3;
    wire.tracker.set_return_path(&judge);
    wire.connect_and_reset(50000, 80);
    wire.scan(1, 10);
    CHECK(wire.grade() == Grade::Doubtful);
    CHECK(wire.detections().front().is_route_asymmetric);
    // It cannot rise.
    wire.pass(seconds(11));
    wire.connect_and_reset(50001, 80);
    wire.scan(1, 1);
    CHECK(wire.detections().size() == 1);
}

TEST_CASE("evidence: a refused packet was accepted, so a partial checksum raises no doubt") {
    // The pseudo header alone is summed: IPv4, protocol 6, 20 bytes.
    const auto probe = [](Talk& wire, std::uint16_t port, bool is_partial) {
        std::array<std::uint8_t, 20> segment{};
        Packet made = wire.packet(Transport::Tcp, 40000, port);
        made.tcp_flags = kSyn;
        made.dont_fragment = false;
        made.tcp_header_length = 20;
        made.payload_length = 20;
        made.protocol = 6;
        std::uint32_t sum = 6 + 20;
        for (const base::IpAddress* address : {&made.source, &made.destination}) {
            sum += static_cast<std::uint32_t>(address->data()[0] << 8 | address->data()[1]);
            sum += static_cast<std::uint32_t>(address->data()[2] << 8 | address->data()[3]);
        }
        sum = (sum & 0xffff) + (sum >> 16);
        sum = is_partial ? sum : ~sum & 0xffff;
        segment[16] = static_cast<std::uint8_t>(sum >> 8);
        segment[17] = static_cast<std::uint8_t>(sum);
        made.checksummed = segment;
        REQUIRE(is_checksum_partial(made) == is_partial);
        wire.tracker.on_inbound(made, wire.now);
        wire.refuse(40000, port);
    };
    for (const int whole : {0, 1, 10}) {
        CAPTURE(whole);
        Talk wire;
        for (int i = 0; i < 10; ++i) {
            probe(wire, static_cast<std::uint16_t>(10 - i), i >= whole);
        }
        CHECK(wire.grade() == Grade::Forgeable);
        CHECK_FALSE(wire.detections().front().has_partial_checksums);
    }
    Talk proven;  // this host took its packets
    proven.connect_and_reset(50000, 80);
    for (std::uint16_t port = 1; port <= 10; ++port) {
        probe(proven, port, true);
    }
    CHECK(proven.grade() == Grade::Proven);
    CHECK_FALSE(proven.detections().front().has_partial_checksums);
}

TEST_CASE("evidence: lines about groups of sources have no grade") {
    Talk wire;
    for (std::uint16_t port = 1; port <= 10; ++port) {
        for (int source = 1; source <= 4; ++source) {
            wire.them = "10.10.150." + std::to_string(source);
            wire.scan(port, 1);
        }
        wire.pass(milliseconds(100));
    }
    REQUIRE(!wire.detections().empty());
    CHECK(wire.detections().front().kind == ScanKind::Decoys);
    CHECK_FALSE(wire.detections().front().evidence);
}

TEST_CASE("evidence: the memory of handshakes is bounded and forgets the oldest of a bucket") {
    Handshakes handshakes;
    const auto flow_of = [](std::uint32_t i) {
        Flow flow;
        flow.ours = base::IpAddress::v4({10, 0, 0, 1});
        flow.theirs =
            base::IpAddress::v4({20, static_cast<std::uint8_t>(i >> 16),
                                 static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
        flow.our_port = 80;
        flow.their_port = 5000;
        return flow;
    };
    constexpr std::uint32_t kMany = 4 * Handshakes::kMostProven;
    std::uint32_t completed = 0;
    for (std::uint32_t i = 0; i < kMany; ++i) {
        handshakes.note_offer(flow_of(i), i, 1000 + i / 1000);
        completed += handshakes.complete(flow_of(i), i + 1, 1000 + i / 1000) ? 1 : 0;
    }
    CHECK(completed == kMany);  // a flood of others cannot prevent the one at hand
    std::uint32_t known = 0;
    for (std::uint32_t i = 0; i < kMany; ++i) {
        known += handshakes.is_proven(flow_of(i).theirs, 1000 + kMany / 1000, kMany) ? 1 : 0;
    }
    CHECK(known <= Handshakes::kMostProven);
    CHECK(known > Handshakes::kMostProven / 2);
    CHECK(handshakes.is_proven(flow_of(kMany - 1).theirs, 1000 + kMany / 1000));
}

// A port that answered somebody lately is open: its silence has another reason.

TEST_CASE("open_ports: silence of ports that are known to be open does not count") {
    for (const bool are_open : {true, false}) {
        Talk wire;
        for (std::uint16_t port = 1; are_open && port <= 10; ++port) {
            wire.them = "10.10.150.77";
            wire.half_open(50000, port);
        }
        wire.them = "10.10.150.1";
        for (std::uint16_t port = 1; port <= 10; ++port) {
            wire.raw_syn(40000, port);
            wire.pass(milliseconds(400));
        }
        CHECK(wire.detections().size() == (are_open ? 0 : 1));
    }
}

TEST_CASE("open_ports: a scan of a host that drops is detected, some of its ports being open") {
    Talk wire;
    wire.them = "10.10.150.77";
    for (const int port : {22, 80, 443}) {
        wire.half_open(50000, static_cast<std::uint16_t>(port));
    }
    wire.them = "10.10.150.1";
    for (const int port : {21, 22, 23, 25, 53, 80, 110, 111, 113, 143, 443, 445, 993}) {
        wire.raw_syn(40000, static_cast<std::uint16_t>(port));
    }
    wire.pass(milliseconds(400));
    CHECK(wire.detections().size() == 1);
}

TEST_CASE("open_ports: a refusal counts, and so does the silence that a FIN meets") {
    Talk refused;
    refused.them = "10.10.150.77";
    Talk silent;
    silent.them = "10.10.150.77";
    for (std::uint16_t port = 1; port <= 10; ++port) {
        refused.half_open(50000, port);
        silent.half_open(50000, port);
    }
    refused.them = silent.them = "10.10.150.1";
    refused.scan(1, 10);
    CHECK(refused.detections().size() == 1);
    for (std::uint16_t port = 1; port <= 10; ++port) {
        silent.tcp(kFin, 40000, port);
    }
    silent.pass(milliseconds(400));
    CHECK(silent.detections().size() == 1);
}

TEST_CASE("open_ports: what was open is so for ten minutes, at the address that answered") {
    OpenPorts ports;
    const auto one = base::IpAddress::v4({10, 0, 0, 1});
    const auto other = base::IpAddress::v4({10, 0, 0, 2});
    ports.note(one, 22, 1000);
    CHECK(ports.is_open(one, 22, 1000 + kOpenMemory));
    CHECK_FALSE(ports.is_open(one, 22, 1001 + kOpenMemory));
    CHECK_FALSE(ports.is_open(one, 23, 1000));
    CHECK_FALSE(ports.is_open(other, 22, 1000));
    ports.note(other, 22, 1000);
    CHECK(ports.is_open(other, 22, 1000));
    CHECK(ports.is_open(one, 22, 1000));
}

TEST_CASE("open_ports: a flood of SYNs to an open port that does not answer is still one") {
    Talk wire;
    wire.half_open(50000, 80);
    for (int i = 0; i < 120; ++i) {
        wire.them = "10.20." + std::to_string(i) + ".1";
        wire.connect(50000, 80);
    }
    wire.pass(milliseconds(400));
    REQUIRE(wire.detections().size() == 1);
    CHECK(wire.detections().front().kind == ScanKind::SynFlood);
    CHECK(wire.detections().front().source_count >= 100);
}
