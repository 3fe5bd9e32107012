// Probe classes: the class of an inbound packet, and the kinds for which it counts.
//
// Constant tables, thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "sensor/detect/detectors.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/track/probe.hpp"

namespace portcullis::sensor_detect {

// Longest TCP header that has no option except MSS, in bytes. No current operating system sends
// such a SYN.
inline constexpr std::uint8_t kLongestBareHeader = 24;

// When a probe of a class counts.
enum class CountedOn : std::uint8_t {
    Arrival,           // when it arrives, if it counts at all
    RefusalOrSilence,  // when its port turns out to be closed or unanswered
    Refusal,           // when our host refuses it
};

// The class of a segment. A segment with data or timestamps belongs to a connection, whatever our
// answer is: no scanner sends them with ACK, but a connection that this host has forgotten does.
// ECE and CWR are ignored. docs/tcp-flags.md has a row for each set of flags. REQUIRES:
// packet.transport == Tcp.
ProbeClass classify_tcp(const sensor_packet::Packet& packet);

// True if more than one of SYN, FIN and RST is set: no stack sends that (RFC 9293 section 3.10.7).
bool has_contradictory_flags(const sensor_packet::Packet& packet);

// The class of a segment without a connection of which only our RST was captured.
ProbeClass classify_refused(std::uint16_t source_port, std::uint16_t destination_port);

// Datagram, or DatagramReply.
ProbeClass classify_datagram(std::uint16_t source_port, std::uint16_t destination_port);

CountedOn counted_on(ProbeClass probe);

// The class as which a probe counts for sweeps over hosts; None = it does not count.
ProbeClass next_host_of(ProbeClass probe);
constexpr bool is_next_host(ProbeClass probe) {
    return probe == ProbeClass::NextHost || probe == ProbeClass::NextDatagramHost ||
           probe == ProbeClass::NextEchoHost;
}

// The kinds for which probes of that class count, in order: the first one that is already detected
// takes the packet.
std::span<const ScanKind> kinds_of(ProbeClass probe);

// True if the probe counts for a scan of TCP ports.
inline bool is_tcp_scan_probe(ProbeClass probe) {
    const auto kinds = kinds_of(probe);
    return !kinds.empty() && is_tcp_port_scan(kinds.front());
}

}  // namespace portcullis::sensor_detect
