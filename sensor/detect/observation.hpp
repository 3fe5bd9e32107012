// Observation: an event that gets a line in the log, as a plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/clock.hpp"
#include "base/evidence.hpp"
#include "base/ip_address.hpp"
#include "sensor/detect/detectors.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/track/port_list.hpp"

namespace portcullis::sensor_detect {

enum class ObservationType : std::uint8_t {
    ConnectionAttempt,
    BogusFlags,
    Datagram,
    Traceroute,
    EchoRequest,
    EchoReply,
    IcmpMessage,  // any other
    ScanDetected,
    ScanExpired,
    ScannerIdentified,  // after ScanDetected: which tool it looks like
    OverlappingFragments,
    OverlappingFragmentsInserted,  // iplog's other wording: see CompatReassembler
    DuplicateFragments,
    OversizedFragment,
    ShortPacket,  // these two with `verbose`
    BadChecksum,
};

struct Observation {
    ObservationType type = ObservationType::ConnectionAttempt;
    base::Timestamp time;
    base::IpAddress source;
    base::IpAddress destination;
    std::uint16_t source_port = 0;       // attempt, bogus, datagram
    std::uint16_t destination_port = 0;  // the same
    std::uint64_t bytes = 0;    // datagram: data; echo: with the ICMP header; expired: IP payload
    std::uint64_t packets = 0;  // detected and expired: of the kind so far
    ScanKind kind = ScanKind::PortScan;  // detected and expired
    DestinationPorts destination_ports;  // detected
    SourcePorts source_ports;            // detected
    // Detected and expired, of kinds with several sources: all sources, or the least number of
    // them. The view is valid while on_observation() runs. `source` is not set then.
    std::span<const base::IpAddress> sources;
    std::uint32_t source_count = 0;
    // Detected and expired: if `source` is the first address of a network, its prefix length in
    // bits; 0 = a single host.
    std::uint8_t source_prefix = 0;
    // Detected and expired, if several addresses of ours were targets: those for the line;
    // `destination` is one of them. The view is valid while on_observation() runs.
    std::span<const base::IpAddress> destinations;
    bool is_repeated = false;  // detected: the source has continued since the last line about it
    // Detected: the route to the source uses another interface than the one on which its packets
    // arrived.
    bool is_route_asymmetric = false;
    // Detected: all packets that count had partial checksums, which do not occur on a wire.
    bool has_partial_checksums = false;
    // Detected: the grade of evidence for the address of `source`; nullopt = the kind has several
    // sources, or there is no grade (iplog_compat).
    std::optional<base::Evidence> evidence;
    std::string_view tool;  // identified; static text
    // IcmpMessage: the message, for sensor_packet::parse_icmp_message(). The view is valid while
    // on_observation() runs.
    std::span<const std::uint8_t> icmp;
};

// The observation of a packet that has a line of its own; nullopt = `scans_only` suppresses it.
std::optional<Observation> observe_packet(ObservationType type, const sensor_packet::Packet& packet,
                                          std::uint64_t bytes, base::Timestamp now,
                                          bool scans_only);

// Receives the observations, from within the calls of a Tracker, in order of time.
class ObservationSink {
  public:
    virtual ~ObservationSink() = default;
    virtual void on_observation(const Observation& observation) = 0;
};

}  // namespace portcullis::sensor_detect
