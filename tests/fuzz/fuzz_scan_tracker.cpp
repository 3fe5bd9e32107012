// Any sequence of packets through the tracker: bounded state, time in order, every detected scan
// ends exactly once. Eight bytes of input are one packet.
#include <cstdlib>
#include <map>
#include <tuple>

#include "sensor/detect/scan_tracker.hpp"

using namespace portcullis;
using namespace portcullis::sensor_detect;

namespace {
struct Checker final : ObservationSink {
    std::map<std::tuple<base::IpAddress, base::IpAddress, ScanKind>, int> active;
    base::Timestamp last;
    void on_observation(const Observation& seen) override {
        // A sweep goes from one destination to the next.
        const bool is_sweep = detector_of(seen.kind).counting == Counting::DistinctHosts;
        const auto key = std::tuple(seen.sources.empty() ? seen.source : seen.sources.front(),
                                    is_sweep ? base::IpAddress() : seen.destination, seen.kind);
        const bool is_start = seen.type == ObservationType::ScanDetected;
        const bool is_end = seen.type == ObservationType::ScanExpired;
        int& count = active[key];
        count += is_start ? 1 : is_end ? -1 : 0;
        // Who was quiet for a while may lead another group of decoys, and each port have its flood.
        const bool is_group = !seen.sources.empty() || seen.source_count > 0;
        if (seen.time < last || count < 0 || (count > 1 && !is_group)) {
            std::abort();
        }
        last = seen.time;
    }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Checker checker;
    TrackerSettings settings;
    settings.max_sources = 16;
    settings.max_pending_probes = 16;
    settings.watches_networks = true;
    settings.of(ScanKind::DistributedScan).threshold = 6;
    settings.of(ScanKind::SynFlood).threshold = 20;
    ScanTracker tracker(settings, checker);
    base::Timestamp now{std::chrono::seconds(1'700'000'000)};
    for (; size >= 8; data += 8, size -= 8) {
        now += std::chrono::milliseconds((data[0] & 0x0f) << (data[0] >> 4));
        sensor_packet::Packet packet;
        packet.verdict = sensor_packet::Verdict::Ok;
        packet.transport = static_cast<sensor_packet::Transport>(data[1] & 3);
        packet.source = base::IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(data[2] & 31)});
        packet.destination =
            base::IpAddress::v4({10, 0, 1, static_cast<std::uint8_t>(data[2] >> 7)});
        packet.source_port = data[3];
        packet.destination_port = data[4];
        packet.tcp_flags = data[5];
        packet.icmp_type = data[5];
        packet.ttl = data[6];
        packet.dont_fragment = (data[7] & 1) != 0;
        packet.tcp_header_length = 20;
        packet.payload_length = 20;
        if ((data[7] & 2) != 0) {  // ours, in answer to the like
            if ((data[7] & 4) != 0) {
                packet.embedded = sensor_packet::Embedded{
                    packet.source, packet.destination, sensor_packet::Transport::Udp,
                    packet.source_port, packet.destination_port};
            }
            std::swap(packet.source, packet.destination);
            std::swap(packet.source_port, packet.destination_port);
            tracker.on_outbound(packet, now);
        } else {
            tracker.on_inbound(packet, now);
        }
        if (tracker.source_count() > settings.max_sources) {
            std::abort();
        }
    }
    tracker.finish(now);
    for (const auto& [key, count] : checker.active) {
        if (count != 0) {
            std::abort();
        }
    }
    return 0;
}
