// SingleProbeTable: pairs (source, target) that sent one probe so far, in 32 bytes each.
//
// Most forged sources of a flood send one packet. So a pair gets the memory for counters
// (SourceTable) only when it sends a different probe. The table is a ring in order of arrival: at
// capacity the oldest pair is forgotten and counted as evicted. The ring has an index of buckets,
// each a cache line of marks, so that a lookup of a new pair reads no entry of the ring. A pair is
// known by its keyed hash alone. Single-threaded; no allocation after the constructor. The kernel
// provides memory only for the part of the table that has been used.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "sensor/track/keys.hpp"
#include "sensor/track/probe.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

struct SingleProbe {
    PairKey pair;
    Second expires_at;                  // seconds since 1970
    Second seen;                        // first arrival, in seconds since 1970 …
    std::uint16_t seen_millis;          // … and the milliseconds within that second
    std::uint16_t source_port_or_host;  // Probe::host if its class counts hosts
    std::uint16_t destination_port;
    std::uint16_t bytes;      // of IP payload
    std::uint8_t packets;     // the probe and its repetitions
    ProbeClass probe;         // None = removed
    bool is_counted;          // the port was closed or did not answer
    std::uint32_t interface;  // on which it arrived; 0 = not known
};
static_assert(sizeof(SingleProbe) == 32);

class SingleProbeTable {
  public:
    // Position in the ring where an entry may be: a hint that makes find() faster.
    using Place = std::uint32_t;

    explicit SingleProbeTable(std::size_t capacity);

    // Prefetches the bucket that find() reads. With many forged sources each read is a cache miss.
    void prefetch_pair(PairKey pair) const {
        __builtin_prefetch(&buckets_[pair & (buckets_.size() - 1)], 1);
    }

    void prefetch_place(Place place) const { __builtin_prefetch(&ring_[place & mask_], 1); }

    // The entry of a pair; nullptr = none, or it has expired at `second`. Valid until the next
    // add().
    SingleProbe* find(PairKey pair, Second second);
    // The same, but looks at `place` first.
    SingleProbe* find(PairKey pair, Second second, Place place);
    // REQUIRES: the pair has no entry. The result is valid until the next add().
    SingleProbe& add(const SingleProbe& single);
    void remove(SingleProbe& single);
    Place place_of(const SingleProbe& single) const {
        return static_cast<Place>(&single - ring_.get());
    }

    // Forgets entries from the oldest up to the first that has not expired at `second`.
    void expire(Second second);
    void clear();

    std::size_t size() const { return size_; }
    std::uint64_t evictions() const { return evictions_; }

  private:
    // A mark: 0 = free, else the position + 1 in the low bits and bits of the hash above. The used
    // marks of a bucket are at its beginning, without gaps.
    static constexpr std::size_t kWays = 16;
    struct alignas(64) Bucket {
        std::array<std::uint32_t, kWays> marks{};
    };

    SingleProbe& at(std::uint64_t position) { return ring_[position & mask_]; }
    Bucket& bucket_of(PairKey pair) { return buckets_[pair & (buckets_.size() - 1)]; }
    std::uint32_t tag_of(PairKey pair) const {
        return static_cast<std::uint32_t>(pair >> 32) & ~position_bits_;
    }
    // A free mark of the bucket. A full bucket gives up its oldest entry.
    std::uint32_t& make_room(Bucket& bucket);
    void pop_oldest();

    std::size_t capacity_;
    std::uint64_t mask_;
    std::uint32_t position_bits_;
    std::unique_ptr<SingleProbe[]> ring_;
    ZeroedArray<Bucket> buckets_;
    std::uint64_t head_ = 0;  // next position to write
    std::uint64_t tail_ = 0;  // oldest position
    std::size_t size_ = 0;
    std::uint64_t evictions_ = 0;
};

}  // namespace portcullis::sensor_track
