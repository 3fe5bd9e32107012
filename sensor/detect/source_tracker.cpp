#include "sensor/detect/source_tracker.hpp"

#include <algorithm>
#include <limits>

#include "sensor/detect/counting.hpp"
#include "sensor/detect/probe_classes.hpp"
#include "sensor/detect/traceroute_detector.hpp"

namespace portcullis::sensor_detect {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Shortest time between two lines about bogus flags of a source, in seconds.
constexpr std::uint32_t kBogusLineInterval = 60;
// Time for which a source is stored whose probes do not count, in seconds.
constexpr std::uint32_t kKeepWithoutKind = 60;

// One of this many sources has room for counters. Forged sources of a flood rarely need it.
constexpr std::size_t kSourcesPerCounted = 4;

// Most counters over several addresses, including those of slow scans.
constexpr std::size_t kMostExtents = 8192;

// Cells for sources that probe hosts slowly.
constexpr std::size_t kSlowHostSources = 16384;

// Window in which probed open ports are counted, in seconds.
constexpr std::uint32_t kOpenPortSpan = 60;

std::size_t counted_sources(const TrackerSettings& settings) {
    return std::max<std::size_t>(settings.max_sources / kSourcesPerCounted, 1);
}

bool is_syn(ProbeClass probe) {
    return probe == ProbeClass::Connect || probe == ProbeClass::RawSyn;
}

CountedItem item_of(const Probe& probe) {
    return is_next_host(probe.probe) ? probe.host : probe.destination_port;
}

CountedItem item_of(const SingleProbe& single) {
    return is_next_host(single.probe) ? single.source_port_or_host : single.destination_port;
}

std::uint16_t source_port_or_host_of(const Probe& probe) {
    return is_next_host(probe.probe) ? probe.host : probe.source_port;
}

// True if the probe repeats the single probe of its pair, so that it needs no entry of its own.
bool is_repetition(const SingleProbe& single, const Probe& probe) {
    const std::uint32_t bytes = std::uint32_t{probe.packets} * probe.bytes;
    return single.probe == probe.probe &&
           single.source_port_or_host == source_port_or_host_of(probe) &&
           single.destination_port == probe.destination_port &&
           (is_tcp_scan_probe(probe.probe) || is_next_host(probe.probe)) &&
           single.packets + probe.packets <= std::numeric_limits<std::uint8_t>::max() &&
           single.bytes + bytes <= std::numeric_limits<std::uint16_t>::max();
}

void repeat(SingleProbe& single, const Probe& probe, Second expires_at) {
    single.packets = static_cast<std::uint8_t>(single.packets + probe.packets);
    single.bytes = static_cast<std::uint16_t>(single.bytes + probe.packets * probe.bytes);
    single.expires_at = expires_at;
}

// True if `source` is a neighbour on the link of `destination`, and not a subscriber with a network
// of its own.
bool is_neighbour(const base::IpAddress& source, const base::IpAddress& destination) {
    constexpr std::size_t kPrefixBytes = 8;
    const std::uint8_t* bytes = source.data();
    const bool is_link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    return is_link_local || std::equal(bytes, bytes + kPrefixBytes, destination.data());
}

milliseconds millis_of(base::Timestamp time) {
    return duration_cast<milliseconds>(time.time_since_epoch());
}

}  // namespace

SourceTracker::SourceTracker(const TrackerSettings& settings, const Handshakes& handshakes,
                             ObservationSink& sink)
    : settings_(settings),
      extents_(kMostExtents),
      singles_(settings.max_sources - std::min(settings.max_sources, counted_sources(settings))),
      table_(counted_sources(settings), &extents_),
      reports_(settings, handshakes, extents_, sink),
      slow_(settings, table_, reports_, counted_sources(settings)),
      multi_target_(settings, hash_, {table_, singles_}, extents_, reports_),
      slow_hosts_(kSlowHostSources) {}

void SourceTracker::set_own_addresses(std::span<const base::IpAddress> addresses) {
    const auto of_v4 = std::count_if(addresses.begin(), addresses.end(),
                                     [](const base::IpAddress& each) { return each.is_v4(); });
    has_several_v4_ = of_v4 > 1;
    has_several_v6_ = static_cast<std::ptrdiff_t>(addresses.size()) - of_v4 > 1;
}

bool SourceTracker::counts_all_targets_v6(const base::IpAddress& source,
                                          const base::IpAddress& destination) const {
    return has_several_v6_ || !is_neighbour(source, destination);
}

PairKey SourceTracker::source_key_of(const base::IpAddress& source,
                                     const base::IpAddress& destination) const {
    const auto use = static_cast<std::uint64_t>(KeyUse::Source);
    if (source.is_v4() || is_neighbour(source, destination)) {
        return hash_.of(source, base::IpAddress(), use);
    }
    return hash_.of(network_of(source, settings_.ipv6_prefix), base::IpAddress(), use);
}

// Segments of connections that this host has forgotten have different source ports; a slow ACK scan
// has a single one.
PairKey SourceTracker::slow_key_of(const Probe& probe) const {
    const PairKey key = key_of(probe);
    return counted_on(probe.probe) == CountedOn::Refusal ? hash_.of(key + probe.source_port) : key;
}

std::uint8_t SourceTracker::target_of(const Probe& probe) const {
    return counts_all_targets(probe.source, probe.destination)
               ? static_cast<std::uint8_t>(hash_.of(probe.destination))
               : std::uint8_t{0};
}

void SourceTracker::set_time(base::Timestamp now) {
    now_ = now;
    second_ = second_of(now);
}

PairKey SourceTracker::pair_of(const base::IpAddress& source, const base::IpAddress& destination) {
    if (source != last_source_ || destination != last_destination_) {
        last_source_ = source;
        last_destination_ = destination;
        last_pair_ = hash_.of(source, destination, 0);
    }
    return last_pair_;
}

std::uint32_t SourceTracker::expiry_of(ScanKind kind) const {
    return second() + static_cast<std::uint32_t>(settings_.of(kind).idle.count());
}

std::uint32_t SourceTracker::expiry_of(ProbeClass probe) const {
    std::uint32_t expiry = 0;
    for (const ScanKind kind : kinds_of(probe)) {
        if (settings_.of(kind).is_enabled) {
            expiry = std::max(expiry, expiry_of(kind));
        }
    }
    return expiry != 0 ? expiry : second() + kKeepWithoutKind;
}

SingleProbe SourceTracker::single_of(const Probe& probe) const {
    SingleProbe single{};
    single.pair = probe.pair;
    single.expires_at = expiry_of(probe.probe);
    single.seen = second();
    single.seen_millis = static_cast<std::uint16_t>(
        duration_cast<milliseconds>(now_.time_since_epoch() - seconds(second())).count());
    single.source_port_or_host = source_port_or_host_of(probe);
    single.destination_port = probe.destination_port;
    single.packets = static_cast<std::uint8_t>(
        std::min<std::uint32_t>(probe.packets, std::numeric_limits<std::uint8_t>::max()));
    single.bytes = static_cast<std::uint16_t>(std::min<std::uint32_t>(
        std::uint32_t{single.packets} * probe.bytes, std::numeric_limits<std::uint16_t>::max()));
    single.probe = probe.probe;
    single.interface = probe.interface;
    return single;
}

SourceIndex SourceTracker::make(const Probe& probe) {
    if (!table_.has_room()) {
        make_room();
    }
    const SourceIndex source = table_.make(probe.pair, probe.source, probe.destination, second());
    table_.at(source).interface = probe.interface;
    return source;
}

SourceIndex SourceTracker::promote(SingleProbe& single, const Probe& probe) {
    const SingleProbe first = single;
    singles_.remove(single);
    const SourceIndex source = make(probe);
    table_.at(source).interface = first.interface;
    if (first.probe == ProbeClass::Bogus) {
        table_.at(source).bogus_line_at = first.seen;
    } else if (first.probe == ProbeClass::Hop) {
        add_to_traceroute(table_.at(source).traceroute, 1, first.seen);
    }
    const CountedItem item = item_of(first);
    for (const ScanKind kind : kinds_of(first.probe)) {
        const DetectorSettings& settings = settings_.of(kind);
        if (!settings.is_enabled) {
            continue;
        }
        Counter& counter = obtain_counter(source, kind, first.expires_at);
        counter.packets += first.packets;
        counter.bytes += first.bytes;
        list_ports(counter, first.probe, first.source_port_or_host, first.destination_port);
        if (first.is_counted) {
            add_item(counter, item, first.source_port_or_host, first.destination_port, first.seen);
        }
        if (settings.rate_window.count() > 0 &&
            (first.is_counted || first.probe == ProbeClass::EchoRequest)) {
            counter.rate.add(seconds(first.seen) + milliseconds(first.seen_millis),
                             settings.rate_window, first.packets);
        }
    }
    return source;
}

SourceIndex SourceTracker::obtain(const Probe& probe) {
    const SourceIndex source = table_.find(probe.pair);
    if (source != kNoIndex) {
        return source;
    }
    if (SingleProbe* single = singles_.find(probe.pair, second())) {
        return promote(*single, probe);
    }
    return make(probe);
}

SourceTracker::Reception SourceTracker::receive(Probe& probe) {
    if (!multi_target_.is_empty() && counts_all_targets(probe.source, probe.destination) &&
        multi_target_.receive(probe, key_of(probe), now_)) {
        return Reception::Taken;
    }
    SourceIndex source = table_.find(probe.pair);
    if (source == kNoIndex) {
        SingleProbe* single = singles_.find(probe.pair, second());
        if (single == nullptr || is_repetition(*single, probe)) {
            if (single == nullptr) {
                single = &singles_.add(single_of(probe));
            } else {
                repeat(*single, probe, expiry_of(probe.probe));
            }
            probe.single_place = singles_.place_of(*single);
            return slow_.has_running() && count_for_slow_scan(probe) ? Reception::WithoutLine
                                                                     : Reception::NewSource;
        }
        source = promote(*single, probe);
    }
    return count(source, probe);
}

SourceTracker::Reception SourceTracker::count(SourceIndex source, const Probe& probe) {
    if (table_.at(source).is_scanning && !admit(source, probe, PortState::Unanswered)) {
        return Reception::Taken;
    }
    table_.mark_seen(source, second());
    for (const ScanKind kind : kinds_of(probe.probe)) {
        if (!settings_.of(kind).is_enabled) {
            continue;
        }
        Counter& counter = obtain_counter(source, kind, expiry_of(kind));
        counter.packets += probe.packets;
        counter.bytes += std::uint64_t{probe.packets} * probe.bytes;
        if (counter.is_detected) {
            if (!take_between_lines(counter, second())) {
                follow(source, counter, probe);
            }
            return Reception::Taken;
        }
        if (slow_.has_burst_ended(counter, second())) {
            slow_.end_burst(table_.at(source), key_of(probe), counter);
            counter.latest_item_at =
                second();  // the next burst ends an idle time later at the earliest
        }
        list_ports(counter, probe.probe, probe.source_port, probe.destination_port);
    }
    return slow_.has_running() && count_for_slow_scan(probe) ? Reception::WithoutLine
                                                             : Reception::Known;
}

void SourceTracker::follow(SourceIndex source, Counter& counter, const Probe& probe) {
    if (!counter.has_next_line_begun) {
        slow_.forget_burst(slow_key_of(probe), counter);
        counter.begin_next_line();
    }
    if (!is_repetition_due(counter, settings_.of(counter.kind), probe, item_of(probe), second())) {
        return;
    }
    if (counter.group == kNoGroup) {
        reports_.report_repetition(table_.at(source), counter, now_);
        counter.begin_next_line();
    } else {
        reports_.judge_member(table_, source, counter, now_);
    }
}

bool SourceTracker::is_reached_by_one(ProbeClass probe) const {
    const auto kinds = kinds_of(probe);
    return std::any_of(kinds.begin(), kinds.end(), [&](ScanKind kind) {
        return settings_.of(kind).is_enabled && settings_.of(kind).threshold <= 1;
    });
}

void SourceTracker::count_port(const Probe& probe, PortState state) {
    if (probe.probe == ProbeClass::EchoRequest) {  // counted as it came
        if (seeks_hosts(probe.probe) && !probe.is_bare) {
            note_slow_host(probe);
        }
        return;
    }
    SourceIndex source = table_.find(probe.pair);
    const bool counts_now = counted_on(probe.probe) != CountedOn::RefusalOrSilence;
    bool is_new_source = false;
    if (source != kNoIndex) {
        if (counts_now && count(source, probe) == Reception::Taken) {
            return;
        }
    } else {
        SingleProbe* single = singles_.find(probe.pair, second(), probe.single_place);
        if (counts_now) {
            if (single == nullptr) {
                single = &singles_.add(single_of(probe));
            } else if (is_repetition(*single, probe)) {
                repeat(*single, probe, expiry_of(probe.probe));
            } else {
                source = promote(*single, probe);
                single = nullptr;
                count(source, probe);
            }
        }
        if (single != nullptr && single->probe == probe.probe &&
            single->destination_port == probe.destination_port) {
            is_new_source = !single->is_counted;
            single->is_counted = true;
            if (is_reached_by_one(probe.probe)) {
                source = promote(*single, probe);
            }
        }
    }
    if (source != kNoIndex && (!admit(source, probe, state) || count_item(source, probe, state))) {
        return;
    }
    if (is_next_host(probe.probe)) {
        return;
    }
    if (counts_all_targets(probe.source, probe.destination) &&
        multi_target_.count_port(probe, key_of(probe), state, now_)) {
        return;
    }
    if (is_tcp_scan_probe(probe.probe)) {
        if (const auto slow =
                slow_.add_probe(probe, slow_key_of(probe), target_of(probe), second())) {
            report_slow_scan(*slow);
        }
    }
    if (state == PortState::Closed && is_syn(probe.probe)) {
        note_beside_open_ports(probe);
    }
    if (!counts_now) {
        count_for_target(probe, state, is_new_source);
    }
    // Unanswered datagrams usually have arrived: offers of DHCP, streams.
    const bool is_expected_silence =
        probe.probe == ProbeClass::Datagram && state == PortState::Unanswered;
    if (seeks_hosts(probe.probe) && !is_expected_silence) {
        note_host(probe);
        note_slow_host(probe);
    }
}

bool SourceTracker::admit_by_interface(SourceIndex source, const Probe& probe, PortState state) {
    const auto admission = reports_.admit(table_.at(source), probe, state);
    if (admission == ScanReports::Admission::CountsAnew) {
        forget_dropped(source, slow_key_of(probe));
    }
    return admission != ScanReports::Admission::Dropped;
}

void SourceTracker::forget_dropped(SourceIndex source, PairKey slow_key) {
    table_.for_each_counter(source, [&](Counter& counter) {
        if (!counter.is_detected && !counter.was_refused) {
            slow_.forget_ports(slow_key, counter.kind, counter.counted_items.ports());
            counter.forget_ports();
        }
    });
}

bool SourceTracker::count_item(SourceIndex source, const Probe& probe, PortState state) {
    // NOLINTNEXTLINE(readability-use-anyofallof): each round counts
    for (const ScanKind kind : kinds_of(probe.probe)) {
        const DetectorSettings& settings = settings_.of(kind);
        Counter* counter = table_.find_counter(source, kind);
        if (!settings.is_enabled || counter == nullptr) {
            continue;
        }
        if (counter->is_detected) {
            return true;
        }
        add_item(*counter, item_of(probe), probe.source_port, probe.destination_port, second());
        counter->was_refused |= state == PortState::Closed;
        counter->checksums.add(probe.is_partial);
        if (settings.rate_threshold > 0) {
            const std::uint32_t rate = add_datagrams(*counter, probe, settings.rate_window);
            counter->rate_reached = is_rate_enough(*counter, settings, rate) ? rate : 0;
        }
        if (!are_ports_enough(*counter, settings) && counter->rate_reached == 0) {
            continue;
        }
        if (!reports_.report_detection(table_, source, *counter, now_)) {
            forget_dropped(source, slow_key_of(probe));
            return true;
        }
        slow_.forget_burst(slow_key_of(probe), *counter);
        if (counter->group == kNoGroup) {
            distributed_scans_.forget_source(probe.destination, probe.pair);
            multi_target_.forget(key_of(probe), kind);
        }
        return true;
    }
    return false;
}

void SourceTracker::take_back(const Probe& probe) {
    const SourceIndex source = table_.find(probe.pair);
    if (source != kNoIndex) {
        for (const ScanKind kind : kinds_of(probe.probe)) {
            Counter* counter = table_.find_counter(source, kind);
            if (counter != nullptr && !counter->is_detected) {
                counter->counted_items.remove(item_of(probe));
            }
        }
    } else if (SingleProbe* single = singles_.find(probe.pair, second(), probe.single_place)) {
        single->is_counted =
            single->is_counted &&
            (single->probe != probe.probe || single->destination_port != probe.destination_port);
    }
    if (counts_all_targets(probe.source, probe.destination)) {
        multi_target_.take_back(probe, key_of(probe));
    }
    if (is_tcp_scan_probe(probe.probe)) {
        slow_.take_back(probe, slow_key_of(probe), target_of(probe), second());
    }
}

bool SourceTracker::count_at_once(const Probe& probe) {
    const SourceIndex source = obtain(probe);
    const PortState state =
        probe.probe == ProbeClass::OpenPort ? PortState::Open : PortState::Unanswered;
    return !admit(source, probe, state) || count(source, probe) == Reception::Taken ||
           count_item(source, probe, PortState::Unanswered);
}

void SourceTracker::note_protocol(const Probe& probe) {
    if (!settings_.of(ScanKind::ProtocolScan).is_enabled) {
        return;
    }
    const bool is_multi_target = counts_all_targets(probe.source, probe.destination);
    if (is_multi_target && multi_target_.receive(probe, key_of(probe), now_)) {
        return;
    }
    if (!count_at_once(probe) && is_multi_target) {
        multi_target_.count_port(probe, key_of(probe), PortState::Unanswered, now_);
    }
}

void SourceTracker::note_open_port(const Probe& probe) {
    Probe open = probe;
    if (settings_.of(ScanKind::OpenPortProbing).is_enabled) {
        open.probe = ProbeClass::OpenPort;
        const SourceIndex source = obtain(open);
        Counter* counter = table_.find_counter(source, ScanKind::OpenPortProbing);
        if (counter != nullptr && !counter->is_detected &&
            counter->answer_at + kOpenPortSpan <= second()) {
            counter->forget_ports();
            counter->answer_at = second();
        }
        count_at_once(open);
        counter = table_.find_counter(source, ScanKind::OpenPortProbing);
        if (counter != nullptr && counter->answer_at == 0) {
            counter->answer_at = second();
        }
    }
    if (seeks_hosts(probe.probe)) {
        note_host(probe);
        // Monitoring connects to many hosts all day, but no connect() sends such a SYN.
        if (probe.probe == ProbeClass::RawSyn) {
            note_slow_host(probe);
        }
    }
}

void SourceTracker::note_beside_open_ports(Probe probe) {
    const SourceIndex source = table_.find(probe.pair);
    if (source != kNoIndex && !table_.at(source).is_scanning &&
        table_.find_counter(source, ScanKind::OpenPortProbing) != nullptr) {
        probe.probe = ProbeClass::OpenPort;
        count_at_once(probe);
    }
}

void SourceTracker::note_proof(const base::IpAddress& source, const base::IpAddress& destination) {
    const auto note = [&](Counter& counter) { sensor_detect::note_proof(counter, second()); };
    const PairKey pair = pair_of(source, destination);
    const PairKey key = key_of(source, destination, pair);
    if (const SourceIndex known = table_.find(pair); known != kNoIndex) {
        table_.for_each_counter(known, note);
    }
    if (key == pair) {
        return;
    }
    // A slow scan over all targets.
    const SourceIndex slow = table_.find(key);
    if (slow != kNoIndex && (table_.at(slow).extent == kNoIndex ||
                             extents_[table_.at(slow).extent].sources.contains(source))) {
        table_.for_each_counter(slow, note);
    }
    multi_target_.note_proof(source, key, second());
}

bool SourceTracker::note_answer(PairKey pair, const base::IpAddress& source,
                                const base::IpAddress& destination) {
    const SourceIndex known = table_.find(pair);
    if (known != kNoIndex && table_.at(known).is_scanning) {
        table_.for_each_counter(known, [&](Counter& counter) {
            if (counter.is_detected) {
                sensor_detect::note_answer(counter, settings_.of(counter.kind), second());
            }
        });
        return true;
    }
    return !multi_target_.is_empty() && counts_all_targets(source, destination) &&
           multi_target_.note_answer(key_of(source, destination, pair), second());
}

bool SourceTracker::receive_echo(Probe& probe) {
    if (!settings_.of(ScanKind::PingFlood).is_enabled) {
        return false;
    }
    if (is_reached_by_one(probe.probe)) {
        obtain(probe);
    }
    switch (receive(probe)) {
        case Reception::NewSource:
            return false;
        case Reception::Taken:
            return true;
        default:
            break;
    }
    const DetectorSettings& settings = settings_.of(ScanKind::PingFlood);
    const SourceIndex source = table_.find(probe.pair);
    Counter& counter = *table_.find_counter(source, ScanKind::PingFlood);
    if (counter.rate.add(millis_of(now_), settings.rate_window, 1) < settings.threshold) {
        return false;
    }
    counter.rate_reached = settings.threshold;
    reports_.report_detection(table_, source, counter, now_);
    return true;
}

bool SourceTracker::receive_bogus(const Probe& probe) {
    SourceIndex source = table_.find(probe.pair);
    if (source == kNoIndex) {
        SingleProbe* single = singles_.find(probe.pair, second());
        if (single == nullptr) {
            SingleProbe added = single_of(probe);
            added.expires_at = second() + kBogusLineInterval;
            singles_.add(added);
            return true;
        }
        if (single->probe == ProbeClass::Bogus) {
            return false;
        }
        source = promote(*single, probe);
    }
    table_.mark_seen(source, second());
    std::uint32_t& line_at = table_.at(source).bogus_line_at;
    if (line_at != 0 && second() < line_at + kBogusLineInterval) {
        return false;
    }
    line_at = second();
    return true;
}

std::optional<bool> SourceTracker::follow_traceroute(const Probe& probe, std::uint8_t ttl) {
    SourceIndex source = table_.find(probe.pair);
    if (source == kNoIndex) {
        SingleProbe* single = singles_.find(probe.pair, second());
        if (single == nullptr) {
            if (ttl != 1) {
                return std::nullopt;
            }
            SingleProbe first = single_of(probe);
            first.probe = ProbeClass::Hop;
            singles_.add(first);
            return false;
        }
        if (ttl != 1 && single->probe != ProbeClass::Hop) {
            return std::nullopt;
        }
        source = promote(*single, probe);
    }
    TracerouteRun& run = table_.at(source).traceroute;
    if (!add_to_traceroute(run, ttl, second())) {
        return std::nullopt;
    }
    table_.mark_seen(source, second());
    return is_traceroute(run) && take_traceroute_line(run, second());
}

void SourceTracker::end_counter(const SourceState& state, const Counter& counter) {
    reports_.report_end(state, counter, now_);
    if (counter.kind == ScanKind::SlowScan) {
        slow_.note_end();
    }
    const bool is_of_pair = state.destination != base::IpAddress();
    if (is_of_pair && is_tcp_port_scan(counter.kind)) {
        const PairKey key = key_of(state.source, state.destination, state.pair);
        if (counter.is_detected) {
            slow_.forget_burst(key, counter);
        } else {
            slow_.end_burst(state, key, counter);
        }
    }
}

void SourceTracker::make_room(SourceIndex spared) {
    const SourceIndex victim = table_.next_victim(spared);
    table_.for_each_counter(
        victim, [&](const Counter& counter) { end_counter(table_.at(victim), counter); });
    table_.evict(victim);
}

void SourceTracker::end_all_counters() {
    while (const auto ended = table_.take_any()) {
        end_counter(ended->state, ended->counter);
    }
}

TargetProbe SourceTracker::target_probe_of(const Probe& probe, bool is_new_source) const {
    TargetProbe target_probe;
    target_probe.destination = probe.destination;
    target_probe.port = probe.destination_port;
    target_probe.source_port = probe.source_port;
    target_probe.source_hash = probe.pair;
    target_probe.is_new_source = is_new_source;
    target_probe.packets = probe.packets;
    target_probe.bytes = probe.bytes;
    target_probe.second = second();
    target_probe.time = now_;
    return target_probe;
}

void SourceTracker::report(const std::optional<TargetDetection>& detection) {
    if (detection) {
        reports_.report_target(*detection, now_);
    }
}

void SourceTracker::count_for_target(const Probe& probe, PortState state, bool is_new_source) {
    if (transport_of(probe.probe) == sensor_packet::Transport::Udp) {
        if (is_new_source) {
            note_unasked(ScanKind::DatagramFlood, probe);
        }
        return;
    }
    if (!is_tcp_scan_probe(probe.probe)) {
        return;
    }
    const TargetProbe target_probe = target_probe_of(probe, is_new_source);
    const DetectorSettings& settings = settings_.of(ScanKind::DistributedScan);
    if (settings.is_enabled) {
        report(distributed_scans_.add_probe(target_probe, settings));
    }
    if (is_syn(probe.probe)) {
        // A refused SYN leaves no half-open connection, so only hand-made SYNs count as a flood
        // then.
        const bool is_half_open = state == PortState::Unanswered || probe.is_bare;
        note_attempt(is_half_open ? ScanKind::SynFlood : ScanKind::RefusedConnections,
                     target_probe);
    }
}

void SourceTracker::note_attempt(ScanKind kind, const TargetProbe& probe) {
    const DetectorSettings& settings = settings_.of(kind);
    if (settings.is_enabled) {
        report(syn_floods_.add_attempt(kind, probe, settings));
    }
}

void SourceTracker::note_half_open(const Probe& probe, bool is_new_source) {
    note_attempt(ScanKind::SynFlood, target_probe_of(probe, is_new_source));
}

void SourceTracker::note_unanswered_open_port(const Probe& probe) {
    const bool is_in_table = table_.find(probe.pair) != kNoIndex;
    const SingleProbe* single =
        is_in_table ? nullptr : singles_.find(probe.pair, second(), probe.single_place);
    note_half_open(probe, single != nullptr && single->packets == probe.packets);
}

void SourceTracker::note_unasked(ScanKind kind, const Probe& probe) {
    const DetectorSettings& settings = settings_.of(kind);
    if (settings.is_enabled) {
        report(reflections_.add_source(kind, target_probe_of(probe, true), settings));
    }
}

void SourceTracker::sweep(Second second) {
    while (const auto ended = table_.take_expired(second)) {
        end_counter(ended->state, ended->counter);
    }
    multi_target_.sweep(now_, second);
    report_ended_bursts();
    singles_.expire(second);
    while (const auto ended = targets_.end_one(second)) {
        reports_.report_target(*ended, now_);
    }
}

std::optional<Second> SourceTracker::next_sweep() const {
    if (slow_.has_ended_bursts()) {
        return second() + 1;
    }
    std::optional<std::uint32_t> next;
    for (const auto& due : {table_.next_sweep(), multi_target_.next_sweep(), targets_.next_end()}) {
        if (due && (!next || *due < *next)) {
            next = due;
        }
    }
    return next;
}

void SourceTracker::end_all() {
    end_all_counters();
    multi_target_.drop_all(now_);
    report_ended_bursts();
    end_all_counters();
    while (const auto ended = targets_.end_one(std::numeric_limits<std::uint32_t>::max())) {
        reports_.report_target(*ended, now_);
    }
}

void SourceTracker::end_all_and_reset() {
    end_all();
    singles_.clear();
    slow_.clear();
    slow_hosts_.clear();
    arp_requests_ = FlowMemory();
}

}  // namespace portcullis::sensor_detect
