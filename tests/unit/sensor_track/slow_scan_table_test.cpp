#include "sensor/track/slow_scan_table.hpp"

#include <map>
#include <random>
#include <utility>

#include "tests/support/seed.hpp"

using namespace portcullis::sensor_track;

namespace {

constexpr std::uint32_t kDay = 86400;
constexpr SlowScanTable::Limits kLimits{10, 10, kDay};

// A reference without limits of table.
bool add_naively(std::map<std::uint64_t, std::map<std::uint16_t, std::uint32_t>>& table,
                 const SlowScanTable::PortProbe& probe) {
    auto& ports = table[probe.pair];
    ports[probe.port] = probe.second;
    std::erase_if(ports, [&](const auto& port) { return port.second + kDay <= probe.second; });
    if (ports.size() < kLimits.ports) {
        return false;
    }
    ports.clear();
    return true;
}

std::optional<SlowScanTable::ProbedPorts> add(SlowScanTable& table,
                                              const SlowScanTable::PortProbe& probe) {
    return kLimits.are_reached(table.add(probe, kDay)) ? table.take(probe.pair, kLimits)
                                                       : std::nullopt;
}

}  // namespace

TEST_CASE("slow_scan_table: with enough room it detects what an unbounded table detects") {
    const std::uint32_t seed = portcullis::test::first_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> pairs(200);
    for (std::uint64_t& pair : pairs) {
        pair = random();
    }
    SlowScanTable table(262'144);
    std::map<std::uint64_t, std::map<std::uint16_t, std::uint32_t>> naive;
    std::uint32_t second = 1'700'000'000;
    std::size_t detections = 0;
    for (int i = 0; i < 40000; ++i) {
        second += static_cast<std::uint32_t>(random() % 90);
        SlowScanTable::PortProbe probe;
        probe.pair = pairs[random() % pairs.size()];
        probe.port = static_cast<std::uint16_t>(random() % 24);
        probe.second = second;
        const bool is_found = add(table, probe).has_value();
        CAPTURE(i);
        REQUIRE(is_found == add_naively(naive, probe));
        detections += is_found ? 1 : 0;
    }
    CHECK(detections > 100);
}

TEST_CASE("slow_scan_table: a source with many ports stays exact during a flood of others") {
    std::mt19937_64 random(1);
    SlowScanTable table(262'144);
    SlowScanTable::PortProbe exact;
    exact.pair = 42;
    exact.second = 1'700'000'000;
    for (std::uint16_t port = 1; port <= 9; ++port) {
        exact.port = port;
        exact.second += 60;
        REQUIRE_FALSE(add(table, exact));
        for (int i = 0; i < 20000; ++i) {
            SlowScanTable::PortProbe other;
            other.pair = random();
            other.port = 80;
            other.second = exact.second;
            if (port >= 3) {  // more ports than any of them
                add(table, other);
                other.port = 81;
                add(table, other);
            }
        }
    }
    exact.port = 10;
    const auto probed = add(table, exact);
    REQUIRE(probed);
    CHECK(probed->ports.size() == 10);
}

TEST_CASE("slow_scan_table: without room a source is estimated, and never too high") {
    SlowScanTable table(262'144);
    const auto probe = [&](std::uint64_t pair, std::uint16_t port, std::uint32_t second) {
        SlowScanTable::PortProbe made;
        made.pair = pair;
        made.port = port;
        made.second = second;
        return add(table, made);
    };
    // Eight sources with more ports in the bucket of source 3 (its low bits).
    for (std::uint64_t i = 1; i <= 8; ++i) {
        for (std::uint16_t port = 1; port <= 5; ++port) {
            probe(3 + (i << 20), port, 1'700'000'000);
        }
    }
    std::uint16_t ports = 0;
    while (ports < 60 &&
           !probe(3, static_cast<std::uint16_t>(1000 + ports), 1'700'000'100U + ports * 60U)) {
        ++ports;
    }
    CHECK(ports + 1 >= kLimits.ports);
    CHECK(ports + 1 <= 2 * kLimits.ports);
}
