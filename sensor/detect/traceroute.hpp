// TracerouteRun: is this datagram one of a traceroute?
//
// A traceroute reaches us with TTL 1 first, then with 2, 3, … until we answered: small, rising, few
// of each. What one run may send is limited, lest a scan with small TTLs hides as one.
#pragma once

#include <cstdint>

namespace portcullis::sensor_detect {

struct TracerouteRun {
    std::uint32_t last_seen = 0;  // seconds since 1970, as all times here
    std::uint32_t started_at = 0;
    std::uint32_t risen_at = 0;
    std::uint32_t last_line = 0;
    std::uint16_t datagrams = 0;
    std::uint8_t ttl = 0;
    std::uint8_t at_this_ttl = 0;

    // Takes in a datagram; false = it is none of this run, and starts none.
    bool follow(std::uint8_t hops, std::uint32_t now);
    // Whether what came so far is a traceroute: its TTL rose, or one TTL was asked three times, as
    // traceroute does. One datagram with TTL 1 is none: protocols of neighbours send it.
    bool has_shape() const { return ttl > 1 || at_this_ttl >= 3; }
    // Whether a line is due: iplog writes one for the same traceroute every 15 s at most.
    bool is_line_due(std::uint32_t now);
};

}  // namespace portcullis::sensor_detect
