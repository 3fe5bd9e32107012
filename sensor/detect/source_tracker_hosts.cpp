// The part of SourceTracker that counts hosts: sweeps over the watched networks.
#include <algorithm>

#include "sensor/detect/counting.hpp"
#include "sensor/detect/probe_classes.hpp"
#include "sensor/detect/source_tracker.hpp"

namespace portcullis::sensor_detect {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

// A host did not answer if its hardware address is requested again within this time, in seconds.
constexpr std::uint32_t kArpRetry = 10;

}  // namespace

bool SourceTracker::seeks_hosts(ProbeClass probe) const {
    const ProbeClass next = next_host_of(probe);
    return settings_.watches_networks && next != ProbeClass::None &&
           settings_.of(kinds_of(next).front()).is_enabled;
}

Probe SourceTracker::host_probe_of(const Probe& probe) const {
    Probe host = probe;
    host.probe = next_host_of(probe.probe);
    // Segments of connections that several hosts have forgotten have different source ports.
    const std::uint64_t sender =
        counted_on(probe.probe) == CountedOn::Refusal ? std::uint64_t{probe.source_port} << 8 : 0;
    host.pair = hash_.of(probe.source, base::IpAddress(),
                         static_cast<std::uint64_t>(KeyUse::Host) + sender);
    host.host = static_cast<std::uint16_t>(hash_.of(probe.destination));
    return host;
}

void SourceTracker::note_host(const Probe& probe) {
    const Probe host = host_probe_of(probe);
    const SourceIndex source = table_.find(host.pair);
    if (source != kNoIndex) {
        table_.at(source).destination = probe.destination;  // the line names the latest target
    }
    count_port(host, PortState::Unanswered);
}

void SourceTracker::note_slow_host(const Probe& probe) {
    const Probe host = host_probe_of(probe);
    const ScanKind kind = host.probe == ProbeClass::NextHost       ? ScanKind::SlowSweep
                          : host.probe == ProbeClass::NextEchoHost ? ScanKind::SlowEchoSweep
                                                                   : ScanKind::DatagramSweep;
    const DetectorSettings& settings = settings_.of(kind);
    if (kind == ScanKind::DatagramSweep || !settings.is_enabled) {
        return;
    }
    Probe slow = host;
    slow.pair = hash_.of(host.pair + static_cast<std::uint64_t>(KeyUse::SlowHost) +
                         static_cast<std::uint64_t>(kind) * 16);
    const SourceIndex known = table_.find(slow.pair);
    Counter* counter = known == kNoIndex ? nullptr : table_.find_counter(known, kind);
    if (counter != nullptr) {
        table_.mark_seen(known, second());
        counter->packets += host.packets;
        counter->bytes += std::uint64_t{host.packets} * host.bytes;
        counter->expires_at = expiry_of(kind);
        follow(known, *counter, host);
        return;
    }
    // The fast sweep has counted the same hosts and has reported them.
    const SourceIndex fast = table_.find(host.pair);
    const Counter* swept =
        fast == kNoIndex ? nullptr : table_.find_counter(fast, kinds_of(host.probe).front());
    if (swept != nullptr && swept->is_detected) {
        slow_hosts_.forget(slow.pair);
        return;
    }
    SlowScanTable::PortProbe port_probe;
    port_probe.pair = slow.pair;
    port_probe.source = host.source;
    port_probe.destination = host.destination;
    port_probe.port = host.host;
    port_probe.packets = host.packets;
    port_probe.bytes = host.bytes;
    port_probe.second = second();
    const SlowScanTable::Limits limits{
        settings.threshold, settings.threshold,
        static_cast<std::uint32_t>(duration_cast<seconds>(settings.rate_window).count())};
    if (!limits.are_reached(slow_hosts_.add(port_probe, limits.window))) {
        return;
    }
    const auto probed = slow_hosts_.take(slow.pair, limits);
    const SourceIndex source = obtain(slow);
    Counter& begun = obtain_counter(source, kind, expiry_of(kind));
    begun.packets = probed ? probed->packets : 1;
    begun.bytes = probed ? probed->bytes : host.bytes;
    list_ports(begun, host.probe, host.source_port, host.destination_port);
    reports_.report_detection(table_, source, begun, now_);
}

void SourceTracker::note_address_request(const base::IpAddress& sender,
                                         const base::IpAddress& target) {
    if (!seeks_hosts(ProbeClass::EchoRequest)) {
        return;
    }
    Probe asked;
    asked.arrival = now_;
    asked.source = sender;
    asked.destination = target;
    asked.pair = pair_of(sender, target);
    asked.probe = ProbeClass::EchoRequest;
    // If its sender probes many hosts, a request counts as one more probe, because a host that does
    // not answer it gets no other probe. A single request counts when it is repeated.
    const SourceIndex sweeping = table_.find(host_probe_of(asked).pair);
    if (sweeping != kNoIndex && table_.find_counter(sweeping, ScanKind::EchoSweep) == nullptr &&
        table_.find_counter(sweeping, ScanKind::HostSweep) != nullptr) {
        asked.probe = ProbeClass::Connect;
    }
    const Flow flow{sender, target, 0, 0, sensor_packet::Transport::Other};
    const bool is_repeated = arp_requests_.knows(flow, second(), kArpRetry);
    arp_requests_.remember(flow, second());
    if (sweeping != kNoIndex || is_repeated) {
        note_host(asked);
    }
}

}  // namespace portcullis::sensor_detect
