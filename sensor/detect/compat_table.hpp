// CompatTable: the table of counters of iplog 2.2.3, with its small size and its collisions.
//
// Specification section 5.1. A bucket has four pairs, and the first octets of both addresses select
// the bucket. A full bucket evicts the pair that was quiet for the longest time. Time is in whole
// seconds. Storage for CompatTracker; ScanTracker uses SourceTable. Single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "sensor/detect/detectors.hpp"
#include "sensor/track/port_list.hpp"

namespace portcullis::sensor_detect {

struct CompatCounter {
    std::uint16_t packets = 0;  // wraps, as iplog's does
    std::uint64_t bytes = 0;
    std::int64_t expires_at = 0;
    bool is_reported = false;
    DestinationPorts destination_ports;
    SourcePorts source_ports;
};

struct CompatPair {
    base::IpAddress source;  // of a smurf attack: the network
    base::IpAddress destination;
    std::int64_t last_seen = 0;
    // Row i is that of ScanKind(i).
    std::array<std::optional<CompatCounter>, kScanKindCount> counters;
};

// Receives each counter that is dropped, because it expired or to make room.
class CompatSink {
  public:
    virtual ~CompatSink() = default;
    virtual void on_dropped(const CompatPair& pair, ScanKind kind,
                            const CompatCounter& counter) = 0;
};

class CompatTable {
  public:
    // `bucket_count`: 128, or 256 in promiscuous mode. `sink` must outlive the table.
    CompatTable(std::size_t bucket_count, CompatSink& sink) : buckets_(bucket_count), sink_(sink) {}

    // The counter of a pair, created if there is none; valid until the next call. `is_new_pair` is
    // set if the pair is new: iplog does not compare it with its threshold yet.
    CompatCounter& obtain(const base::IpAddress& source, const base::IpAddress& destination,
                          ScanKind kind, std::int64_t now, bool& is_new_pair);
    // Drops the counters that have expired, in iplog's order.
    void sweep(std::int64_t now);
    // Drops all counters without a call to the sink.
    void clear();
    bool is_empty() const { return size_ == 0; }
    // Number of pairs that were evicted.
    std::uint64_t evictions() const { return evictions_; }

  private:
    static constexpr std::size_t kPairsPerBucket = 4;
    using Bucket = std::vector<CompatPair>;  // oldest first

    void drop(const CompatPair& pair);

    std::vector<Bucket> buckets_;
    CompatSink& sink_;
    std::size_t size_ = 0;
    std::uint64_t evictions_ = 0;
};

}  // namespace portcullis::sensor_detect
