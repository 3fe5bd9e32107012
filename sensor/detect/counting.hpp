// Counting: what a probe adds to a counter, and when that is enough for a line.
//
// Shared by SourceTracker (a counter for each pair of addresses) and MultiTargetDetector (one for
// all targets of a source). Plain functions over Counter; single-threaded.
#pragma once

#include <cstdint>
#include <limits>

#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/source_table.hpp"

namespace portcullis::sensor_detect {

// Keeps the ports of a probe for the log.
void list_ports(Counter& counter, ProbeClass probe, std::uint16_t source_port,
                std::uint16_t destination_port);

// Counts a closed or unanswered port, or whatever else the kind counts as `item`.
void add_item(Counter& counter, CountedItem item, std::uint16_t source_port,
              std::uint16_t destination_port, Second second);

// Adds datagrams to the rate of a UDP scan; returns what the window holds. One of more than 1500
// bytes counts as several.
std::uint32_t add_datagrams(Counter& counter, const Probe& probe, std::chrono::milliseconds window);

// Whether the ports that were counted make a scan of the counter's kind.
bool are_ports_enough(const Counter& counter, const DetectorSettings& settings);

// Whether datagrams come at a rate that is a flood, `rate` of them within the window. One port or
// few that take datagrams silently are a stream, whose rate may be a hundred times that of many to
// a closed port from many source ports, or to many ports.
bool is_rate_enough(const Counter& counter, const DetectorSettings& settings, std::uint32_t rate);

inline void count_unanswered(Counter& counter) {
    if (counter.unanswered < std::numeric_limits<std::uint16_t>::max()) {
        ++counter.unanswered;
    }
}

// Takes a probe of a detected source if it cannot make a line due at `second`, as is so for most
// probes of a scan. False = is_repetition_due() must decide.
inline bool take_between_lines(Counter& counter, Second second) {
    if (second >= counter.quiet_until) {
        return false;
    }
    count_unanswered(counter);
    return true;
}

// A detected source sent one more probe. True = a line about it is due: a threshold of ports since
// the last one, or a proof of its address, and `repeat` seconds, or none of these if the host
// answers again after a block.
bool is_repetition_due(Counter& counter, const DetectorSettings& settings, const Probe& probe,
                       CountedItem item, Second second);

// An address that took part is proven: the next line says so. It need not wait for ports if the
// last one did not.
inline void note_proof(Counter& counter, Second second) {
    counter.proven_at = second;
    counter.has_risen |= counter.may_rise;
}

// Our host answered a detected source.
void note_answer(Counter& counter, const DetectorSettings& settings, Second second);

}  // namespace portcullis::sensor_detect
