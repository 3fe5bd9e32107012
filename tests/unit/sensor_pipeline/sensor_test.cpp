#include "sensor/pipeline/sensor.hpp"

#include <algorithm>
#include <sstream>

#include "tests/support/frames.hpp"

using namespace portcullis;
using sensor_config::SensorSettings;
using sensor_config::Switch;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr const char* kThem = "192.0.2.1";
constexpr const char* kUs = "192.0.2.2";

class TextTarget final : public sensor_report::LogTarget {
  public:
    explicit TextTarget(std::string& text) : text_(text) {}
    std::size_t write(std::string_view lines) override {
        text_ += lines;
        return lines.size();
    }
    base::Result<void> reopen() override { return {}; }
    bool has_own_time() const override { return true; }  // so that lines begin with the message

  private:
    std::string& text_;
};

// A Sensor of the host kUs: frames in, lines out.
struct Wire {
    explicit Wire(const SensorSettings& settings = {})
        : sensor(settings, services, hosts, std::make_unique<TextTarget>(text)) {
        sensor.set_local_addresses({*base::IpAddress::parse(kUs)});
    }

    void send(const test::Frame& frame) {
        sensor_capture::Frame captured;
        captured.time = now;
        captured.bytes = frame;
        sensor.on_frame(captured);
    }
    // A SYN as connect() makes it; `dont_fragment` is what the IPv4 header says.
    void connect(std::uint16_t port) {
        test::Frame frame =
            test::ipv4(kThem, kUs, 6, test::tcp(40000, port, sensor_packet::kSyn, 20));
        frame[20] |= 0x40;  // DF
        test::seal(frame);
        send(frame);
    }
    void refuse(std::uint16_t port) {
        send(test::ipv4(kUs, kThem, 6,
                        test::tcp(port, 40000, sensor_packet::kRst | sensor_packet::kAck)));
    }
    // Ends the capture and returns all lines.
    std::vector<std::string> finish() {
        now += seconds(75);
        sensor.advance(now);
        sensor.finish(now);
        std::vector<std::string> lines;
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);) {
            lines.push_back(line);
        }
        return lines;
    }
    std::uint64_t counter(std::string_view name) const {
        for (const auto& [key, value] : sensor.counters()) {
            if (key == name) {
                return value;
            }
        }
        FAIL("no counter " << name);
        return 0;
    }

    sensor_report::ServicesFile services = sensor_report::ServicesFile::parse("ssh 22/tcp\n");
    sensor_report::HostsFile hosts;
    std::string text;
    base::Timestamp now{seconds(1'700'000'000)};
    sensor_pipeline::Sensor sensor;
};

std::size_t count_starting_with(const std::vector<std::string>& lines, std::string_view begin) {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(),
                      [&](const std::string& line) { return line.starts_with(begin); }));
}

}  // namespace

TEST_CASE("sensor: a connection attempt is one line") {
    Wire wire;
    wire.connect(22);
    CHECK(wire.finish() ==
          std::vector<std::string>{"TCP: ssh connection attempt from 192.0.2.1:40000"});
}

TEST_CASE("sensor: a scan is a line at its threshold and a line at its end") {
    Wire wire;
    for (std::uint16_t port = 1001; port <= 1015; ++port) {
        wire.connect(port);
        wire.now += milliseconds(1);
        wire.refuse(port);
        wire.now += milliseconds(1);
        const bool is_detected = wire.text.find("TCP: port scan detected") != std::string::npos;
        CAPTURE(port);
        CHECK(is_detected == (port == 1015));
    }
    const auto lines = wire.finish();
    CHECK(count_starting_with(lines, "TCP: port 10") == 15);
    CHECK(count_starting_with(lines, "TCP: port scan detected [ports 1001,1002,") == 1);
    CHECK(count_starting_with(lines, "TCP: port scan mode expired for 192.0.2.1") == 1);
}

TEST_CASE("sensor: packets between other hosts and broken frames give no line, and are counted") {
    Wire wire;
    wire.send(test::ipv4(kThem, "192.0.2.99", 6, test::tcp(40000, 22, sensor_packet::kSyn)));
    test::Frame cut = test::ipv4(kThem, kUs, 6, test::tcp(40000, 22, sensor_packet::kSyn));
    cut.resize(14 + 20 + 4);
    wire.send(cut);
    CHECK(wire.finish().empty());
    CHECK(wire.counter("packets_to_us") == 0);
    CHECK(wire.counter("malformed_packets") == 1);
}

TEST_CASE("sensor: with iplog_compat the packets are counted, not the ports") {
    SensorSettings settings;
    settings[Switch::IplogCompat] = true;
    Wire wire(settings);
    for (int i = 0; i < 20; ++i) {
        wire.connect(1000);
        wire.now += milliseconds(1);
    }
    CHECK(count_starting_with(wire.finish(), "TCP: port scan detected") == 1);
}

TEST_CASE("sensor: settings change while it runs, and what was counted stays") {
    SensorSettings settings;
    Wire wire(settings);
    for (std::uint16_t port = 1001; port <= 1010; ++port) {
        wire.connect(port);
        wire.refuse(port);
    }
    settings[Switch::ScansOnly] = true;
    wire.sensor.set_settings(settings);
    for (std::uint16_t port = 1011; port <= 1015; ++port) {
        wire.connect(port);
        wire.refuse(port);
    }
    const auto lines = wire.finish();
    CHECK(count_starting_with(lines, "TCP: port 10") == 10);
    CHECK(count_starting_with(lines, "TCP: port scan detected") == 1);
}

TEST_CASE("sensor: a datagram in fragments is seen as a whole") {
    Wire wire;
    test::Frame datagram = test::udp(5000, 53, 24);
    const test::Frame first(datagram.begin(), datagram.begin() + 16);
    const test::Frame second(datagram.begin() + 16, datagram.end());
    for (const bool is_second : {false, true}) {
        test::Frame frame = test::ipv4(kThem, kUs, 17, is_second ? second : first);
        test::put16(frame, 14 + 4, 7);                       // the identification
        test::put16(frame, 14 + 6, is_second ? 2 : 0x2000);  // offset / 8, or more fragments
        test::seal(frame);
        wire.send(frame);
    }
    CHECK(count_starting_with(wire.finish(), "UDP: ") == 1);
    CHECK(wire.counter("datagrams_reassembled") == 1);
}
