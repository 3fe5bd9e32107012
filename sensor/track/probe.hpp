// Probe: a packet that asks a port or host of ours for an answer, as the tables store it.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/track/keys.hpp"

namespace portcullis::sensor_track {

// What a packet asks. detect/probe_classes.cpp says for which kinds it counts.
enum class ProbeClass : std::uint8_t {
    None,     // part of an ordinary connection
    Connect,  // a SYN as connect() makes it
    RawSyn,   // a SYN made by hand
    Null,
    Fin,
    Xmas,
    SynFin,
    Bogus,  // flags that contradict each other, for the line about them
    // These are also parts of ordinary connections. Only our refusal shows that there is none.
    Ack,
    FinAck,
    SynAck,
    Datagram,
    DatagramReply,  // from a service's port to a high one: an answer, if to nothing we asked
    Hop,            // a datagram with TTL 1: of a traceroute, perhaps
    EchoRequest,
    SctpInit,  // INIT or COOKIE ECHO
    // A probe that counts as one more host which its source probed.
    NextHost,
    NextDatagramHost,
    NextEchoHost,
    OpenPort,  // a connection to an open port that ended without a byte from the source
    Protocol,  // a packet of another IP protocol
};

// The transport of probes of that class. Icmp means both versions.
constexpr sensor_packet::Transport transport_of(ProbeClass probe) {
    switch (probe) {
        case ProbeClass::Datagram:
        case ProbeClass::DatagramReply:
        case ProbeClass::Hop:
        case ProbeClass::NextDatagramHost:
            return sensor_packet::Transport::Udp;
        case ProbeClass::EchoRequest:
        case ProbeClass::NextEchoHost:
            return sensor_packet::Transport::Icmp;
        case ProbeClass::SctpInit:
            return sensor_packet::Transport::Sctp;
        default:
            return sensor_packet::Transport::Tcp;
    }
}

// What the answer of our host says about a probed port.
enum class PortState : std::uint8_t {
    Open,
    Closed,      // refused by a RST, an SCTP ABORT or an ICMP unreachable
    Unanswered,  // no answer within kPatience
};

struct Probe {
    base::Timestamp arrival;
    PairKey pair = 0;  // keyed hash of source and destination
    base::IpAddress source;
    base::IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t packets = 1;  // this one and its repetitions while it is pending
    std::uint16_t bytes = 0;    // IP payload of the first of them
    ProbeClass probe = ProbeClass::None;
    bool is_wrong : 1 = false;       // its checksum is wrong: silence says nothing about the port
    bool is_partial : 1 = false;     // its checksum is partial: the sender left the rest to a card
    bool is_bare : 1 = false;        // a SYN with fewer options than any operating system sends
    bool was_counted : 1 = false;    // it was counted as unanswered before the answer came
    std::uint32_t single_place = 0;  // SingleProbeTable::Place, if its source still has one
    std::uint32_t interface = 0;     // of arrival, the kernel's index; 0 = not known
    std::uint16_t host = 0;          // if its class counts hosts: 16 bits of their keyed hash
};
static_assert(sizeof(Probe) == 72);

}  // namespace portcullis::sensor_track
