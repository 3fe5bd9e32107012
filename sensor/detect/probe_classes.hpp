// Probe classes: what an inbound TCP packet asks, told by its flags, and for which kinds it counts.
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
    Bogus,  // SYN together with FIN or RST
    Datagram,
};

// REQUIRES: packet.transport == Tcp. ECE and CWR hide nothing: they are not looked at.
ProbeClass classify_tcp(const sensor_packet::Packet& packet);

// In the order in which they are asked; the first that is already detected takes the packet.
std::span<const ScanKind> kinds_of(ProbeClass probe);

}  // namespace portcullis::sensor_detect
