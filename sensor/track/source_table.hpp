// SourceTable: what is remembered of each (source, own address) pair that did more than one thing,
// and for how long.
//
// Storage only: what is counted and what counts as a scan is ScanTracker's business. A pair is
// known by its keyed hash, which its user computes. Bounded: at `capacity` pairs the one that was
// quiet longest is forgotten; pairs with a scan going on (marked by mark_scanning) are forgotten
// last. Time here is in whole seconds since 1970, as in iplog. Single-threaded; no allocation once
// as many pairs have been seen together before.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "sensor/track/checksums_seen.hpp"
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
    // Second of the last line; of our last answer to the source since the detection.
    Second line_at = 0;
    Second answer_at = 0;
    // Second before which no line is due, since the ports for the next one are counted already.
    Second quiet_until = 0;
    // Packets within the kind's window by which it was detected; 0 = by ports.
    std::uint32_t rate_reached = 0;
    Second proven_at = 0;  // second in which an address that took part was proven
    RateWindow rate;
    PortList<kMaxPortThreshold> counted_items;  // closed or unanswered: add_item()
    DestinationPorts destination_ports;         // probed, for the log
    SourcePorts source_ports;
    std::uint16_t group = kNoGroup;        // of decoys
    std::uint16_t unanswered = 0;          // probes since our last answer; detected ones only
    std::uint16_t latest_source_port = 0;  // of the item that was counted last …
    std::uint16_t latest_port = 0;         // … and its port
    std::uint8_t rising_ports =
        0;  // items whose ports are both one more than those of the item before
    ScanKind kind = ScanKind::PortScan;
    bool is_detected = false;
    bool has_next_line_begun = false;  // the lists are of what came since the last line
    bool is_unblocked = false;         // answered again after a time in which nothing was
    bool was_refused = false;          // our host refused one of these ports
    ChecksumsSeen checksums;           // of the probes that were counted
    bool may_rise = false;   // the last line did not say "proven", and the route was no reason
    bool has_risen = false;  // its source was proven since

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
    bool is_slow = false;        // a slow scan is going on …
    base::Timestamp slow_since;  // … and was found then
    std::uint32_t made = 0;      // the how many-th pair it is
    std::uint32_t first_counter = kNoIndex;
    Second last_seen = 0;
    Second check_at = 0;  // second of the wheel slot it hangs in
    Second bogus_line_at = 0;
    std::uint32_t interface = 0;      // on which the probes that count arrived; 0 = not known
    std::uint32_t extent = kNoIndex;  // MultiTargetDetector: of which addresses it is the sum
    TracerouteRun traceroute;
    // Links of the hash chain, of the list by age, of the wheel slot.
    SourceIndex chain_next = kNoIndex;
    SourceIndex older = kNoIndex;
    SourceIndex newer = kNoIndex;
    SourceIndex slot_next = kNoIndex;
    SourceIndex slot_previous = kNoIndex;
};

// Told when a counter is about to be dropped, because it is over or to make room.
class CounterSink {
  public:
    virtual ~CounterSink() = default;
    virtual void on_counter_over(const SourceState& state, const Counter& counter) = 0;
    // All its counters are gone already.
    virtual void on_source_dropped(const SourceState& /*state*/) {}
};

class SourceTable {
  public:
    SourceTable(std::size_t capacity, CounterSink& sink);

    // The index of a pair; kNoIndex = not remembered.
    SourceIndex find(PairKey pair) {
        return latest_ != kNoIndex && states_[latest_].pair == pair ? latest_ : search(pair);
    }
    // Prefetches the chain that find() reads.
    void prefetch(PairKey pair) { __builtin_prefetch(&chain_of(pair)); }
    // It was seen at `second`.
    void mark_seen(SourceIndex index, Second second);
    // REQUIRES: the pair is not remembered.
    SourceIndex make(PairKey pair, const base::IpAddress& source,
                     const base::IpAddress& destination, Second second);
    SourceState& at(SourceIndex index) { return states_[index]; }

    // The counter of a kind; nullptr = none.
    Counter* find_counter(SourceIndex index, ScanKind kind);
    // The same, made if need be, and kept until `expires_at` at least.
    Counter& obtain_counter(SourceIndex index, ScanKind kind, Second expires_at);

    // Forgotten last from now on.
    void mark_scanning(SourceIndex index);

    // The one seen last of those that scan, or of those that do not, and of the same the one seen
    // before another; kNoIndex = none.
    SourceIndex newest(bool is_scanning) const { return ages_[is_scanning ? 1 : 0].newest; }
    SourceIndex older_than(SourceIndex index) { return states_[index].older; }
    // Calls `use` with each counter of a pair.
    template <class Use>
    void for_each_counter(SourceIndex index, Use use) {
        for (std::uint32_t i = states_[index].first_counter; i != kNoIndex; i = counters_[i].next) {
            use(counters_[i]);
        }
    }

    // The second for which sweep() is due next; nullopt = nothing is remembered.
    std::optional<Second> next_sweep() const;
    // Drops the counters that are over at `second` and the pairs left without any.
    void sweep(Second second);
    // Drops all, telling the sink of every counter.
    void clear();

    std::size_t size() const { return states_.taken(); }
    std::uint64_t evictions() const { return evictions_; }
    std::uint64_t scan_evictions() const { return scan_evictions_; }

  private:
    static constexpr std::uint32_t kSlots = 128;  // seconds; later ones are looked at early
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
    // Forgets the pair that was quiet longest, `spared` excepted.
    void make_room(SourceIndex spared);

    CounterSink& sink_;
    Pool<SourceState> states_;
    Pool<Counter> counters_;
    std::vector<std::uint32_t> chains_;
    std::array<AgeList, 2> ages_;  // idle ones, scanning ones
    std::array<std::uint32_t, kSlots> wheel_;
    Second swept_ = 0;  // last second swept
    std::uint32_t made_ = 0;
    SourceIndex latest_ = kNoIndex;  // the pair found last
    std::uint64_t evictions_ = 0;
    std::uint64_t scan_evictions_ = 0;
};

}  // namespace portcullis::sensor_track
