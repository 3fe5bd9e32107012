// Tracker: the seam between packets and observations.
//
// Two kinds: ScanTracker, which counts ports, and CompatTracker, which counts packets as
// iplog 2.2.3 did; which one it is is decided once, when the sensor starts. Single-threaded; time
// comes with each call. Observations are made from within the calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "sensor/detect/return_path.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_detect {

// Whole seconds are kept in 32 bits (until 2106). A later time in a capture file is taken for this.
inline constexpr base::Timestamp kEndOfTime{std::chrono::seconds(4'000'000'000)};

// A clock that goes back by more than this was set back; less is packets out of order.
inline constexpr std::chrono::seconds kClockTolerance{10};

struct TrackerCounters {
    std::uint64_t inbound = 0;
    std::uint64_t outbound = 0;
    std::uint64_t probes_left_early = 0;  // the table of pending probes was full
    std::uint64_t source_evictions = 0;
    std::uint64_t scan_evictions = 0;  // of these: a scan was going on
};

class Tracker {
  public:
    virtual ~Tracker() = default;

    // New settings from the next packet on; what was counted stays.
    virtual void set_settings(const TrackerSettings& settings) = 0;

    // A packet to one of our addresses; REQUIRES: verdict == Ok.
    virtual void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now) = 0;
    // A packet of ours to elsewhere; REQUIRES: verdict == Ok.
    virtual void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now) = 0;
    // A host on the link of a watched network (promisc) asks for the link address of `target`, one
    // of the watched addresses, by ARP or neighbour discovery. Both are of one family and differ.
    virtual void on_address_request(const base::IpAddress& /*sender*/,
                                    const base::IpAddress& /*target*/, base::Timestamp /*now*/) {}
    // The addresses of this host, whenever they change.
    virtual void set_own_addresses(std::span<const base::IpAddress> /*addresses*/) {}
    // Who knows by which interface we answer a source; nullptr = nobody. It must outlive its use.
    virtual void set_return_path(ReturnPathJudge* /*judge*/) {}
    // Lets time pass: probes become overdue, quiet scans end.
    virtual void advance(base::Timestamp now) = 0;
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    virtual std::optional<base::Timestamp> next_deadline() = 0;
    // The end of the program.
    virtual void finish(base::Timestamp now) = 0;

    virtual TrackerCounters counters() const = 0;
};

}  // namespace portcullis::sensor_detect
