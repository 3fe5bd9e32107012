#include "sensor/detect/compat_tracker.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::base::IpAddress;
using portcullis::base::Timestamp;
using std::chrono::seconds;

namespace {

class Wire final : public ObservationSink {
  public:
    explicit Wire(const TrackerSettings& settings = {}) : tracker(settings, false, *this) {}

    void on_observation(const Observation& seen) override { observations.push_back(seen); }

    void send(Transport transport, const char* source, std::uint16_t port, std::uint8_t flags,
              bool dont_fragment = true) {
        Packet packet;
        packet.verdict = Verdict::Ok;
        packet.transport = transport;
        packet.source = *IpAddress::parse(source);
        packet.destination = *IpAddress::parse("10.0.0.2");
        packet.source_port = 4000;
        packet.destination_port = port;
        packet.tcp_flags = flags;
        packet.icmp_type = flags;
        packet.ttl = 60;
        packet.dont_fragment = dont_fragment;
        packet.payload_length = 20;
        tracker.on_inbound(packet, Timestamp(seconds(now)));
    }
    std::size_t count(ObservationType type) const {
        return static_cast<std::size_t>(
            std::count_if(observations.begin(), observations.end(),
                          [&](const Observation& seen) { return seen.type == type; }));
    }
    const Observation& last() const { return observations.back(); }

    CompatTracker tracker;
    std::vector<Observation> observations;
    std::int64_t now = 1000;
};

}  // namespace

TEST_CASE("compat_tracker: packets are counted, not ports, and the one at the threshold is kept") {
    Wire wire;
    for (int i = 0; i < 20; ++i) {
        wire.send(Transport::Tcp, "10.0.0.1", 80, kSyn);
    }
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 14);
    REQUIRE(wire.last().type == ObservationType::ScanDetected);
    CHECK(wire.last().kind == ScanKind::PortScan);
    CHECK(wire.last().destination_ports.size() == 1);
    wire.tracker.advance(Timestamp(seconds(1049)));
    CHECK(wire.last().type == ObservationType::ScanDetected);
    wire.tracker.advance(Timestamp(seconds(1050)));
    CHECK(wire.last().type == ObservationType::ScanExpired);
    CHECK(wire.last().packets == 20);
    CHECK(wire.last().bytes == 400);
    CHECK_FALSE(wire.tracker.next_deadline());
}

TEST_CASE("compat_tracker: new settings empty the tables without a line") {
    Wire wire;
    for (int i = 0; i < 20; ++i) {
        wire.send(Transport::Tcp, "10.0.0.1", 80, kFin);
    }
    const std::size_t before = wire.observations.size();
    wire.tracker.set_settings({});
    wire.tracker.advance(Timestamp(seconds(2000)));
    CHECK(wire.observations.size() == before);
}

TEST_CASE("compat_tracker: the count of packets wraps after 65535") {
    Wire wire;
    for (int i = 0; i < 70000; ++i) {
        wire.send(Transport::Tcp, "10.0.0.1", 80, kFin);
    }
    CHECK(wire.count(ObservationType::ScanDetected) == 1);
    wire.tracker.advance(Timestamp(seconds(1050)));
    CHECK(wire.last().packets == 4464);
    CHECK(wire.last().bytes == 1400000);
}

TEST_CASE("compat_tracker: five sources of one /8 push each other out, and lose to nothing else") {
    Wire wire;
    for (int round = 0; round < 20; ++round) {
        for (const char* source : {"10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1", "10.5.0.1"}) {
            wire.send(Transport::Tcp, source, 80, kFin);
        }
    }
    CHECK(wire.observations.empty());
    CHECK(wire.tracker.counters().source_evictions > 0);
    for (int round = 0; round < 10; ++round) {
        for (const char* source : {"10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1", "11.5.0.1"}) {
            wire.send(Transport::Tcp, source, 80, kFin);
        }
    }
    CHECK(wire.count(ObservationType::ScanDetected) == 5);
    // The pair that is pushed out is summed up at once.
    wire.now = 1001;
    wire.send(Transport::Tcp, "10.9.0.1", 80, kFin);
    CHECK(wire.last().type == ObservationType::ScanExpired);
}

TEST_CASE("compat_tracker: a packet is judged in iplog's order") {
    Wire wire;
    wire.send(Transport::Tcp, "10.0.0.1", 80, kSyn | kEce);  // bogus, once for a source
    wire.send(Transport::Tcp, "10.0.0.1", 80, kSyn | kCwr);
    CHECK(wire.count(ObservationType::BogusFlags) == 1);
    wire.send(Transport::Tcp, "10.0.0.3", 80, kAck | kEce);
    wire.send(Transport::Tcp, "10.0.0.1", 80, kAck | kEce);
    CHECK(wire.count(ObservationType::BogusFlags) == 3);
    wire.send(Transport::Tcp, "10.0.0.1", 80, kSyn | kFin);  // an attempt like any other
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 1);
    wire.send(Transport::Tcp, "10.0.0.1", 80, kFin | kAck);
    wire.send(Transport::Tcp, "fd00::1", 80, kSyn);
    CHECK(wire.observations.size() == 4);
    // Of SYNs without DF ten make a SYN scan; the port scan has counted nine of them.
    for (int i = 0; i < 10; ++i) {
        wire.send(Transport::Tcp, "10.0.0.4", 80, kSyn, false);
    }
    CHECK(wire.count(ObservationType::ConnectionAttempt) == 10);
    CHECK(wire.last().kind == ScanKind::SynScan);
}

TEST_CASE("compat_tracker: seventy pings are a flood, however slow") {
    Wire wire;
    for (int i = 0; i < 70; ++i) {
        wire.send(Transport::Icmp, "10.0.0.1", 0, 8);
        wire.now += 59;
    }
    CHECK(wire.count(ObservationType::EchoRequest) == 69);
    CHECK(wire.last().kind == ScanKind::PingFlood);
    CHECK(wire.last().destination_ports.size() == 0);
}
