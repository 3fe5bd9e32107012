#include "sensor/detect/traceroute.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {
namespace {

constexpr std::uint32_t kLineInterval = 15;
// Idle time after which a run ends, in seconds (traceroute waits 5 s for an answer).
constexpr std::uint32_t kIdle = 10;
// A higher TTL on arrival is that of an ordinary packet that has passed some routers.
constexpr std::uint8_t kMaxTtl = 40;
constexpr std::uint8_t kMaxStep = 3;  // lost or overtaking datagrams
// Most datagrams per TTL within kTtlSpan seconds (traceroute -q 10), and most datagrams of a run
// within kSpan seconds (30 hops of three, and some more).
constexpr std::uint8_t kMaxPerTtl = 10;
constexpr std::uint32_t kTtlSpan = 5;
constexpr std::uint16_t kMaxDatagrams = 100;
constexpr std::uint32_t kSpan = 30;

}  // namespace

bool TracerouteRun::follow(std::uint8_t hops, Second now) {
    const bool is_running = last_seen != 0 && now <= last_seen + kIdle;
    if (hops > kMaxTtl || (!is_running && hops != 1)) {
        return false;
    }
    if (!is_running) {
        const std::uint32_t line = last_line;
        *this = TracerouteRun{};
        last_line = line;
        started_at = now;
    } else if (hops > ttl + kMaxStep) {
        return false;
    }
    if (now >= started_at + kSpan) {
        started_at = now;
        datagrams = 0;
    }
    if (hops > ttl || now >= risen_at + kTtlSpan) {
        risen_at = now;
        at_this_ttl = 0;
    }
    if (at_this_ttl >= kMaxPerTtl || datagrams >= kMaxDatagrams) {
        return false;
    }
    ++at_this_ttl;
    ++datagrams;
    ttl = std::max(ttl, hops);
    last_seen = now;
    return true;
}

bool TracerouteRun::take_line(Second now) {
    if (last_line != 0 && now < last_line + kLineInterval) {
        return false;
    }
    last_line = now;
    return true;
}

}  // namespace portcullis::sensor_detect
