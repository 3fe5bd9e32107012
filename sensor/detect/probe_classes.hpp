// Probe classes: what an inbound packet asks, and for which kinds it counts.
//
// Constant tables, thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "sensor/detect/detectors.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_detect {

enum class ProbeClass : std::uint8_t {
    None,     // part of an ordinary connection
    Connect,  // a SYN as connect() makes it
    RawSyn,   // a SYN made by hand
    Null,
    Fin,
    Xmas,
    Bogus,  // flags that contradict each other
    // Also parts of ordinary connections: only our RST tells that there is none.
    Ack,
    FinAck,
    SynAck,
    SynAckReply,  // from a service's port to a high one: an answer, if to nothing we asked
    Datagram,
    Hop,  // a datagram with TTL 1: of a traceroute, perhaps
    EchoRequest,
    // A probe, seen as one more host that its source asked.
    NextHost,
    NextDatagramHost,
    NextEchoHost,
};

// When packets of a class count.
enum class Evidence : std::uint8_t {
    None,     // they are no question to a port
    Silence,  // a closed port is one that refuses or does not answer
    Refusal,  // a RST of ours alone
};

// REQUIRES: packet.transport == Tcp. ECE and CWR hide nothing: they are not looked at.
ProbeClass classify_tcp(const sensor_packet::Packet& packet);

// A segment of no connection, of which our RST is all that was seen.
ProbeClass classify_refused(std::uint16_t source_port, std::uint16_t destination_port);

Evidence evidence_of(ProbeClass probe);

// What carries probes of that class; Icmp stands for both versions.
sensor_packet::Transport transport_of(ProbeClass probe);

// That class of SYNs, datagrams and echo requests; None = probes of this class seek no hosts.
ProbeClass next_host_of(ProbeClass probe);
bool is_next_host(ProbeClass probe);

// In the order in which they are asked; the first that is already detected takes the packet.
std::span<const ScanKind> kinds_of(ProbeClass probe);

}  // namespace portcullis::sensor_detect
