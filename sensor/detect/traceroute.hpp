// TracerouteRun: is this datagram one of a traceroute?
//
// The datagrams of a traceroute arrive with TTL 1 first, then with 2, 3, … until we answer: small,
// rising TTLs and a few datagrams of each. The number of datagrams of a run is limited, so that a
// scan with small TTLs cannot hide as a traceroute.
#pragma once

#include <cstdint>

#include "sensor/detect/keys.hpp"

namespace portcullis::sensor_detect {

struct TracerouteRun {
    Second last_seen = 0;  // seconds since 1970, as all times here
    Second started_at = 0;
    Second risen_at = 0;
    Second last_line = 0;
    std::uint16_t datagrams = 0;
    std::uint8_t ttl = 0;
    std::uint8_t at_this_ttl = 0;

    // Takes a datagram. Returns false if it neither belongs to this run nor starts one.
    bool follow(std::uint8_t hops, Second now);
    // True if the datagrams so far are a traceroute: the TTL rose, or three datagrams had the same
    // TTL. A single datagram with TTL 1 is not one, because protocols of neighbours send it.
    bool has_shape() const { return ttl > 1 || at_this_ttl >= 3; }
    // Returns true if a line is due, and counts it as written: iplog writes at most one line about
    // the same traceroute in 15 s.
    bool take_line(Second now);
};

}  // namespace portcullis::sensor_detect
