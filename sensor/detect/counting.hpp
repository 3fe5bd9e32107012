// Counting: adds a probe to a counter, and decides when a line is due.
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

// Stores the ports of a probe for the log.
void list_ports(Counter& counter, ProbeClass probe, std::uint16_t source_port,
                std::uint16_t destination_port);

// Counts a closed or unanswered port, or whatever else the kind counts as `item`.
void add_item(Counter& counter, CountedItem item, std::uint16_t source_port,
              std::uint16_t destination_port, Second second);

// Adds datagrams to the rate of a UDP scan. Returns the number in the window. A datagram of more
// than 1500 bytes counts as several.
std::uint32_t add_datagrams(Counter& counter, const Probe& probe, std::chrono::milliseconds window);

// True if the counted ports are a scan of the counter's kind.
bool are_ports_enough(const Counter& counter, const DetectorSettings& settings);

// True if `rate` datagrams within the window are a flood. Datagrams to one port or a few ports that
// take them silently are a stream. It may have a hundred times the rate of datagrams to a closed
// port from many source ports, or to many ports.
bool is_rate_enough(const Counter& counter, const DetectorSettings& settings, std::uint32_t rate);

inline void count_unanswered(Counter& counter) {
    if (counter.unanswered < std::numeric_limits<std::uint16_t>::max()) {
        ++counter.unanswered;
    }
}

// Counts a probe of a detected source. Returns true if no line can be due at `second`, as for most
// probes of a scan; false = is_repetition_due() must decide.
inline bool take_between_lines(Counter& counter, Second second) {
    if (second >= counter.quiet_until) {
        return false;
    }
    count_unanswered(counter);
    return true;
}

// A detected source sent one more probe. Returns true if a line about it is due: since the last
// line `repeat` seconds have passed, and the source probed a threshold of ports or proved its
// address. After a block the time is not required.
bool is_repetition_due(Counter& counter, const DetectorSettings& settings, const Probe& probe,
                       CountedItem item, Second second);

// An address that took part was proven, and the next line says so. If the last line did not, the
// next one is not delayed until more ports are probed.
inline void note_proof(Counter& counter, Second second) {
    counter.proven_at = second;
    counter.has_risen |= counter.may_rise;
}

// Our host answered a detected source.
void note_answer(Counter& counter, const DetectorSettings& settings, Second second);

}  // namespace portcullis::sensor_detect
