#include "sensor/detect/smurf_detector.hpp"

#include <fmt/format.h>

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::base::IpAddress;
using portcullis::base::Timestamp;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct HandedOn {
    int packets = 0;
    Timestamp latest;
    bool went_back = false;
    std::vector<std::string> arp_requests;

    void see(Timestamp now) {
        went_back = went_back || now < latest;
        latest = now;
    }
};

class Recorder final : public Tracker {
  public:
    explicit Recorder(HandedOn& handed_on) : handed_on_(handed_on) {}
    void set_settings(const TrackerSettings& /*settings*/) override {}
    void on_inbound(const Packet& /*packet*/, Timestamp now) override {
        ++handed_on_.packets;
        handed_on_.see(now);
    }
    void on_outbound(const Packet& /*packet*/, Timestamp now) override { handed_on_.see(now); }
    void on_address_request(const IpAddress& sender, const IpAddress& target,
                            Timestamp now) override {
        handed_on_.arp_requests.push_back(
            fmt::format("{} asks for {} at {}", sender.to_string(), target.to_string(),
                        std::chrono::duration_cast<seconds>(now.time_since_epoch()).count()));
    }
    void advance(Timestamp now) override { handed_on_.see(now); }
    std::optional<Timestamp> next_deadline() override { return std::nullopt; }
    void finish(Timestamp /*now*/) override {}
    TrackerCounters counters() const override { return {}; }

  private:
    HandedOn& handed_on_;
};

class Wire final : public ObservationSink {
  public:
    Wire() : watch(TrackerSettings(), *this, std::make_unique<Recorder>(handed_on)) {}

    void on_observation(const Observation& seen) override { observations.push_back(seen); }

    static Packet packet(Transport transport, const std::string& source,
                         const std::string& destination) {
        Packet made;
        made.verdict = Verdict::Ok;
        made.transport = transport;
        made.source = *IpAddress::parse(source);
        made.destination = *IpAddress::parse(destination);
        made.payload_length = 64;
        return made;
    }
    // 100 a second.
    void replies(int count, int hosts, Transport transport = Transport::Icmp,
                 std::uint16_t port = 9) {
        for (int i = 0; i < count; ++i) {
            Packet made = packet(transport, fmt::format("192.0.2.{}", i % hosts + 1), "10.0.0.2");
            made.source_port = 7;
            made.destination_port = port;
            watch.on_inbound(made, now);
            now += milliseconds(10);
        }
    }

    SmurfDetector watch;
    HandedOn handed_on;
    std::vector<Observation> observations;
    Timestamp now{seconds(1'700'000'000)};
};

}  // namespace

TEST_CASE("smurf_detector: echo replies of a network without a request of ours are one attack") {
    for (const Transport transport : {Transport::Icmp, Transport::Udp}) {
        Wire wire;
        wire.replies(200, 50, transport);
        REQUIRE(wire.observations.size() == 1);
        const Observation& seen = wire.observations.front();
        CHECK(seen.type == ObservationType::ScanDetected);
        CHECK(seen.kind == ScanKind::Smurf);
        CHECK(seen.source.to_string() == "192.0.2.0");
        CHECK(seen.source_ports.size() == (transport == Transport::Udp ? 1 : 0));
        CHECK(wire.handed_on.packets == 89);  // the rest belongs to the attack
        wire.watch.advance(wire.now + seconds(40));
        REQUIRE(wire.observations.size() == 2);
        CHECK(wire.observations.back().type == ObservationType::ScanExpired);
        CHECK(wire.observations.back().packets == 200);
        CHECK(wire.observations.back().bytes == 12800);
    }
}

TEST_CASE("smurf_detector: an ARP request is passed on with its time") {
    Wire wire;
    wire.watch.on_address_request(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"),
                                  wire.now);
    CHECK(wire.handed_on.arp_requests ==
          std::vector<std::string>{"10.0.0.1 asks for 10.0.0.2 at 1700000000"});
}

TEST_CASE("smurf_detector: replies of one host, requested or slow ones are not an attack") {
    Wire one_host;
    one_host.replies(500, 2);
    CHECK(one_host.observations.empty());
    CHECK(one_host.handed_on.packets == 500);

    Wire asked;
    Packet question = Wire::packet(Transport::Icmp, "10.0.0.2", "192.0.2.255");
    question.icmp_type = 8;
    asked.watch.on_outbound(question, asked.now);
    asked.replies(500, 50);
    CHECK(asked.observations.empty());

    Wire slow;
    for (int i = 0; i < 500; ++i) {
        slow.replies(1, 50);
        slow.replies(1, 40);
        slow.replies(1, 30);
        slow.now += seconds(2);
    }
    CHECK(slow.observations.empty());

    Wire off;
    TrackerSettings settings;
    settings.of(ScanKind::Smurf).is_enabled = false;
    off.watch.set_settings(settings);
    off.replies(500, 50);
    CHECK(off.observations.empty());
}

TEST_CASE("smurf_detector: an attack does not hide a scan from port 7") {
    Wire wire;
    wire.replies(200, 50, Transport::Udp);
    const int before = wire.handed_on.packets;
    for (std::uint16_t port = 100; port < 150; ++port) {
        wire.replies(1, 50, Transport::Udp, port);
    }
    CHECK(wire.handed_on.packets == before + 50);
}

TEST_CASE("smurf_detector: the time that it passes on never goes back") {
    Wire wire;
    wire.replies(1, 1);
    for (int i = 0; i < 100; ++i) {
        wire.now += seconds(1);
        wire.watch.on_inbound(Wire::packet(Transport::Tcp, "192.0.2.1", "10.0.0.2"), wire.now);
    }
    wire.replies(1, 1);
    CHECK_FALSE(wire.handed_on.went_back);
}
