#include "sensor/detect/slow_scan_detector.hpp"

#include <algorithm>

#include "sensor/detect/decoy_detector.hpp"
#include "sensor/detect/probe_classes.hpp"

namespace portcullis::sensor_detect {

using std::chrono::duration_cast;
using std::chrono::seconds;

SlowScanDetector::SlowScanDetector(const TrackerSettings& settings, SourceTable& table,
                                   const ScanReports& reports, std::size_t most_ended_bursts)
    : settings_(settings),
      table_(table),
      reports_(reports),
      most_ended_bursts_(most_ended_bursts),
      slow_table_(settings.max_sources) {}

SlowScanTable::PortProbe SlowScanDetector::port_probe_of(const Probe& probe, PairKey key,
                                                         std::uint8_t target, Second second) const {
    SlowScanTable::PortProbe made;
    made.pair = key;
    made.source = probe.source;
    made.destination = probe.destination;
    made.port = probe.destination_port;
    made.target = target;
    made.is_crafted = probe.probe != ProbeClass::Connect;
    made.is_partial = probe.is_partial;
    made.packets = probe.packets;
    made.bytes = probe.bytes;
    made.second = second;
    return made;
}

std::optional<SlowScanDetector::Detection> SlowScanDetector::add_probe(const Probe& probe,
                                                                       PairKey key,
                                                                       std::uint8_t target,
                                                                       Second second) {
    const DetectorSettings& settings = settings_.of(ScanKind::SlowScan);
    if (!settings.is_enabled) {
        return std::nullopt;
    }
    const SourceIndex slow = table_.find(key);
    if (slow != kNoIndex && table_.at(slow).is_slow) {
        // A probe that was pending when the scan was detected.
        Counter* counter = table_.find_counter(slow, ScanKind::SlowScan);
        if (counter != nullptr && probe.arrival < table_.at(slow).slow_since &&
            counted_on(probe.probe) == CountedOn::RefusalOrSilence) {
            counter->packets += probe.packets;
            counter->bytes += std::uint64_t{probe.packets} * probe.bytes;
        }
        return std::nullopt;
    }
    const SlowScanTable::Limits enough = limits();
    const SlowScanTable::Count count =
        slow_table_.add(port_probe_of(probe, key, target, second), enough.window);
    if (!enough.are_reached(count)) {
        return std::nullopt;
    }
    const SourceIndex known = key == probe.pair ? slow : table_.find(probe.pair);
    if (known != kNoIndex && is_one_burst(known, count.ports)) {
        return std::nullopt;
    }
    Burst last{
        key, probe.source, probe.destination, {}, {}, count.ports * probe.bytes, probe.interface};
    last.ports.add(probe.destination_port);
    last.source_ports.add(probe.source_port);
    return detect(last);
}

void SlowScanDetector::take_back(const Probe& probe, PairKey key, std::uint8_t target,
                                 Second second) {
    if (settings_.of(ScanKind::SlowScan).is_enabled) {
        slow_table_.take_back(port_probe_of(probe, key, target, second));
    }
}

std::optional<SlowScanDetector::Detection> SlowScanDetector::detect(const Burst& burst) {
    if (reports_.is_dropped(burst.source, burst.destination, burst.interface)) {
        slow_table_.forget(burst.pair, burst.ports.ports());
        return std::nullopt;
    }
    auto probed = slow_table_.take(burst.pair, limits());
    if (!probed) {
        return std::nullopt;
    }
    probed->source = burst.source;
    probed->destination = burst.destination;
    if (probed->ports.size() == 0) {  // a bitmap was left
        probed->ports = burst.ports;
        probed->bytes = burst.bytes;
    }
    const DetectorSettings& decoys = settings_.of(ScanKind::Decoys);
    Detection detection{{*probed}, burst};
    if (decoys.is_enabled && reports_.has_room_for_group()) {
        const auto others = find_slow_decoys(
            slow_table_, *probed,
            static_cast<std::uint32_t>(duration_cast<seconds>(decoys.rate_window).count()));
        if (others.size() + 1 >= decoys.threshold) {
            detection.group.insert(detection.group.end(), others.begin(), others.end());
        }
    }
    for (const SlowScanTable::ProbedPorts& member : detection.group) {
        slow_table_.forget(member.pair);
    }
    return detection;
}

bool SlowScanDetector::is_one_burst(SourceIndex source, std::size_t remembered) {
    PortList<2 * kMaxPortThreshold> ports;  // more than a slow scan may have
    std::size_t threshold = 0;
    for (const ScanKind kind : kTcpPortScans) {
        threshold = std::max<std::size_t>(threshold, settings_.of(kind).threshold);
        const Counter* counter = table_.find_counter(source, kind);
        if (counter != nullptr && !counter->is_detected) {
            for (const std::uint16_t port : counter->counted_items.ports()) {
                ports.add(port);
            }
        }
    }
    // With more than any threshold it is a mixture that no single kind would ever report.
    return remembered <= ports.size() && ports.size() < threshold;
}

SlowScanTable::Limits SlowScanDetector::limits() const {
    const DetectorSettings& settings = settings_.of(ScanKind::SlowScan);
    SlowScanTable::Limits limits;
    limits.crafted = settings.threshold;
    limits.ports = slow_connect_threshold(settings);
    limits.window =
        static_cast<std::uint32_t>(duration_cast<seconds>(settings.rate_window).count());
    return limits;
}

void SlowScanDetector::forget_ports(PairKey key, ScanKind kind,
                                    std::span<const std::uint16_t> ports) {
    if (is_tcp_port_scan(kind)) {
        slow_table_.forget(key, ports);
    }
}

void SlowScanDetector::forget_burst(PairKey key, const Counter& counter) {
    if (!is_tcp_port_scan(counter.kind)) {
        return;  // these kinds block no source, so its ports still count for a slow scan
    }
    if (counter.group == kNoGroup) {
        slow_table_.forget(key);
    } else {  // the source may be forged: only these ports are reported
        slow_table_.forget(key, counter.counted_items.ports());
    }
}

bool SlowScanDetector::has_burst_ended(const Counter& counter, Second second) const {
    return is_tcp_port_scan(counter.kind) && counter.latest_item_at != 0 &&
           counter.latest_item_at + settings_.of(counter.kind).idle.count() <= second;
}

void SlowScanDetector::end_burst(const SourceState& state, PairKey key, const Counter& counter) {
    // A source may end several bursts before they are reported. A source that does not fit is
    // reported the next time it sends a probe.
    if (settings_.of(ScanKind::SlowScan).is_enabled && ended_bursts_.size() < most_ended_bursts_ &&
        limits().are_reached(slow_table_.count_of(key))) {
        ended_bursts_.push_back({key, state.source, state.destination, counter.destination_ports,
                                 counter.source_ports, counter.bytes, state.interface});
    }
}

}  // namespace portcullis::sensor_detect
