#include "sensor/detect/scan_reports.hpp"

#include <algorithm>
#include <optional>

#include "sensor/detect/scanner_signatures.hpp"

namespace portcullis::sensor_detect {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

// What sources in lock-step are reported as; nullopt = the kind is not one that decoys hide.
std::optional<ScanKind> group_kind_of(ScanKind kind) {
    if (is_tcp_port_scan(kind) || kind == ScanKind::SlowScan) {
        return ScanKind::Decoys;
    }
    if (kind == ScanKind::UdpScan) {
        return ScanKind::DatagramDecoys;
    }
    return std::nullopt;
}

}  // namespace

Observation ScanReports::make(ObservationType type, ScanKind kind) const {
    Observation observation;
    observation.type = type;
    observation.time = now_;
    observation.kind = kind;
    return observation;
}

void ScanReports::packet(ObservationType type, const sensor_packet::Packet& packet,
                         std::uint64_t bytes) {
    if (const auto seen = observe_packet(type, packet, bytes, now_, settings_.scans_only)) {
        sink_.on_observation(*seen);
    }
}

void ScanReports::detected(std::uint32_t source, Counter& counter) {
    if (detected_in_lock_step(source, counter)) {
        return;
    }
    counter.is_detected = true;
    table_.mark_scanning(source);
    const SourceState& state = table_.at(source);
    Observation observation = make(ObservationType::ScanDetected, counter.kind);
    observation.source = state.source;
    observation.destination = state.destination;
    observation.destination_ports = counter.destination_ports;
    observation.source_ports = counter.source_ports;
    sink_.on_observation(observation);
    tool(state, counter.kind);
}

std::uint32_t ScanReports::second() const {
    return static_cast<std::uint32_t>(duration_cast<seconds>(now_.time_since_epoch()).count());
}

std::uint32_t ScanReports::decoy_window(ScanKind group_kind) const {
    return static_cast<std::uint32_t>(
        duration_cast<seconds>(settings_.of(group_kind).rate_window).count());
}

bool ScanReports::detected_in_lock_step(std::uint32_t source, Counter& counter) {
    const auto kind = group_kind_of(counter.kind);
    // Of slow scans the slow memory knows who was in step.
    if (!kind || counter.kind == ScanKind::SlowScan || !settings_.of(*kind).is_enabled) {
        return false;
    }
    const std::uint32_t window = decoy_window(*kind);
    // One that lagged behind the others.
    const std::uint32_t before = counter.door_before != 0 ? counter.door_before : second();
    const std::uint16_t group =
        groups_.find(*kind, table_.at(source).destination, counter.destination_ports,
                     before - std::min(before, window));
    if (group != kNoGroup) {
        join(group, source, counter);
        return true;
    }
    if (groups_.is_full()) {
        return false;
    }
    const auto members = find_lock_step(table_, source, counter, window);
    if (members.size() < settings_.of(*kind).threshold) {
        return false;
    }
    detected_together(members, counter.kind);
    return true;
}

void ScanReports::detected_together(const std::vector<std::uint32_t>& members, ScanKind kind) {
    const ScanKind group_kind = *group_kind_of(kind);
    const base::IpAddress destination = table_.at(members.front()).destination;
    const Counter* widest = nullptr;  // it knows the most ports
    for (const std::uint32_t member : members) {
        const Counter* counter = table_.find_counter(member, kind);
        if (widest == nullptr ||
            counter->destination_ports.size() > widest->destination_ports.size()) {
            widest = counter;
        }
    }
    const std::uint16_t group =
        groups_.make(group_kind, destination, widest->destination_ports, second());
    for (const std::uint32_t member : members) {
        join(group, member, *table_.find_counter(member, kind));
    }
    Observation observation = make(ObservationType::ScanDetected, group_kind);
    observation.destination = destination;
    observation.sources = groups_.at(group).sources;
    observation.destination_ports = widest->destination_ports;
    observation.source_ports = widest->source_ports;
    sink_.on_observation(observation);
}

void ScanReports::join(std::uint16_t group, std::uint32_t source, Counter& counter) {
    counter.is_detected = true;
    counter.group = group;
    table_.mark_scanning(source);
    groups_.add(group, table_.at(source).source);
}

void ScanReports::tool(const SourceState& state, ScanKind kind) {
    if (!settings_.names_tool || detector_of(kind).name.substr(0, 4) != "TCP:") {
        return;
    }
    const auto* signature = find_scanner(history_.last(state.source, state.destination));
    if (signature == nullptr) {
        return;
    }
    Observation observation = make(ObservationType::ScannerIdentified, kind);
    observation.source = state.source;
    observation.destination = state.destination;
    observation.tool = signature->name;
    sink_.on_observation(observation);
}

void ScanReports::over(const SourceState& state, const Counter& counter) {
    if (!counter.is_detected) {
        return;
    }
    Observation observation = make(ObservationType::ScanExpired, counter.kind);
    observation.destination = state.destination;
    if (counter.group == kNoGroup) {
        observation.source = state.source;
        observation.packets = counter.packets;
        observation.bytes = counter.bytes;
    } else {
        if (!groups_.end(counter.group, counter)) {
            return;
        }
        const DecoyGroup& group = groups_.at(counter.group);
        observation.kind = group.kind;
        observation.sources = group.sources;
        observation.packets = group.packets;
        observation.bytes = group.bytes;
    }
    sink_.on_observation(observation);
}

void ScanReports::crowd(const CrowdWatch::Report& report) {
    Observation observation = make(
        report.is_over ? ObservationType::ScanExpired : ObservationType::ScanDetected, report.kind);
    observation.destination = report.destination;
    observation.source_count = report.sources;
    observation.destination_ports = report.ports;
    observation.packets = report.packets;
    observation.bytes = report.bytes;
    sink_.on_observation(observation);
}

}  // namespace portcullis::sensor_detect
