// FlowMemory: flows of packets that we sent lately, to distinguish an answer from a probe.
//
// A set of flow fingerprints with the time of our last packet. A bucket has four; the oldest one of
// a full bucket is replaced. So the set never grows, and an attacker can only evict old flows.
// Single-threaded.
#pragma once

#include <array>
#include <cstdint>

#include "base/ip_address.hpp"
#include "base/keyed_hash.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

struct Flow {
    base::IpAddress ours;
    base::IpAddress theirs;
    std::uint16_t our_port = 0;
    std::uint16_t their_port = 0;
    sensor_packet::Transport transport = sensor_packet::Transport::Udp;
};

class FlowMemory {
  public:
    FlowMemory() : buckets_(kBuckets) {}

    // Stores that we sent a packet of `flow` at `second` (since 1970).
    void remember(const Flow& flow, Second second);
    // True if nothing was ever stored.
    bool is_empty() const { return is_empty_; }
    // True if we sent one within the `max_age` seconds before `second`.
    bool knows(const Flow& flow, Second second, std::uint32_t max_age) const;
    // The second of our last packet of the flow; 0 = none is stored.
    std::uint32_t last(const Flow& flow) const;

  private:
    static constexpr std::size_t kBuckets = 8192;
    struct Entry {
        std::uint64_t fingerprint = 0;
        Second second = 0;  // 0 = free
    };
    using Bucket = std::array<Entry, 4>;

    std::uint64_t fingerprint_of(const Flow& flow) const;

    base::KeyedHash hash_;
    ZeroedArray<Bucket> buckets_;
    bool is_empty_ = true;
};

}  // namespace portcullis::sensor_track
