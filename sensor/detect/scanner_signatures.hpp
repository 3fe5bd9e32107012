// Scanner signatures: identify the tool that sent the probes of a scan by their headers.
//
// A table with one row per tool and way of scanning, each with a capture of that tool in
// tests/golden/sensor/scanners/. It is searched once per detection, after the line of the detection
// is written. Hand-made packets can imitate every row: the result is a hint for people, never a
// reason to block. If two tools write the same headers, a row must not name only one of them.
// Constant data, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sensor/detect/track.hpp"

namespace portcullis::sensor_detect {

enum class WindowMark : std::uint8_t {
    Any,
    Is512,
    Is65535,
    OneToFourKib,  // 1024 or, mixed with it, 2048, 3072 and 4096 (nmap until version 5)
};

enum class OptionMark : std::uint8_t {
    Any,
    None,
    SegmentSizeWithSyn,  // MSS alone in a SYN of any kind, nothing in other segments (nmap)
    OfAStack,            // MSS, SACK permitted, window scale: an operating system's own SYN
    SegmentSizeOrStack,  // MSS alone, or OfAStack
    OfWindows,           // MSS, window scale, SACK permitted, padding, nothing else
};

// IPv6 counts as Set: it has no such bit, and its routers never fragment.
enum class DontFragmentMark : std::uint8_t { Any, Set, Clear };

// On arrival. Common operating systems send with 64, Windows with 128.
enum class TtlMark : std::uint8_t { Any, AtMost64, Above128 };

// The source port from probe to probe.
enum class SourcePortMark : std::uint8_t {
    Any,
    Same,
    Ascending,        // one more with each port probed, some probes lost
    SameOrAscending,  // either of the two
    Changing,         // no two neighbours are equal
    Scattered,        // neighbours are far apart
};

// Sequence and acknowledgement number from probe to probe.
enum class NumberMark : std::uint8_t {
    Any,
    FreshSequence,  // the sequence number changes; nothing is acknowledged
    Tries,          // one number of a scan, xor the number of the try in both halves (nmap)
    Random31,       // 31 random bits each, also where nothing is acknowledged (hping3)
    PortsXorKey,    // sequence: destination port << 16 + source port, xor a constant (unicornscan)
};

// The identification of IPv4. A row with such a mark never fits IPv6.
enum class IpIdMark : std::uint8_t {
    Any,
    Is54321,       // zmap
    Scattered,     // neighbours are far apart: neither a counter nor a constant
    HashOfTarget,  // destination address xor port xor sequence (masscan)
};

struct ScannerSignature {
    std::string_view name;        // as the log line says it
    std::uint8_t flags;           // of each probe
    std::uint8_t flags_compared;  // mask: the bits of `flags` that count
    WindowMark window;
    OptionMark options;
    DontFragmentMark dont_fragment;
    TtlMark ttl;
    SourcePortMark source_port;
    NumberMark numbers;
    IpIdMark ip_id;
    std::string_view capture;  // its sample, without ".pcap"
};

std::span<const ScannerSignature> scanner_signatures();

// Returns the first row that all `probes` fit, or nullptr if none does or there are too few probes.
// REQUIRES: all of one source and one destination, newest first.
const ScannerSignature* find_scanner(std::span<const ProbeHeader> probes);

}  // namespace portcullis::sensor_detect
