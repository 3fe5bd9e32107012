// FirstContacts: sources that did one thing so far, in 32 bytes each.
//
// Most of a flood of forged sources is never heard of again, so a source gets the room that
// counting takes (SourceTable) only when it does something else. A ring in order of first contact:
// at capacity the oldest is forgotten, which is counted. Beside it an index of buckets, each a
// cache line of marks, so that finding out that a source is new touches no contact. A pair (source,
// own address) is known by its keyed hash alone. Single-threaded; no allocation after the
// constructor, and memory is only touched as far as it is used.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "sensor/detect/probe_classes.hpp"
#include "sensor/detect/zeroed_array.hpp"

namespace portcullis::sensor_detect {

struct Contact {
    std::uint64_t pair;
    std::uint32_t expires_at;   // seconds since 1970
    std::uint32_t seen;         // when it came first, in seconds since 1970 …
    std::uint16_t seen_millis;  // … and the rest
    std::uint16_t source_port;
    std::uint16_t destination_port;
    std::uint16_t bytes;      // of IP payload
    std::uint8_t packets;     // the same one, repeated
    ProbeClass probe;         // None = removed
    bool is_touched;          // the port was closed or did not answer
    std::uint32_t interface;  // on which it arrived; 0 = not known
};
static_assert(sizeof(Contact) == 32);

class FirstContacts {
  public:
    // A place where a contact may be, to find it faster.
    using Place = std::uint32_t;

    explicit FirstContacts(std::size_t capacity);

    // Fetches what find() will look at: a flood of forged sources makes each a cache miss.
    void prefetch_pair(std::uint64_t pair) const {
        __builtin_prefetch(&buckets_[pair & (buckets_.size() - 1)], 1);
    }

    void prefetch_place(Place place) const { __builtin_prefetch(&ring_[place & mask_], 1); }

    // nullptr = none, or it is over at `second`. Valid until the next add().
    Contact* find(std::uint64_t pair, std::uint32_t second);
    // The same, looking at `place` first.
    Contact* find(std::uint64_t pair, std::uint32_t second, Place place);
    // REQUIRES: no contact of this pair is there. Valid until the next add().
    Contact& add(const Contact& contact);
    void remove(Contact& contact);
    Place place_of(const Contact& contact) const {
        return static_cast<Place>(&contact - ring_.get());
    }

    // Forgets what is over at `second`, from the oldest up to the first that is not.
    void expire(std::uint32_t second);
    void clear();

    std::size_t size() const { return size_; }
    std::uint64_t evictions() const { return evictions_; }

  private:
    // A mark: 0 = free, else the position + 1 in the low bits and bits of the hash above. The marks
    // of a bucket stand at its beginning, without gaps.
    static constexpr std::size_t kWays = 16;
    struct alignas(64) Bucket {
        std::array<std::uint32_t, kWays> marks{};
    };

    Contact& at(std::uint64_t position) { return ring_[position & mask_]; }
    Bucket& bucket_of(std::uint64_t pair) { return buckets_[pair & (buckets_.size() - 1)]; }
    std::uint32_t tag_of(std::uint64_t pair) const {
        return static_cast<std::uint32_t>(pair >> 32) & ~position_bits_;
    }
    // Room for a mark; a full bucket gives up its oldest contact.
    std::uint32_t& make_room(Bucket& bucket);
    void pop_oldest();

    std::size_t capacity_;
    std::uint64_t mask_;
    std::uint32_t position_bits_;
    std::unique_ptr<Contact[]> ring_;
    ZeroedArray<Bucket> buckets_;
    std::uint64_t head_ = 0;  // next position to write
    std::uint64_t tail_ = 0;  // oldest position
    std::size_t size_ = 0;
    std::uint64_t evictions_ = 0;
};

}  // namespace portcullis::sensor_detect
