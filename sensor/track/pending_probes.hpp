// PendingProbes: probes that our host has not answered yet. Unanswered probes and accepted
// connections stay for some seconds longer.
//
// A ring in order of arrival, with a hash index. The index has an array of small entries, so that a
// search, and the removal of the oldest probe, do not load other probes: with many sources each
// load is a cache miss. A probe is pending until take_answered() finds its answer, or pop_oldest()
// takes it as unanswered after kPatience. It stays for kRetention then, so that a late answer can
// take back what was counted. An accepted connection stays as long, so that its end can be
// examined. Bounded: at capacity the oldest probe leaves early, which is counted. Single-threaded;
// no allocation after the constructor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/probe.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

// Time that our own host has for an answer. It needs microseconds, unless it is busy.
inline constexpr std::chrono::milliseconds kPatience{300};
// Time in which a late answer takes back that its probe was counted as unanswered: a resolver that
// asks other servers answers after seconds.
inline constexpr std::chrono::seconds kRetention{10};

class PendingProbes {
  public:
    explicit PendingProbes(std::size_t capacity = 32768);  // a power of two

    // Adds a probe. If an equal one (same pair, ports and transport) is still pending, its number
    // of packets is increased instead.
    // REQUIRES: !is_full(), arrivals never decrease.
    void add(const Probe& probe);
    bool is_full() const { return head_ - due_ == entries_.size(); }

    // Removes and returns the probe that an answer at `now` belongs to; nullopt = none is known.
    // Both versions of ICMP are one transport without ports.
    std::optional<Probe> take_answered(PairKey pair, std::uint16_t source_port,
                                       std::uint16_t destination_port,
                                       sensor_packet::Transport transport, base::Timestamp now);
    // The same for a TCP connection that we accept. It stays until take_ended_connection().
    // `next_sequence`: the sequence number of the source's next segment.
    std::optional<Probe> accept(PairKey pair, std::uint16_t source_port,
                                std::uint16_t destination_port, std::uint32_t next_sequence,
                                base::Timestamp now);
    // Removes the connection that a RST or FIN of the source with `sequence` ends. Returns its
    // probe if the source sent no byte; nullopt = it sent some, or the connection is not known.
    std::optional<Probe> take_ended_connection(PairKey pair, std::uint16_t source_port,
                                               std::uint16_t destination_port,
                                               std::uint32_t sequence, base::Timestamp now);

    // When the oldest pending probe is overdue; nullopt = none is pending.
    std::optional<base::Timestamp> next_deadline();
    // Returns the oldest pending probe, which counts as unanswered from now on. Valid until the
    // next add(). REQUIRES: next_deadline() has a value.
    const Probe& pop_oldest();
    // Prefetches what pop_oldest() needs after `ahead` further calls. Returns that probe, which may
    // have been answered; nullptr = fewer are pending.
    const Probe* prefetch(std::size_t ahead) {
        return head_ - due_ <= ahead ? nullptr : &probes_[place_of(due_ + ahead)];
    }

  private:
    enum class State : std::uint8_t { Free, Pending, Unanswered, Accepted };
    // A link of a hash chain: the place in the ring + 1; kNone = the end.
    using Link = std::uint32_t;
    static constexpr Link kNone = 0;
    // The entry of the index for the probe at the same place.
    struct Entry {
        std::uint64_t key;
        Link next;
        State state;
    };
    static_assert(sizeof(Entry) == 16);

    static std::uint64_t key_of(const Probe& probe);
    Link& bucket_of(std::uint64_t key) { return buckets_[key & (buckets_.size() - 1)]; }
    // The link to the probe with that key, or the end of the chain.
    Link* find_link(std::uint64_t key);
    std::size_t place_of(std::uint64_t position) const { return position & (entries_.size() - 1); }
    void forget_oldest();

    ZeroedArray<Probe> probes_;  // none is read before it was written
    ZeroedArray<Entry> entries_;
    ZeroedArray<std::uint32_t> next_sequences_;  // of accepted connections
    ZeroedArray<Link> buckets_;
    // Positions: of the next to write, of the oldest that may be pending, of the oldest known.
    std::uint64_t head_ = 0;
    std::uint64_t due_ = 0;
    std::uint64_t tail_ = 0;
};

}  // namespace portcullis::sensor_track
