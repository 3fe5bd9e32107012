#include "sensor/detect/traceroute.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {
namespace {

constexpr std::uint32_t kLineInterval = 15;
// A run that was quiet for so long is over (traceroute waits 5 s for an answer).
constexpr std::uint32_t kIdle = 10;
// Higher hop counts are what ordinary systems send with, less the way to us.
constexpr std::uint8_t kMaxTtl = 40;
constexpr std::uint8_t kMaxStep = 3;  // lost or overtaking datagrams
// So many per TTL within 5 s (traceroute -q 10), so many per 30 s (30 hops of three, and some).
constexpr std::uint8_t kMaxPerTtl = 10;
constexpr std::uint32_t kTtlSpan = 5;
constexpr std::uint16_t kMaxDatagrams = 100;
constexpr std::uint32_t kSpan = 30;

}  // namespace

bool TracerouteRun::follow(std::uint8_t hops, std::uint32_t now) {
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

bool TracerouteRun::is_line_due(std::uint32_t now) {
    if (last_line != 0 && now < last_line + kLineInterval) {
        return false;
    }
    last_line = now;
    return true;
}

}  // namespace portcullis::sensor_detect
