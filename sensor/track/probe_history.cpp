#include "sensor/track/probe_history.hpp"

#include <algorithm>

namespace portcullis::sensor_track {

void ProbeHistory::record(const sensor_packet::Packet& packet) {
    ProbeHeader& header = ring_[recorded_++ % kCapacity];
    header.source = packet.source;
    header.destination = packet.destination;
    header.source_port = packet.source_port;
    header.destination_port = packet.destination_port;
    header.sequence = packet.tcp_sequence;
    header.acknowledgement = packet.tcp_acknowledgement;
    header.options = packet.tcp_options;
    header.window = packet.tcp_window;
    header.ip_id = packet.ip_id;
    header.flags = packet.tcp_flags;
    header.ttl = packet.ttl;
    header.dont_fragment = packet.dont_fragment;
}

std::span<const ProbeHeader> ProbeHistory::last(const base::IpAddress& source,
                                                const base::IpAddress& destination) {
    std::size_t count = 0;
    const std::uint64_t kept = std::min<std::uint64_t>(recorded_, kCapacity);
    for (std::uint64_t back = 1; back <= kept && count < kMost; ++back) {
        const ProbeHeader& header = ring_[(recorded_ - back) % kCapacity];
        if (header.source != source || header.destination != destination ||
            (count > 0 && header.flags != found_[0].flags)) {
            continue;
        }
        const bool is_repeated =
            std::any_of(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(count),
                        [&](const ProbeHeader& other) {
                            return other.destination_port == header.destination_port;
                        });
        if (!is_repeated) {
            found_[count++] = header;
        }
    }
    return {found_.data(), count};
}

}  // namespace portcullis::sensor_track
