// Traceroute: does a datagram belong to a traceroute?
//
// The datagrams of a traceroute arrive with TTL 1 first, then with 2, 3, … until we answer: small,
// rising TTLs and a few datagrams of each. The number of datagrams of a run is limited, so that a
// scan with small TTLs cannot hide as a traceroute. Plain functions over a TracerouteRun.
#pragma once

#include <cstdint>

#include "sensor/detect/detectors.hpp"
#include "sensor/track/traceroute_run.hpp"

namespace portcullis::sensor_detect {

// Adds a datagram. Returns false if it neither belongs to this run nor starts one.
bool add_to_traceroute(TracerouteRun& run, std::uint8_t ttl, Second now);

// True if the datagrams so far are a traceroute: the TTL rose, or three datagrams had the same TTL.
// A single datagram with TTL 1 is not one, because protocols of neighbours send it.
inline bool is_traceroute(const TracerouteRun& run) { return run.ttl > 1 || run.at_this_ttl >= 3; }

// Returns true if a line is due, and counts it as written: iplog writes at most one line about the
// same traceroute in 15 s.
bool take_traceroute_line(TracerouteRun& run, Second now);

}  // namespace portcullis::sensor_detect
