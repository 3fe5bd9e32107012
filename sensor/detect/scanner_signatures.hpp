// Scanner signatures: which tool made the probes of a scan, told by the headers it writes.
//
// A table; one row per tool and way of scanning, each with a capture of that tool under
// tests/golden/sensor/scanners/. Asked once per detection, after its line is written. Whoever
// builds packets by hand can imitate every row: the answer is a hint for people, never a reason to
// block. Constant data, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sensor/detect/probe_history.hpp"

namespace portcullis::sensor_detect {

enum class OptionShape : std::uint8_t {
    None,
    SegmentSizeOnly,  // MSS and nothing else
    OfAStack,         // MSS, SACK permitted, window scale: an operating system's own SYN
    Any,
};

// What a header field does from probe to probe.
enum class Pattern : std::uint8_t {
    Any,
    Zero,
    Same,
    Changing,      // never twice the same
    Ascending,     // source port: one more with each port asked, some probes lost
    PortsXorKey,   // sequence: destination port << 16 + source port, xor a constant (unicornscan)
    Is54321,       // IP id (zmap)
    HashOfTarget,  // IP id: destination address xor port xor sequence (masscan)
};

struct ScannerSignature {
    std::string_view name;  // what the log says
    std::uint8_t flags;     // of each probe, without ECE and CWR
    std::int32_t window;    // -1 = any
    OptionShape options;
    std::uint8_t lowest_ttl;  // on arrival: what it was sent with, less the way
    std::uint8_t highest_ttl;
    Pattern source_port;
    Pattern sequence;
    Pattern ip_id;             // IPv4 only: not looked at for IPv6
    std::string_view capture;  // its sample, without ".pcap"
};

std::span<const ScannerSignature> scanner_signatures();

// The first row that all `probes` (of one source and one destination, newest first) fit; nullptr =
// none does, or there are too few to tell.
const ScannerSignature* find_scanner(std::span<const ProbeHeader> probes);

}  // namespace portcullis::sensor_detect
