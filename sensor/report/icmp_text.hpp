// The parts of ICMP lines other than hosts: the packet that an error complains about, the path of a
// router advertisement, a time of day. Specification section 4. Pure functions, thread-safe.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/packet/icmp_message.hpp"

namespace portcullis::sensor_report {

// The message of an IcmpMessage observation. Types and codes of ICMPv6 are mapped to those of ICMP
// with the same meaning. nullopt = no line: the message is incomplete, or neighbour or multicast
// discovery, which every IPv6 host sends all the time.
std::optional<sensor_packet::IcmpMessage> message_of(const sensor_detect::Observation& observation,
                                                     sensor_packet::EmbeddedPayload payload);

// "udp: dest port 2, source port 1", "ICMP: ICMP_ECHO"
std::string complaint_text(const sensor_packet::Complaint& complaint);

// "10.0.0.1 -> 10.0.0.2 (lifetime 30 min, 0 sec)"
std::string routers_text(const sensor_packet::IcmpMessage& message);

// A stamp of milliseconds since midnight UT, on the day of `now`, as local "HH:MM:SS".
std::string time_of_day(std::uint32_t milliseconds, base::Timestamp now);

// The same as iplog 2.2.3 has it: on 1 January 1970.
std::string iplog_time_of_day(std::uint32_t milliseconds);

}  // namespace portcullis::sensor_report
