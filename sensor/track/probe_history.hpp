// ProbeHistory: the headers of the latest TCP probes of all sources, to identify the tool that sent
// them.
//
// A ring of fixed size: recording costs a few stores and never allocates. A flood of other sources
// overwrites the earlier probes of a scanner; then its tool remains unknown. Single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_track {

struct ProbeHeader {
    base::IpAddress source;
    base::IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgement = 0;
    std::uint32_t options = 0;  // as Packet::tcp_options
    std::uint16_t window = 0;
    std::uint16_t ip_id = 0;
    std::uint8_t flags = 0;  // all eight
    std::uint8_t ttl = 0;
    bool dont_fragment = false;

    friend bool operator==(const ProbeHeader&, const ProbeHeader&) = default;
};

class ProbeHistory {
  public:
    static constexpr std::size_t kCapacity = 2048;
    static constexpr std::size_t kMost = 8;  // of one scan

    ProbeHistory() : ring_(kCapacity) {}

    // REQUIRES: packet.transport == Tcp.
    void record(const sensor_packet::Packet& packet);

    // The last probes between two hosts that have the flags of the latest of them, newest first. A
    // repeated probe appears once. Valid until the next call.
    std::span<const ProbeHeader> last(const base::IpAddress& source,
                                      const base::IpAddress& destination);

  private:
    std::vector<ProbeHeader> ring_;
    std::uint64_t recorded_ = 0;
    std::array<ProbeHeader, kMost> found_;
};

}  // namespace portcullis::sensor_track
