// PendingProbes: probes that our host has not answered yet.
//
// A ring in order of arrival with a hash index over it. Every probe leaves it in one of two ways:
// settle() when our answer is seen, or pop_overdue() when none came within kPatience. Bounded: at
// capacity the oldest leaves early, which is counted. Single-threaded, no allocation after the
// constructor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/clock.hpp"
#include "engine/base/ip_address.hpp"
#include "sensor/detect/probe_classes.hpp"
#include "sensor/detect/zeroed_array.hpp"

namespace portcullis::sensor_detect {

// How long our own host has for an answer. It needs microseconds; the rest is for a busy one.
inline constexpr std::chrono::milliseconds kPatience{300};

struct Probe {
    base::Timestamp arrival;
    std::uint64_t pair = 0;  // keyed hash of source and destination
    base::IpAddress source;
    base::IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t packets = 1;  // how many alike came meanwhile
    std::uint16_t bytes = 0;    // of IP payload, of the first
    ProbeClass probe = ProbeClass::None;
    std::uint32_t contact = 0;  // FirstContacts::Place, if it is still there
};
static_assert(sizeof(Probe) == 64);

class PendingProbes {
  public:
    explicit PendingProbes(std::size_t capacity = 32768);  // a power of two

    // A probe like it (same pair, ports and transport) that is still pending only counts it.
    // REQUIRES: !is_full(), arrivals never decrease.
    void add(const Probe& probe);
    bool is_full() const { return head_ - tail_ == slots_.size(); }

    // Takes out the probe that an answer belongs to; nullopt = none is pending. Both versions of
    // ICMP are one transport without ports.
    std::optional<Probe> settle(std::uint64_t pair, std::uint16_t source_port,
                                std::uint16_t destination_port, sensor_packet::Transport transport);

    // When the oldest pending probe becomes overdue; nullopt = none is pending.
    std::optional<base::Timestamp> next_deadline();
    // Takes out the oldest. REQUIRES: next_deadline() has a value.
    Probe pop_oldest();
    // Fetches what pop_oldest() will need in `ahead` calls; returns that probe, nullptr = there are
    // not so many. It may have been settled.
    const Probe* prefetch(std::size_t ahead) {
        if (head_ - tail_ <= ahead) {
            return nullptr;
        }
        const Slot& slot = slot_at(tail_ + ahead);
        __builtin_prefetch(&buckets_[slot.key & (buckets_.size() - 1)], 1);
        return &slot.probe;
    }

  private:
    static constexpr std::uint32_t kNone = 0xffffffff;
    struct Slot {
        Probe probe;
        std::uint64_t key = 0;
        std::uint32_t next = kNone;
        bool is_pending = false;
    };

    static std::uint64_t key_of(const Probe& probe);
    // The link that leads to the probe, or to kNone.
    std::uint32_t* find_link(std::uint64_t key);
    Slot& slot_at(std::uint64_t position) { return slots_[position & (slots_.size() - 1)]; }

    ZeroedArray<Slot> slots_;  // none is read before it was written
    std::vector<std::uint32_t> buckets_;
    std::uint64_t head_ = 0;  // next position to write
    std::uint64_t tail_ = 0;  // oldest position
};

}  // namespace portcullis::sensor_detect
