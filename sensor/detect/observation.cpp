#include "sensor/detect/observation.hpp"

namespace portcullis::sensor_detect {

std::optional<Observation> observe_packet(ObservationType type, const sensor_packet::Packet& packet,
                                          std::uint64_t bytes, base::Timestamp now,
                                          bool scans_only) {
    if (scans_only && type != ObservationType::Traceroute && type != ObservationType::BogusFlags) {
        return std::nullopt;
    }
    Observation observation;
    observation.type = type;
    observation.time = now;
    observation.source = packet.source;
    observation.destination = packet.destination;
    observation.source_port = packet.source_port;
    observation.destination_port = packet.destination_port;
    observation.bytes = bytes;
    observation.icmp = packet.icmp;
    return observation;
}

}  // namespace portcullis::sensor_detect
