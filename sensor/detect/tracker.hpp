// Tracker: the seam between packets and observations.
//
// ScanTracker counts ports; CompatTracker counts packets as iplog 2.2.3 did. The sensor selects one
// of them when it starts. Single-threaded; time comes with each call. Observations are passed to
// the sink from within the calls.
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

// Latest time. Seconds have 32 bits; a later time in a capture file is replaced by this one.
inline constexpr base::Timestamp kEndOfTime{std::chrono::seconds(4'000'000'000)};

// If the time goes back by more than this, the clock was set back. Less is a packet out of order.
inline constexpr std::chrono::seconds kClockTolerance{10};

struct TrackerCounters {
    std::uint64_t inbound = 0;
    std::uint64_t outbound = 0;
    std::uint64_t probes_left_early = 0;  // the table of pending probes was full
    std::uint64_t source_evictions = 0;
    std::uint64_t scan_evictions = 0;  // of these: with a running scan
};

class Tracker {
  public:
    virtual ~Tracker() = default;

    // Uses new settings from the next packet on; counters stay.
    virtual void set_settings(const TrackerSettings& settings) = 0;

    // A packet to one of our addresses; REQUIRES: verdict == Ok.
    virtual void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now) = 0;
    // A packet of ours to another host; REQUIRES: verdict == Ok.
    virtual void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now) = 0;
    // A host on the link of a watched network (promisc) requests the link address of `target`, a
    // watched address, by ARP or neighbour discovery. Both addresses have the same family and
    // differ.
    virtual void on_address_request(const base::IpAddress& /*sender*/,
                                    const base::IpAddress& /*target*/, base::Timestamp /*now*/) {}
    // Sets the addresses of this host. Call it whenever they change.
    virtual void set_own_addresses(std::span<const base::IpAddress> /*addresses*/) {}
    // Sets the judge of return paths; nullptr = none. It must outlive its use.
    virtual void set_return_path(ReturnPathJudge* /*judge*/) {}
    // Advances the time: probes become overdue, quiet scans end.
    virtual void advance(base::Timestamp now) = 0;
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    virtual std::optional<base::Timestamp> next_deadline() = 0;
    // Ends all scans, at the end of the program.
    virtual void finish(base::Timestamp now) = 0;

    virtual TrackerCounters counters() const = 0;
};

}  // namespace portcullis::sensor_detect
