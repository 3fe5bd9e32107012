#include "sensor/track/target_table.hpp"

#include <algorithm>

namespace portcullis::sensor_track {
namespace {

// Takes the place of the port in the hash for counters of an address; the port is added to it for
// refused connections. So no two uses have the same hash.
constexpr std::uint32_t kAddressUses = 0x10000;
constexpr std::uint32_t kRefusedPorts = 0x20000;

std::uint32_t hashed_use(TargetTable::AddressUse use) {
    return kAddressUses + static_cast<std::uint32_t>(use);
}

std::uint32_t hashed_use(TargetTable::PortUse use, std::uint16_t port) {
    return port + (use == TargetTable::PortUse::Refused ? kRefusedPorts : 0);
}

TargetDetection detection_of(const TargetCounter& counter, bool has_ended) {
    return {counter.kind,    has_ended,       counter.destination, counter.first_ports,
            counter.sources, counter.packets, counter.bytes};
}

bool is_detected_as(const TargetCounter& counter, ScanKind kind, const base::IpAddress& destination,
                    std::uint16_t port) {
    return counter.is_detected && counter.kind == kind && counter.destination == destination &&
           counter.port == port;
}

}  // namespace

TargetTable::TargetTable() : by_address_(kAddresses), by_port_(kPorts) {
    detected_.reserve(kAddresses + kPorts);
}

template <class Counter>
Counter* TargetTable::obtain_at(ZeroedArray<Counter>& counters, std::uint64_t hash, ScanKind kind,
                                const base::IpAddress& destination, std::uint16_t port) {
    Counter& counter = counters[hash & (counters.size() - 1)];
    if (counter.is_used && counter.port == port && counter.destination == destination &&
        (counter.kind == kind || counter.is_detected)) {
        return &counter;
    }
    if (counter.is_detected) {
        return nullptr;
    }
    counter = Counter{};
    counter.destination = destination;
    counter.port = port;
    counter.kind = kind;
    counter.is_used = true;
    return &counter;
}

AddressCounter* TargetTable::obtain(AddressUse use, ScanKind kind, const TargetProbe& probe) {
    return obtain_at(by_address_, hash_of(probe.destination, hashed_use(use)), kind,
                     probe.destination, 0);
}

TargetCounter* TargetTable::obtain(PortUse use, ScanKind kind, const TargetProbe& probe) {
    return obtain_at(by_port_, hash_of(probe.destination, hashed_use(use, probe.port)), kind,
                     probe.destination, probe.port);
}

AddressCounter* TargetTable::find(AddressUse use, ScanKind kind,
                                  const base::IpAddress& destination) {
    AddressCounter& counter =
        by_address_[hash_of(destination, hashed_use(use)) & (by_address_.size() - 1)];
    const bool is_same =
        counter.is_used && counter.kind == kind && counter.destination == destination;
    return is_same ? &counter : nullptr;
}

void TargetTable::count(TargetCounter& counter, const TargetProbe& probe,
                        std::chrono::seconds idle) {
    if (counter.expires_at <= probe.second && !counter.is_detected) {
        counter.sources = 0;
        counter.packets = 0;
        counter.bytes = 0;
    }
    counter.expires_at = probe.second + static_cast<Second>(idle.count());
    counter.sources += probe.is_new_source ? 1 : 0;
    counter.packets += probe.packets;
    counter.bytes += std::uint64_t{probe.packets} * probe.bytes;
}

TargetDetection TargetTable::mark_detected(TargetCounter& counter) {
    counter.is_detected = true;
    detected_.push_back(&counter);
    return detection_of(counter, false);
}

bool TargetTable::is_detected(AddressUse use, ScanKind kind,
                              const base::IpAddress& destination) const {
    const std::uint64_t hash = hash_of(destination, hashed_use(use));
    return is_detected_as(by_address_[hash & (by_address_.size() - 1)], kind, destination, 0);
}

bool TargetTable::is_detected(PortUse use, ScanKind kind, const base::IpAddress& destination,
                              std::uint16_t port) const {
    const std::uint64_t hash = hash_of(destination, hashed_use(use, port));
    return is_detected_as(by_port_[hash & (by_port_.size() - 1)], kind, destination, port);
}

std::optional<Second> TargetTable::next_end() const {
    std::optional<std::uint32_t> next;
    for (const TargetCounter* counter : detected_) {
        next = std::min(next.value_or(counter->expires_at), counter->expires_at);
    }
    return next;
}

std::optional<TargetDetection> TargetTable::end_one(Second second) {
    const auto ended =
        std::find_if(detected_.begin(), detected_.end(),
                     [&](const TargetCounter* counter) { return counter->expires_at <= second; });
    if (ended == detected_.end()) {
        return std::nullopt;
    }
    TargetCounter& counter = **ended;
    const TargetDetection detection = detection_of(counter, true);
    counter.is_used = false;  // the next source begins it anew
    counter.is_detected = false;
    detected_.erase(ended);
    return detection;
}

}  // namespace portcullis::sensor_track
