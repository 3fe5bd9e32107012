// Line: the message of one line of iplog's log, for writing and for reading.
//
// docs/iplog-line-format.md is the grammar; spec: iplog 2.2.3. A Line holds views: of the texts it
// was made from, or of the text that was parsed. Plain functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sensor/detect/observation.hpp"

namespace portcullis::sensor_report {

struct Line {
    sensor_detect::ObservationType type = sensor_detect::ObservationType::ConnectionAttempt;
    // HOST: an address, a name, or "name (address)"; HOSTS where a kind has several sources.
    std::string_view source;
    // The same. Empty = `log_dest` is off, and the line has no destination. If a scan has several:
    // "ADDRESS,ADDRESS,…", with ",..." behind the last if there may be more.
    std::string_view destination;
    // "ssh" or "port 22": attempt and datagram.
    std::string_view service;
    std::string_view user;  // attempt: the user that the peer's identd named; empty = none
    // ICMP: a second HOST: whose port is unreachable, if not the sender's; the gateway of a
    // redirect.
    std::string_view subject;
    // ICMP: the text at the end: "udp: dest port 2, source port 1", the pointer, the mask, …
    std::string_view detail;
    std::uint8_t icmp_type = 0;  // ICMP; of ICMPv6 the types and codes that say the same
    std::uint8_t icmp_code = 0;
    // Uses iplog 2.2.3's words where they are wrong or odd.
    bool has_iplog_words = false;
    std::uint16_t source_port = 0;                                     // attempt, bogus, datagram
    std::uint16_t destination_port = 0;                                // bogus
    std::uint64_t bytes = 0;                                           // datagram, echo, expired
    std::uint64_t packets = 0;                                         // expired
    sensor_detect::ScanKind kind = sensor_detect::ScanKind::PortScan;  // detected, expired
    sensor_detect::DestinationPorts destination_ports;                 // detected
    sensor_detect::SourcePorts source_ports;                           // detected
    std::string_view tool;                                             // identified
    // Detected, as notes at the end.
    bool is_repeated = false;
    std::optional<base::Evidence> evidence;
    bool is_route_asymmetric = false;
    bool has_partial_checksums = false;

    friend bool operator==(const Line&, const Line&) = default;
};

// Appends the message to `out`; no time before it, no newline behind.
void format_line(const Line& line, std::string& out);

// Reads what format_line() writes, and nothing else. The views point into `message`.
std::optional<Line> parse_line(std::string_view message);

}  // namespace portcullis::sensor_report
