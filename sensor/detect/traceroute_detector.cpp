#include "sensor/detect/traceroute_detector.hpp"

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

bool add_to_traceroute(TracerouteRun& run, std::uint8_t ttl, Second now) {
    const bool is_running = run.last_seen != 0 && now <= run.last_seen + kIdle;
    if (ttl > kMaxTtl || (!is_running && ttl != 1)) {
        return false;
    }
    if (!is_running) {
        const Second line = run.last_line;
        run = TracerouteRun{};
        run.last_line = line;
        run.started_at = now;
    } else if (ttl > run.ttl + kMaxStep) {
        return false;
    }
    if (now >= run.started_at + kSpan) {
        run.started_at = now;
        run.datagrams = 0;
    }
    if (ttl > run.ttl || now >= run.risen_at + kTtlSpan) {
        run.risen_at = now;
        run.at_this_ttl = 0;
    }
    if (run.at_this_ttl >= kMaxPerTtl || run.datagrams >= kMaxDatagrams) {
        return false;
    }
    ++run.at_this_ttl;
    ++run.datagrams;
    run.ttl = std::max(run.ttl, ttl);
    run.last_seen = now;
    return true;
}

bool take_traceroute_line(TracerouteRun& run, Second now) {
    if (run.last_line != 0 && now < run.last_line + kLineInterval) {
        return false;
    }
    run.last_line = now;
    return true;
}

}  // namespace portcullis::sensor_detect
