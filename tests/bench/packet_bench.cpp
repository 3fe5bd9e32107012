// Nanoseconds per frame: reading it, and putting fragments together.
#include <benchmark/benchmark.h>

#include "sensor/packet/reassembler.hpp"
#include "tests/support/fragments.hpp"

using namespace portcullis;
using namespace portcullis::sensor_packet;

namespace {

void parse(benchmark::State& state, const test::Frame& frame) {
    for (auto _ : state) {
        PacketView view;
        benchmark::DoNotOptimize(parse_frame(LinkType::Ethernet, frame, view));
    }
}

test::Frame chain_of(int headers) {
    test::Frame chain = test::tcp(1000, 80, kSyn);
    for (int i = 0; i < headers; ++i) {
        test::Frame header{static_cast<std::uint8_t>(i == 0 ? 6 : 60), 0, 0, 0, 0, 0, 0, 0};
        test::append(header, chain);
        chain = header;
    }
    return test::ipv6("fd00::1", "fd00::2", headers == 0 ? 6 : 60, chain);
}

test::Frame tagged(test::Frame frame) {
    const test::Frame tag{0x81, 0, 0, 7};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    return frame;
}

void tcp4(benchmark::State& state) {
    parse(state, test::ipv4("10.0.0.1", "10.0.0.2", 6, test::tcp(1000, 80, kSyn)));
}
void tcp4_options(benchmark::State& state) {
    test::Frame header = test::tcp(1000, 80, kSyn, 20);
    const test::Frame options{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7};
    std::copy(options.begin(), options.end(), header.begin() + 20);
    parse(state, test::ipv4("10.0.0.1", "10.0.0.2", 6, header));
}
void tcp4_vlan(benchmark::State& state) {
    parse(state, tagged(test::ipv4("10.0.0.1", "10.0.0.2", 6, test::tcp(1000, 80, kSyn))));
}
void udp4(benchmark::State& state) {
    test::Frame frame = test::ipv4("10.0.0.1", "10.0.0.2", 17, test::udp(1000, 53, 40));
    test::seal_segment(frame);
    parse(state, frame);
}
void tcp6(benchmark::State& state) { parse(state, chain_of(0)); }
void tcp6_chain_of_four(benchmark::State& state) { parse(state, chain_of(4)); }

// Per piece, three to a datagram, each datagram of another identification.
void reassemble(benchmark::State& state) {
    Reassembler reassembler;
    test::FragmentSender sender(reassembler, test::tcp(1000, 80, kSyn));
    std::uint32_t piece = 0;
    for (auto _ : state) {
        sender.fragment().identification = piece / 3 % 65536;
        const std::uint32_t begin = piece % 3 * 8;
        benchmark::DoNotOptimize(
            sender.send(begin, begin + (begin == 16 ? 4 : 8), begin != 16, piece * 1e-6));
        ++piece;
    }
}

BENCHMARK(tcp4);
BENCHMARK(tcp4_options);
BENCHMARK(tcp4_vlan);
BENCHMARK(udp4);
BENCHMARK(tcp6);
BENCHMARK(tcp6_chain_of_four);
BENCHMARK(reassemble);

}  // namespace

BENCHMARK_MAIN();
