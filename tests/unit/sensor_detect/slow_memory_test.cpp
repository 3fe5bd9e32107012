#include "sensor/detect/slow_memory.hpp"

#include <map>
#include <random>
#include <utility>

#include "tests/support/seed.hpp"

using namespace portcullis::sensor_detect;

namespace {

constexpr std::uint32_t kDay = 86400;
constexpr SlowMemory::Limits kLimits{10, 10, kDay};

// The same, with all the memory in the world.
bool add_naively(std::map<std::uint64_t, std::map<std::uint16_t, std::uint32_t>>& memory,
                 const SlowMemory::Touch& touch) {
    auto& ports = memory[touch.pair];
    ports[touch.port] = touch.second;
    std::erase_if(ports, [&](const auto& port) { return port.second + kDay <= touch.second; });
    if (ports.size() < kLimits.ports) {
        return false;
    }
    ports.clear();
    return true;
}

std::optional<SlowMemory::Finding> add(SlowMemory& memory, const SlowMemory::Touch& touch) {
    return kLimits.are_reached(memory.add(touch, kDay)) ? memory.take(touch.pair, kLimits)
                                                        : std::nullopt;
}

}  // namespace

TEST_CASE("slow_memory: with room enough it finds what a memory without limits finds") {
    const std::uint32_t seed = portcullis::test::first_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> pairs(200);
    for (std::uint64_t& pair : pairs) {
        pair = random();
    }
    SlowMemory memory(262'144);
    std::map<std::uint64_t, std::map<std::uint16_t, std::uint32_t>> naive;
    std::uint32_t second = 1'700'000'000;
    std::size_t findings = 0;
    for (int i = 0; i < 40000; ++i) {
        second += static_cast<std::uint32_t>(random() % 90);
        SlowMemory::Touch touch;
        touch.pair = pairs[random() % pairs.size()];
        touch.port = static_cast<std::uint16_t>(random() % 24);
        touch.second = second;
        const bool is_found = add(memory, touch).has_value();
        CAPTURE(i);
        REQUIRE(is_found == add_naively(naive, touch));
        findings += is_found ? 1 : 0;
    }
    CHECK(findings > 100);
}

TEST_CASE("slow_memory: a loud source stays exact while a flood of others comes by") {
    std::mt19937_64 random(1);
    SlowMemory memory(262'144);
    SlowMemory::Touch loud;
    loud.pair = 42;
    loud.second = 1'700'000'000;
    for (std::uint16_t port = 1; port <= 9; ++port) {
        loud.port = port;
        loud.second += 60;
        REQUIRE_FALSE(add(memory, loud));
        for (int i = 0; i < 20000; ++i) {
            SlowMemory::Touch other;
            other.pair = random();
            other.port = 80;
            other.second = loud.second;
            if (port >= 3) {  // louder than they are
                add(memory, other);
                other.port = 81;
                add(memory, other);
            }
        }
    }
    loud.port = 10;
    const auto finding = add(memory, loud);
    REQUIRE(finding);
    CHECK(finding->ports.size() == 10);
}

TEST_CASE("slow_memory: where there is no room a source is estimated, and never too high") {
    SlowMemory memory(262'144);
    const auto touch = [&](std::uint64_t pair, std::uint16_t port, std::uint32_t second) {
        SlowMemory::Touch made;
        made.pair = pair;
        made.port = port;
        made.second = second;
        return add(memory, made);
    };
    // Eight louder ones in the bucket of source 3 (its low bits).
    for (std::uint64_t i = 1; i <= 8; ++i) {
        for (std::uint16_t port = 1; port <= 5; ++port) {
            touch(3 + (i << 20), port, 1'700'000'000);
        }
    }
    std::uint16_t ports = 0;
    while (ports < 60 &&
           !touch(3, static_cast<std::uint16_t>(1000 + ports), 1'700'000'100U + ports * 60U)) {
        ++ports;
    }
    CHECK(ports + 1 >= kLimits.ports);
    CHECK(ports + 1 <= 2 * kLimits.ports);
}
