// SourceTable: the state of each pair (source, target) that sent more than one probe.
//
// Storage without policy: SourceTracker and the detectors decide what is counted and what is a
// scan. A pair is identified by its keyed hash, which the user of the table computes. Bounded: at
// `capacity` the pair that was quiet for the longest time is evicted; pairs with a running scan
// (mark_scanning()) are evicted last. Times are whole seconds since 1970, as in iplog.
// Single-threaded; no allocation after the constructor.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "sensor/track/checksums_seen.hpp"
#include "sensor/track/extent.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pool.hpp"
#include "sensor/track/port_list.hpp"
#include "sensor/track/rate_window.hpp"
#include "sensor/track/scan_kind.hpp"
#include "sensor/track/traceroute_run.hpp"

namespace portcullis::sensor_track {

inline constexpr std::uint16_t kNoGroup = 0xffff;

// What a kind counts distinct values of: a port, the number of an IP protocol, or 16 bits of the
// keyed hash of a host or of a port of a target. detectors.cpp says which one.
using CountedItem = std::uint16_t;

// One kind of one pair. It lives until no packet came for the kind's idle time.
//
// Until the detection the lists hold what counts for it. From then on they hold what is new since
// the last line about it, for the next one (begin_next_line()).
struct Counter {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  // of IP payload
    Second expires_at = 0;
    // Times at which the latest new item was counted, and the one before it.
    Second latest_item_at = 0;
    Second item_before_at = 0;
    std::uint32_t next = kNoIndex;  // of the same pair
    // Times of the last line, and of our last answer to the source since the detection.
    Second line_at = 0;
    Second answer_at = 0;
    // No line is due before this time: the ports for the next line are counted already.
    Second quiet_until = 0;
    // Packets within the window of the kind that led to the detection; 0 = ports did.
    std::uint32_t rate_reached = 0;
    Second proven_at = 0;  // when an address that took part was proven
    RateWindow rate;
    PortList<kMaxPortThreshold> counted_items;  // closed or unanswered: add_item()
    DestinationPorts destination_ports;         // probed, for the log
    SourcePorts source_ports;
    std::uint16_t group = kNoGroup;        // of decoys
    std::uint16_t unanswered = 0;          // probes since our last answer; detected ones only
    std::uint16_t latest_source_port = 0;  // of the item that was counted last …
    std::uint16_t latest_port = 0;         // … and its port
    // Items whose ports are both one more than those of the item before.
    std::uint8_t rising_ports = 0;
    ScanKind kind = ScanKind::PortScan;
    bool is_detected = false;
    bool has_next_line_begun = false;  // the lists contain what came since the last line
    bool is_unblocked = false;         // answered again after a time without answers
    bool was_refused = false;          // our host refused one of these ports
    ChecksumsSeen checksums;           // of the probes that were counted
    bool may_rise = false;   // the last line was not "proven", and not because of the route
    bool has_risen = false;  // its source was proven after that

    void add_item(CountedItem item, Second second) {
        if (counted_items.add(item)) {
            item_before_at = latest_item_at;
            latest_item_at = second;
        }
    }
    void begin_next_line() {
        has_next_line_begun = true;
        forget_ports();
    }
    void forget_ports() {
        counted_items.clear();
        destination_ports.clear();
        source_ports.clear();
        quiet_until = 0;
    }
};

struct SourceState {
    PairKey pair = 0;
    base::IpAddress source;
    base::IpAddress destination;
    bool is_scanning = false;
    bool is_slow = false;        // a slow scan is running …
    base::Timestamp slow_since;  // … and was detected then
    std::uint32_t made = 0;      // index of the pair in order of creation
    std::uint32_t first_counter = kNoIndex;
    Second last_seen = 0;
    Second check_at = 0;  // of the slot of the wheel that contains it
    Second bogus_line_at = 0;
    std::uint32_t interface = 0;      // of arrival of the probes that count; 0 = not known
    std::uint32_t extent = kNoIndex;  // the addresses that it sums up; kNoIndex = one pair
    TracerouteRun traceroute;
    // Links of the hash chain, of the list by age, of the wheel slot.
    SourceIndex chain_next = kNoIndex;
    SourceIndex older = kNoIndex;
    SourceIndex newer = kNoIndex;
    SourceIndex slot_next = kNoIndex;
    SourceIndex slot_previous = kNoIndex;
};

class SourceTable {
  public:
    // `extents`: the pool of the extents of the pairs, which must outlive the table; nullptr = no
    // pair has one.
    explicit SourceTable(std::size_t capacity, Extents* extents = nullptr);

    // The index of a pair; kNoIndex = not stored.
    SourceIndex find(PairKey pair) {
        return latest_ != kNoIndex && states_[latest_].pair == pair ? latest_ : search(pair);
    }
    // Prefetches the chain that find() reads.
    void prefetch(PairKey pair) { __builtin_prefetch(&chain_of(pair)); }
    // The pair sent a packet at `second`.
    void mark_seen(SourceIndex index, Second second);
    // Creates an entry. REQUIRES: the pair has none, has_room().
    SourceIndex make(PairKey pair, const base::IpAddress& source,
                     const base::IpAddress& destination, Second second);
    SourceState& at(SourceIndex index) { return states_[index]; }

    // The counter of a kind; nullptr = none.
    Counter* find_counter(SourceIndex index, ScanKind kind);
    // The same, created if there is none. It does not expire before `expires_at`. REQUIRES:
    // has_room_for_counter().
    Counter& obtain_counter(SourceIndex index, ScanKind kind, Second expires_at);

    // The pair is evicted last from now on.
    void mark_scanning(SourceIndex index);

    // The pair that was active last, among those with a running scan or among the others; and the
    // one before it in the same list. kNoIndex = none.
    SourceIndex newest(bool is_scanning) const { return ages_[is_scanning ? 1 : 0].newest; }
    SourceIndex older_than(SourceIndex index) { return states_[index].older; }
    // Calls `use` with each counter of a pair.
    template <class Use>
    void for_each_counter(SourceIndex index, Use use) {
        for (std::uint32_t i = states_[index].first_counter; i != kNoIndex; i = counters_[i].next) {
            use(counters_[i]);
        }
    }

    // The second for which take_expired() is due next; nullopt = the table is empty.
    std::optional<Second> next_sweep() const;
    // A counter that was removed. Its pair is still in the table. Valid until the next call that
    // creates or removes something.
    struct Ended {
        const SourceState& state;
        const Counter& counter;
    };
    // Removes the next counter that has expired at `second`, and the pairs that are left without
    // counters. nullopt = all are removed. Call it until then.
    std::optional<Ended> take_expired(Second second);
    // Removes the next counter of all; nullopt = the table is empty. Call it until then.
    std::optional<Ended> take_any();

    // If there is no room, the caller evicts next_victim(), after it has ended its counters.
    bool has_room() const { return !states_.is_full(); }
    bool has_room_for_counter(SourceIndex index, ScanKind kind) {
        return !counters_.is_full() || find_counter(index, kind) != nullptr;
    }
    // The pair that was quiet for the longest time, except `spared`. REQUIRES: there is another
    // one.
    SourceIndex next_victim(SourceIndex spared = kNoIndex) const;
    void evict(SourceIndex index);

    std::size_t size() const { return states_.taken(); }
    std::uint64_t evictions() const { return evictions_; }
    std::uint64_t scan_evictions() const { return scan_evictions_; }

  private:
    static constexpr std::uint32_t kSlots = 128;  // seconds; later times are checked early
    struct AgeList {
        SourceIndex oldest = kNoIndex;
        SourceIndex newest = kNoIndex;
    };

    // The same as find(), for a pair that is not the one found last.
    SourceIndex search(PairKey pair);
    std::uint32_t& chain_of(PairKey pair) { return chains_[pair & (chains_.size() - 1)]; }
    AgeList& list_of(const SourceState& state) { return ages_[state.is_scanning ? 1 : 0]; }
    void link_newest(SourceIndex index);
    void unlink_age(SourceIndex index);
    void schedule(SourceIndex index, Second second);
    void unschedule(SourceIndex index);
    void drop(SourceIndex index);
    // Advances to the next second with pairs to check, up to `second`. False = there is none.
    bool begin_check(Second second);
    // Removes a counter of a pair that has expired, or any counter; nullptr = none.
    const Counter* take_counter(SourceState& state, Second expired_at);
    // Drops or reschedules a pair that has no expired counter left.
    void end_check(SourceIndex index);

    Extents* extents_;
    Pool<SourceState> states_;
    Pool<Counter> counters_;
    std::vector<std::uint32_t> chains_;
    std::array<AgeList, 2> ages_;  // idle ones, scanning ones
    std::array<std::uint32_t, kSlots> wheel_;
    Second swept_ = 0;                // last second swept
    SourceIndex checked_ = kNoIndex;  // first of the pairs of that second that are not checked yet
    std::uint32_t made_ = 0;
    SourceIndex latest_ = kNoIndex;  // the pair found last
    std::uint64_t evictions_ = 0;
    std::uint64_t scan_evictions_ = 0;
};

}  // namespace portcullis::sensor_track
