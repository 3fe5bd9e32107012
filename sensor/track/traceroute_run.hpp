// TracerouteRun: what is stored of the traceroute of a source. See detect/traceroute_detector.
#pragma once

#include <cstdint>

#include "sensor/track/keys.hpp"

namespace portcullis::sensor_track {

struct TracerouteRun {
    Second last_seen = 0;
    Second started_at = 0;
    Second risen_at = 0;  // when the TTL rose last
    Second last_line = 0;
    std::uint16_t datagrams = 0;
    std::uint8_t ttl = 0;  // the highest
    std::uint8_t at_this_ttl = 0;
};

}  // namespace portcullis::sensor_track
