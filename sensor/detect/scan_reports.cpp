#include "sensor/detect/scan_reports.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "sensor/detect/scanner_signatures.hpp"

namespace portcullis::sensor_detect {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

// The kind as which a decoy group is reported; nullopt = decoys cannot hide scans of `kind`.
std::optional<ScanKind> group_kind_of(ScanKind kind) {
    if (is_tcp_port_scan(kind) || kind == ScanKind::SlowScan) {
        return ScanKind::Decoys;
    }
    if (kind == ScanKind::UdpScan) {
        return ScanKind::DatagramDecoys;
    }
    return std::nullopt;
}

Observation make_observation(ObservationType type, ScanKind kind, base::Timestamp now) {
    Observation observation;
    observation.type = type;
    observation.time = now;
    observation.kind = kind;
    return observation;
}

}  // namespace

void ScanReports::describe(const SourceState& state, Observation& observation) {
    observation.source = state.source;
    observation.destination = state.destination;
    if (state.extent == kNoIndex) {
        return;
    }
    const Extent& extent = extents_[state.extent];
    const auto targets = extent.targets.addresses();
    if (targets.size() > 1) {
        observation.destinations = targets;
    } else if (!targets.empty()) {
        observation.destination = targets.front();
    }
    if (extent.sources.size() > 1) {
        observation.source_prefix = settings_.ipv6_prefix;
        observation.source = network_of(state.source, settings_.ipv6_prefix);
    }
}

void ScanReports::report_packet(ObservationType type, const sensor_packet::Packet& packet,
                                std::uint64_t bytes, base::Timestamp now) {
    if (const auto seen = observe_packet(type, packet, bytes, now, settings_.scans_only)) {
        sink_.on_observation(*seen);
    }
}

ReturnPath ScanReports::judge(const SourceState& state, std::uint32_t interface) const {
    if (return_path_ == nullptr || interface == 0) {
        return ReturnPath::Unknown;
    }
    // Of several targets only the first is judged: a route may depend on our address, and watched
    // hosts have filters of their own.
    const bool has_targets = state.destination == base::IpAddress() && state.extent != kNoIndex &&
                             extents_[state.extent].targets.size() > 0;
    const base::IpAddress target =
        has_targets ? extents_[state.extent].targets.addresses().front() : state.destination;
    return return_path_->judge(state.source, target, interface);
}

bool ScanReports::is_dropped(const base::IpAddress& source, const base::IpAddress& destination,
                             std::uint32_t interface) const {
    return return_path_ != nullptr && interface != 0 &&
           return_path_->judge(source, destination, interface) == ReturnPath::Filtered;
}

bool ScanReports::is_dropped(const SourceState& state, const Counter& counter) const {
    const bool is_answered =
        counter.is_detected ? counter.answer_at > counter.line_at : counter.was_refused;
    return !is_answered && judge(state, state.interface) == ReturnPath::Filtered;
}

ScanReports::Admission ScanReports::admit(SourceState& source, const Probe& probe,
                                          PortState state) const {
    if (probe.interface == 0 || probe.interface == source.interface) {
        return Admission::Counts;
    }
    Admission admission = Admission::Counts;
    if (state == PortState::Unanswered && source.interface != 0) {
        if (judge(source, probe.interface) == ReturnPath::Filtered) {
            return Admission::Dropped;
        }
        if (judge(source, source.interface) == ReturnPath::Filtered) {
            admission = Admission::CountsAnew;
        }
    }
    source.interface = probe.interface;
    return admission;
}

bool ScanReports::report_detection(SourceTable& table, SourceIndex source, Counter& counter,
                                   base::Timestamp now) {
    if (is_dropped(table.at(source), counter)) {
        return false;
    }
    if (!report_with_decoys(table, source, counter, now)) {
        counter.is_detected = true;
        table.mark_scanning(source);
        send_detection(table.at(source), counter, false, now);
        report_tool(table.at(source), counter.kind, now);
    }
    return true;
}

void ScanReports::report_repetition(const SourceState& state, Counter& counter,
                                    base::Timestamp now) {
    if (is_dropped(state, counter)) {
        return;
    }
    send_detection(state, counter, true, now);
}

void ScanReports::send_detection(const SourceState& state, Counter& counter, bool is_repeated,
                                 base::Timestamp now) {
    Observation observation = make_observation(ObservationType::ScanDetected, counter.kind, now);
    describe(state, observation);
    observation.destination_ports = counter.destination_ports;
    observation.source_ports = counter.source_ports;
    observation.is_repeated = is_repeated;
    observation.packets = counter.packets;
    const Second second = second_of(now);
    grade(state, counter, second, observation);
    counter.line_at = second;
    counter.is_unblocked = false;
    counter.may_rise =
        observation.evidence != base::Evidence::Proven && !observation.is_route_asymmetric;
    counter.has_risen = false;
    sink_.on_observation(observation);
}

bool ScanReports::is_proven(const SourceState& state, const Counter& counter, Second second) const {
    const ScanKind kind = counter.kind;
    std::uint32_t memory = kProofMemory;
    if (detector_of(kind).counting == Counting::DistinctPortsInWindow ||
        detector_of(kind).counting == Counting::DistinctHostsInWindow) {
        memory =
            std::max(memory, static_cast<std::uint32_t>(
                                 duration_cast<seconds>(settings_.of(kind).rate_window).count()));
    }
    const bool is_noted = counter.proven_at != 0 && counter.proven_at + memory >= second;
    if (is_noted || handshakes_.is_proven(state.source, second, memory)) {
        return true;
    }
    if (state.extent == kNoIndex) {
        return false;
    }
    const auto sources = extents_[state.extent].sources.addresses();
    return std::any_of(sources.begin(), sources.end(), [&](const base::IpAddress& source) {
        return handshakes_.is_proven(source, second, memory);
    });
}

void ScanReports::grade(const SourceState& state, const Counter& counter, Second second,
                        Observation& observation) const {
    observation.evidence = base::Evidence::Forgeable;
    if (judge(state, state.interface) == ReturnPath::Other) {
        observation.is_route_asymmetric = true;
        observation.evidence = base::Evidence::Doubtful;
    } else if (is_proven(state, counter, second)) {
        observation.evidence = base::Evidence::Proven;
        return;
    }
    if (counter.checksums.are_all_partial()) {
        observation.has_partial_checksums = true;
        observation.evidence = base::Evidence::Doubtful;
    }
}

std::uint32_t ScanReports::decoy_window(ScanKind group_kind) const {
    return static_cast<std::uint32_t>(
        duration_cast<seconds>(settings_.of(group_kind).rate_window).count());
}

bool ScanReports::report_with_decoys(SourceTable& table, SourceIndex source, Counter& counter,
                                     base::Timestamp now) {
    const auto kind = group_kind_of(counter.kind);
    // SlowScanDetector finds the decoys of slow scans.
    if (!kind || counter.kind == ScanKind::SlowScan || !settings_.of(*kind).is_enabled) {
        return false;
    }
    const std::uint32_t window = decoy_window(*kind);
    // A source that is slower than the other members of a reported group joins it.
    const std::uint32_t before =
        counter.item_before_at != 0 ? counter.item_before_at : second_of(now);
    const std::uint16_t group =
        groups_.find(*kind, table.at(source).destination, counter.destination_ports,
                     before - std::min(before, window));
    if (group != kNoGroup) {
        join(table, group, source, counter);
        return true;
    }
    if (groups_.is_full()) {
        return false;
    }
    auto members = find_decoy_group(table, source, counter, window);
    std::erase_if(members, [&](SourceIndex member) {
        return member != source &&
               is_dropped(table.at(member), *table.find_counter(member, counter.kind));
    });
    if (members.size() < settings_.of(*kind).threshold) {
        return false;
    }
    report_group(table, members, counter.kind, now);
    return true;
}

void ScanReports::report_group(SourceTable& table, const std::vector<SourceIndex>& members,
                               ScanKind kind, base::Timestamp now) {
    const ScanKind group_kind = *group_kind_of(kind);
    const Counter* widest = nullptr;  // the one with the most ports
    std::uint64_t packets = 0;
    for (const std::uint32_t member : members) {
        const Counter* counter = table.find_counter(member, kind);
        packets += counter->packets;
        if (widest == nullptr ||
            counter->destination_ports.size() > widest->destination_ports.size()) {
            widest = counter;
        }
    }
    const std::uint16_t group = groups_.make(group_kind, table.at(members.front()).destination,
                                             widest->destination_ports, second_of(now));
    for (const std::uint32_t member : members) {
        join(table, group, member, *table.find_counter(member, kind));
    }
    Observation observation = make_observation(ObservationType::ScanDetected, group_kind, now);
    describe(table.at(members.front()), observation);
    observation.source_prefix = 0;
    observation.sources = groups_.at(group).sources;
    observation.destination_ports = widest->destination_ports;
    observation.source_ports = widest->source_ports;
    observation.packets = packets;
    sink_.on_observation(observation);
}

void ScanReports::join(SourceTable& table, std::uint16_t group, SourceIndex source,
                       Counter& counter) {
    counter.is_detected = true;
    counter.group = group;
    table.mark_scanning(source);
    groups_.add(group, table.at(source).source);
}

void ScanReports::judge_member(SourceTable& table, SourceIndex source, Counter& counter,
                               base::Timestamp now) {
    const std::size_t others = count_members_at_same_ports(table, source, counter);
    if (is_dropped(table.at(source), counter)) {
        counter.begin_next_line();
        return;
    }
    if (others + 1 >= settings_.of(groups_.at(counter.group).kind).threshold) {
        // The latest ports stay, for comparison with the other members.
        const DestinationPorts ports = first_ports_of(counter);
        counter.begin_next_line();
        counter.destination_ports = ports;
        return;
    }
    const std::uint16_t left = std::exchange(counter.group, kNoGroup);
    if (groups_.remove(left, table.at(source).source)) {
        send_group_end(table.at(source), left, now);
    }
    send_detection(table.at(source), counter, false, now);
    report_tool(table.at(source), counter.kind, now);
    counter.begin_next_line();
}

void ScanReports::report_tool(const SourceState& state, ScanKind kind, base::Timestamp now) {
    if (!settings_.names_tool || detector_of(kind).name.substr(0, 4) != "TCP:") {
        return;
    }
    Observation observation = make_observation(ObservationType::ScannerIdentified, kind, now);
    describe(state, observation);
    if (observation.source_prefix != 0) {
        return;  // a network is not a scanner
    }
    const auto* signature = find_scanner(history_.last(state.source, observation.destination));
    if (signature == nullptr) {
        return;
    }
    observation.tool = signature->name;
    sink_.on_observation(observation);
}

void ScanReports::send_group_end(const SourceState& member, std::uint16_t of, base::Timestamp now) {
    const DecoyGroup& group = groups_.at(of);
    Observation observation = make_observation(ObservationType::ScanExpired, group.kind, now);
    describe(member, observation);
    observation.source_prefix = 0;
    observation.sources = group.sources;
    observation.packets = group.packets;
    observation.bytes = group.bytes;
    sink_.on_observation(observation);
}

void ScanReports::report_end(const SourceState& state, const Counter& counter,
                             base::Timestamp now) {
    if (!counter.is_detected) {
        return;
    }
    if (counter.group != kNoGroup) {
        if (groups_.end(counter.group, counter)) {
            send_group_end(state, counter.group, now);
        }
        return;
    }
    Observation observation = make_observation(ObservationType::ScanExpired, counter.kind, now);
    describe(state, observation);
    observation.packets = counter.packets;
    observation.bytes = counter.bytes;
    sink_.on_observation(observation);
}

void ScanReports::report_target(const TargetDetection& detection, base::Timestamp now) {
    Observation observation = make_observation(
        detection.has_ended ? ObservationType::ScanExpired : ObservationType::ScanDetected,
        detection.kind, now);
    observation.destination = detection.destination;
    observation.source_count = detection.sources;
    observation.destination_ports = detection.ports;
    observation.packets = detection.packets;
    observation.bytes = detection.bytes;
    sink_.on_observation(observation);
}

}  // namespace portcullis::sensor_detect
