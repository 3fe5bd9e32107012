// The part of SourceTracker that counts and reports slow scans.
#include "sensor/detect/source_tracker.hpp"

#include "sensor/detect/probe_classes.hpp"

namespace portcullis::sensor_detect {

bool SourceTracker::count_for_slow_scan(const Probe& probe) {
    if (!is_tcp_scan_probe(probe.probe)) {
        return false;
    }
    const SourceIndex source = table_.find(slow_key_of(probe));
    if (source == kNoIndex || !table_.at(source).is_slow) {
        return false;
    }
    Counter* counter = table_.find_counter(source, ScanKind::SlowScan);
    if (counter == nullptr) {
        table_.at(source).is_slow = false;
        return false;
    }
    if (!admit(source, probe, PortState::Unanswered)) {
        return true;
    }
    table_.mark_seen(source, second());
    counter->expires_at = std::max(counter->expires_at, expiry_of(ScanKind::SlowScan));
    counter->packets += probe.packets;
    counter->bytes += std::uint64_t{probe.packets} * probe.bytes;
    follow(source, *counter, probe);
    return true;
}

void SourceTracker::begin_slow_scan(const SlowScanTable::ProbedPorts& probed,
                                    const SourcePorts& from, std::uint32_t interface) {
    Probe probe;
    probe.pair = probed.pair;
    probe.source = probed.source;
    probe.destination = probed.destination;
    probe.interface = interface;
    const SourceIndex source = obtain(probe);
    table_.mark_seen(source, second());
    if (table_.find_counter(source, ScanKind::SlowScan) == nullptr) {
        slow_.note_begin();
    }
    Counter& counter = obtain_counter(source, ScanKind::SlowScan, expiry_of(ScanKind::SlowScan));
    counter.packets = probed.packets;
    counter.bytes = probed.bytes;
    counter.checksums = probed.checksums;
    counter.destination_ports = probed.ports;
    counter.source_ports = from;
    if (probed.extent.targets.size() > 1 || probed.extent.sources.size() > 1) {
        std::uint32_t& extent = table_.at(source).extent;
        if (extent == kNoIndex) {
            extent = extents_.take().value_or(kNoIndex);
        }
        if (extent != kNoIndex) {
            extents_[extent] = probed.extent;
        }
    }
    table_.at(source).is_slow = true;
    table_.at(source).slow_since = now_;
    table_.mark_scanning(source);  // so that the other members cannot evict it
}

void SourceTracker::report_slow_scan(const SlowScanDetector::Detection& detection) {
    const PairKey first = detection.group.front().pair;
    for (const SlowScanTable::ProbedPorts& member : detection.group) {
        const bool is_first = member.pair == first;
        begin_slow_scan(member, is_first ? detection.last.source_ports : SourcePorts(),
                        is_first ? detection.last.interface : 0);
    }
    std::vector<SourceIndex> members;
    for (const SlowScanTable::ProbedPorts& member : detection.group) {
        const SourceIndex source = table_.find(member.pair);
        if (source != kNoIndex) {  // else it was evicted at once
            members.push_back(source);
        }
    }
    if (members.size() > 1) {
        reports_.report_group(table_, members, ScanKind::SlowScan, now_);
    } else if (!members.empty()) {
        const SourceIndex source = members.front();
        table_.at(source).is_slow = reports_.report_detection(
            table_, source, *table_.find_counter(source, ScanKind::SlowScan), now_);
    }
}

void SourceTracker::report_ended_bursts() {
    while (slow_.has_ended_bursts()) {  // a report may evict counters and so end other bursts
        for (const SlowScanDetector::Burst& burst : slow_.take_ended_bursts()) {
            if (const auto detection = slow_.detect(burst)) {
                report_slow_scan(*detection);
            }
        }
    }
}

}  // namespace portcullis::sensor_detect
