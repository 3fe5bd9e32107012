#include "sensor/detect/scanner_signatures.hpp"

#include <set>

#include "sensor/capture/frame_source.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_capture;
using portcullis::base::IpAddress;

namespace {

// What the probes in a capture look like; empty = nothing known.
class Probes : public FrameSink {
  public:
    explicit Probes(const std::string& capture) {
        auto source = open_capture_file(std::string(PORTCULLIS_SOURCE_DIR) +
                                        "/tests/golden/sensor/scanners/" + capture + ".pcap");
        REQUIRE(source);
        while (*(*source)->read(64, *this) > 0) {
        }
    }
    void on_frame(const Frame& frame) override {
        portcullis::sensor_packet::PacketView view;
        const auto packet = portcullis::sensor_packet::parse_frame(frame.link, frame.bytes, view);
        // As the tracker does: a RST (masscan sends them) is no probe.
        if (packet.destination == us_ &&
            (packet.tcp_flags & portcullis::sensor_packet::kRst) == 0) {
            history.record(packet);
        }
    }
    std::span<const ProbeHeader> last() { return history.last(them_, us_); }
    std::string_view tool() {
        const auto* found = find_scanner(last());
        return found == nullptr ? std::string_view() : found->name;
    }

    ProbeHistory history;

  private:
    IpAddress them_ = *IpAddress::parse("10.9.0.1");
    IpAddress us_ = *IpAddress::parse("10.9.0.2");
};

}  // namespace

TEST_CASE("scanner_signatures: each row recognises its own capture and no other") {
    std::set<std::string_view> names;
    for (const ScannerSignature& row : scanner_signatures()) {
        DYNAMIC_SECTION(row.name) { CHECK(Probes(std::string(row.capture)).tool() == row.name); }
        CHECK(names.insert(row.name).second);
    }
}

TEST_CASE("scanner_signatures: too few probes, or one that does not fit, say nothing") {
    Probes nmap("nmap_sS");
    std::vector<ProbeHeader> probes(nmap.last().begin(), nmap.last().end());
    REQUIRE(probes.size() == ProbeHistory::kMost);
    CHECK(find_scanner({probes.data(), 3}) == nullptr);
    CHECK(find_scanner({probes.data(), 4}) != nullptr);
    probes[5].window = 1025;
    CHECK(find_scanner(probes) == nullptr);
}

TEST_CASE("probe_history: keeps the last probes of two hosts apart from others") {
    ProbeHistory history;
    portcullis::sensor_packet::Packet packet;
    packet.destination = *IpAddress::parse("10.0.0.2");
    for (std::uint16_t port = 1; port <= 20; ++port) {
        packet.source = *IpAddress::parse("10.0.0.1");
        packet.destination_port = port;
        packet.tcp_flags = portcullis::sensor_packet::kSyn;
        history.record(packet);
        history.record(packet);  // sent again
        packet.source = *IpAddress::parse("10.0.0.9");
        history.record(packet);
    }
    const auto last = history.last(*IpAddress::parse("10.0.0.1"), packet.destination);
    REQUIRE(last.size() == ProbeHistory::kMost);
    for (std::size_t i = 0; i < last.size(); ++i) {
        CHECK(last[i].destination_port == 20 - i);
    }
    // The flags of the latest probe decide which others belong to it.
    packet.source = *IpAddress::parse("10.0.0.1");
    packet.tcp_flags = portcullis::sensor_packet::kFin;
    packet.destination_port = 21;
    history.record(packet);
    CHECK(history.last(packet.source, packet.destination).size() == 1);
    // What is older than the ring is forgotten.
    packet.source = *IpAddress::parse("10.0.0.9");
    for (std::size_t i = 0; i < ProbeHistory::kCapacity; ++i) {
        history.record(packet);
    }
    CHECK(history.last(*IpAddress::parse("10.0.0.1"), packet.destination).empty());
}
