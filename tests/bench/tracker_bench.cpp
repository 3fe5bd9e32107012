// Time per packet through ScanTracker: a scan by one source, with and without our answers, and a
// million forged sources. Parsing and writing are not in it (packet_bench; the lines of a flood
// have a limit).
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "sensor/detect/scan_tracker.hpp"
#include "tests/support/allocation_counter.hpp"

namespace {

using namespace portcullis;
using sensor_packet::Packet;

struct CountingSink final : sensor_detect::ObservationSink {
    std::uint64_t count = 0;
    void on_observation(const sensor_detect::Observation& /*seen*/) override { ++count; }
};

Packet syn(std::uint32_t source, std::uint16_t source_port, std::uint16_t port) {
    Packet packet;
    packet.verdict = sensor_packet::Verdict::Ok;
    packet.transport = sensor_packet::Transport::Tcp;
    packet.source = base::IpAddress::v4(
        {static_cast<std::uint8_t>(source >> 24), static_cast<std::uint8_t>(source >> 16),
         static_cast<std::uint8_t>(source >> 8), static_cast<std::uint8_t>(source)});
    packet.destination = base::IpAddress::v4({10, 0, 0, 2});
    packet.source_port = source_port;
    packet.destination_port = port;
    packet.tcp_flags = sensor_packet::kSyn;
    packet.tcp_header_length = 20;
    packet.payload_length = 20;
    return packet;
}

Packet reset(const Packet& asked) {
    Packet packet = asked;
    std::swap(packet.source, packet.destination);
    std::swap(packet.source_port, packet.destination_port);
    packet.tcp_flags = sensor_packet::kRst | sensor_packet::kAck;
    return packet;
}

template <class Next>
void track(benchmark::State& state, bool is_answered, Next next) {
    CountingSink sink;
    sensor_detect::ScanTracker tracker(sensor_detect::TrackerSettings(), sink);
    base::Timestamp now{std::chrono::seconds(1'700'000'000)};
    std::int64_t packets = 0;
    for (auto _ : state) {
        now += std::chrono::microseconds(10);
        const Packet packet = next();
        tracker.on_inbound(packet, now);
        ++packets;
        if (is_answered) {
            tracker.on_outbound(reset(packet), now);
            ++packets;
        }
    }
    state.SetItemsProcessed(packets);
    state.counters["time/packet"] = benchmark::Counter(
        static_cast<double>(packets), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_one_source(benchmark::State& state) {
    std::uint16_t port = 0;
    track(state, state.range(0) != 0, [&] { return syn(0xc0000201, 40000, ++port); });
}
BENCHMARK(BM_one_source)->Arg(0)->Arg(1);

void BM_forged_sources(benchmark::State& state) {
    std::mt19937 random(1);
    const bool is_one_port = state.range(0) != 0;
    track(state, false, [&] {
        return syn(static_cast<std::uint32_t>(random()), static_cast<std::uint16_t>(random()),
                   is_one_port ? std::uint16_t{80} : static_cast<std::uint16_t>(random()));
    });
}
BENCHMARK(BM_forged_sources)->Arg(0)->Arg(1)->Iterations(1'000'000);

}  // namespace

BENCHMARK_MAIN();
