// TargetTable: counters of our addresses and ports, for what many sources do together.
//
// Storage for DistributedScanDetector, SynFloodDetector and ReflectionDetector. An address has a
// counter for each of its uses, a port has one for half-open and one for refused connections. The
// tables have a fixed size: a counter that was detected keeps its place until its end, and any
// other counter is replaced by the next one at the same place. Single-threaded; no allocation after
// the constructor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "base/keyed_hash.hpp"
#include "sensor/track/distinct_in_window.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/port_list.hpp"
#include "sensor/track/rate_window.hpp"
#include "sensor/track/scan_kind.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

// A probe as it counts for its target.
struct TargetProbe {
    base::IpAddress destination;
    std::uint16_t port = 0;
    std::uint16_t source_port = 0;
    PairKey source_hash = 0;
    bool is_new_source = false;  // the source sent nothing else before
    std::uint16_t packets = 1;
    std::uint32_t bytes = 0;
    Second second = 0;     // since 1970 …
    base::Timestamp time;  // … and exactly
};

// What many sources did to a target: its detection or its end.
struct TargetDetection {
    ScanKind kind = ScanKind::DistributedScan;
    bool has_ended = false;
    base::IpAddress destination;
    DestinationPorts ports;
    std::uint32_t sources = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

// The counter of a port of ours. It is small, because a flood to random ports begins one with each
// packet.
struct TargetCounter {
    base::IpAddress destination;
    std::uint16_t port = 0;  // 0 = of an address
    ScanKind kind = ScanKind::DistributedScan;
    bool is_used = false;
    bool is_detected = false;
    Second expires_at = 0;      // seconds since 1970
    std::uint32_t sources = 0;  // new ones
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    RateWindow rate;  // of attempts, or of new sources
    DestinationPorts first_ports;
};

// The counter of an address of ours.
struct AddressCounter : TargetCounter {
    static constexpr std::size_t kMaxSources = 8;
    // Datagrams from at most this number of source ports are answers of services.
    static constexpr std::size_t kServicePorts = 8;

    DistinctInWindow<kMaxPortThreshold> ports;     // of a distributed scan
    DistinctInWindow<kMaxSources> latest_sources;  // of a distributed scan
    PortList<kServicePorts> source_ports;          // of new sources
};

class TargetTable {
  public:
    enum class AddressUse : std::uint8_t { Datagrams, SynAcks };
    enum class PortUse : std::uint8_t { HalfOpen, Refused };
    // The use of a detector whose kind shares its counters with no other kind.
    static constexpr AddressUse use_of(ScanKind kind) {
        constexpr unsigned kFirst = 0x80;
        return static_cast<AddressUse>(kFirst + static_cast<unsigned>(kind));
    }

    TargetTable();

    // The counter of the target of `probe`, created if there is none. nullptr = a detected counter
    // of another target or kind has its place.
    AddressCounter* obtain(AddressUse use, ScanKind kind, const TargetProbe& probe);
    TargetCounter* obtain(PortUse use, ScanKind kind, const TargetProbe& probe);
    // The counter of an address if it is in use; nullptr = another one has its place.
    AddressCounter* find(AddressUse use, ScanKind kind, const base::IpAddress& destination);

    // Adds the packets of a probe. The counter expires after `idle`. If it has expired without a
    // detection, it begins anew.
    static void count(TargetCounter& counter, const TargetProbe& probe, std::chrono::seconds idle);
    // Marks a counter as detected, so that it keeps its place. Returns the detection to report.
    TargetDetection mark_detected(TargetCounter& counter);

    // False = no counter is detected: is_detected() is false for all targets.
    bool has_detected() const { return !detected_.empty(); }
    bool is_detected(AddressUse use, ScanKind kind, const base::IpAddress& destination) const;
    bool is_detected(PortUse use, ScanKind kind, const base::IpAddress& destination,
                     std::uint16_t port) const;

    // The second in which end_one() may return something; nullopt = no counter is detected.
    std::optional<Second> next_end() const;
    // Removes a detected counter that has expired at `second`, and returns what is to be reported;
    // nullopt = none has. In the order of detection.
    std::optional<TargetDetection> end_one(Second second);

  private:
    static constexpr std::size_t kAddresses = 256;
    static constexpr std::size_t kPorts = 1024;

    template <class Counter>
    static Counter* obtain_at(ZeroedArray<Counter>& counters, std::uint64_t hash, ScanKind kind,
                              const base::IpAddress& destination, std::uint16_t port);
    std::uint64_t hash_of(const base::IpAddress& destination, std::uint32_t use) const {
        return hash_.of(hash_.of(destination) + use);
    }

    base::KeyedHash hash_;
    ZeroedArray<AddressCounter> by_address_;
    ZeroedArray<TargetCounter> by_port_;
    std::vector<TargetCounter*> detected_;
};

}  // namespace portcullis::sensor_track
