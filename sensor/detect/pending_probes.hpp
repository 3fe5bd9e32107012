// PendingProbes: probes that our host has not answered yet, and for some seconds those that it
// answered late or did not answer.
//
// A ring in order of arrival with a hash index over it. The index has its own array of small
// entries, so that the search for one probe, and forgetting the oldest, does not load the probes
// passed on the way: with many sources each of them is a cache miss. A probe is pending until
// take_answered() finds its answer or pop_oldest() takes it for unanswered after kPatience. A
// popped probe stays known for kRetention, so that a late answer can take back what its silence was
// counted for; a connection that was accepted stays known as long, so that its end can be judged.
// Bounded: at capacity the oldest leaves early, which is counted. Single-threaded, no allocation
// after the constructor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "sensor/detect/keys.hpp"
#include "sensor/detect/probe_classes.hpp"
#include "sensor/detect/zeroed_array.hpp"

namespace portcullis::sensor_detect {

// How long our own host has for an answer. It needs microseconds; the rest is for a busy one.
inline constexpr std::chrono::milliseconds kPatience{300};
// Time in which an answer still takes back that its probe was counted as unanswered: a resolver
// that asks others answers after seconds.
inline constexpr std::chrono::seconds kRetention{10};

// What the answer of our host says about a probed port.
enum class PortState : std::uint8_t {
    Open,
    Closed,      // refused by a RST, an SCTP ABORT or an ICMP unreachable
    Unanswered,  // no answer within kPatience
};

struct Probe {
    base::Timestamp arrival;
    PairKey pair = 0;  // keyed hash of source and destination
    base::IpAddress source;
    base::IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t packets = 1;  // this one and its repetitions while it is pending
    std::uint16_t bytes = 0;    // IP payload of the first of them
    ProbeClass probe = ProbeClass::None;
    bool is_wrong : 1 = false;       // its checksum is wrong: silence says nothing about the port
    bool is_partial : 1 = false;     // its checksum is partial: the sender left the rest to a card
    bool is_bare : 1 = false;        // a SYN with fewer options than any operating system sends
    bool was_counted : 1 = false;    // it was counted as unanswered before the answer came
    std::uint32_t single_place = 0;  // SingleProbeTable::Place, if its source still has one
    std::uint32_t interface = 0;     // of arrival, the kernel's index; 0 = not known
    std::uint16_t host = 0;          // if its class counts hosts: 16 bits of their keyed hash
};
static_assert(sizeof(Probe) == 72);

class PendingProbes {
  public:
    explicit PendingProbes(std::size_t capacity = 32768);  // a power of two

    // Adds a probe. If an equal one (same pair, ports and transport) is still pending, its number
    // of packets is increased instead.
    // REQUIRES: !is_full(), arrivals never decrease.
    void add(const Probe& probe);
    bool is_full() const { return head_ - due_ == entries_.size(); }

    // Takes out the probe that an answer at `now` belongs to; nullopt = none is known. Both
    // versions of ICMP are one transport without ports.
    std::optional<Probe> take_answered(PairKey pair, std::uint16_t source_port,
                                       std::uint16_t destination_port,
                                       sensor_packet::Transport transport, base::Timestamp now);
    // The same for a TCP connection that we accept. It stays known until take_ended_connection().
    // `next_sequence`: what the source's next segment begins with.
    std::optional<Probe> accept(PairKey pair, std::uint16_t source_port,
                                std::uint16_t destination_port, std::uint32_t next_sequence,
                                base::Timestamp now);
    // The connection that a RST or FIN of the source with `sequence` ends without that it sent a
    // byte; nullopt = it sent some, or is not known.
    std::optional<Probe> take_ended_connection(PairKey pair, std::uint16_t source_port,
                                               std::uint16_t destination_port,
                                               std::uint32_t sequence, base::Timestamp now);

    // When the oldest pending probe becomes overdue; nullopt = none is pending.
    std::optional<base::Timestamp> next_deadline();
    // The oldest pending probe, which counts as unanswered from now on. Valid until the next add().
    // REQUIRES: next_deadline() has a value.
    const Probe& pop_oldest();
    // Fetches what pop_oldest() will need in `ahead` calls; returns that probe, nullptr = there are
    // not so many. It may have been settled.
    const Probe* prefetch(std::size_t ahead) {
        return head_ - due_ <= ahead ? nullptr : &probes_[place_of(due_ + ahead)];
    }

  private:
    enum class State : std::uint8_t { Free, Pending, Unanswered, Accepted };
    // A link of a hash chain: the place in the ring + 1; kNone = the end.
    using Link = std::uint32_t;
    static constexpr Link kNone = 0;
    // What the index has of the probe at the same place.
    struct Entry {
        std::uint64_t key;
        Link next;
        State state;
    };
    static_assert(sizeof(Entry) == 16);

    static std::uint64_t key_of(const Probe& probe);
    Link& bucket_of(std::uint64_t key) { return buckets_[key & (buckets_.size() - 1)]; }
    // The link that leads to the probe, or to kNone.
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

}  // namespace portcullis::sensor_detect
