#include "sensor/detect/probe_ledger.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace portcullis::sensor_detect {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A line for bogus flags of one source at most that often.
constexpr std::uint32_t kBogusLineInterval = 60;
// For so long a source is remembered that did nothing that counts.
constexpr std::uint32_t kKeepWithoutKind = 60;

// A part of the sources has room for counters. A flood of forged ones rarely needs it.
constexpr std::size_t kSourcesPerCounted = 4;

std::size_t counted_sources(const TrackerSettings& settings) {
    return std::max<std::size_t>(settings.max_sources / kSourcesPerCounted, 1);
}

bool is_syn(ProbeClass probe) {
    return probe == ProbeClass::Connect || probe == ProbeClass::RawSyn;
}

bool is_tcp_scan_probe(ProbeClass probe) {
    const auto kinds = kinds_of(probe);
    return !kinds.empty() && is_tcp_port_scan(kinds.front());
}

// What must differ to count: the port, or the host for which note_host() puts a hash in its place.
std::uint16_t door_of(ProbeClass probe, std::uint16_t source_port, std::uint16_t destination_port) {
    return is_next_host(probe) ? source_port : destination_port;
}

std::uint16_t door_of(const Probe& probe) {
    return door_of(probe.probe, probe.source_port, probe.destination_port);
}

// The very same question once more: it needs no room of its own.
bool is_repetition(const Contact& contact, const Probe& probe) {
    const std::uint32_t bytes = std::uint32_t{probe.packets} * probe.bytes;
    return contact.probe == probe.probe && contact.source_port == probe.source_port &&
           contact.destination_port == probe.destination_port &&
           (is_tcp_scan_probe(probe.probe) || is_next_host(probe.probe)) &&
           contact.packets + probe.packets <= std::numeric_limits<std::uint8_t>::max() &&
           contact.bytes + bytes <= std::numeric_limits<std::uint16_t>::max();
}

void repeat(Contact& contact, const Probe& probe, std::uint32_t expires_at) {
    contact.packets = static_cast<std::uint8_t>(contact.packets + probe.packets);
    contact.bytes = static_cast<std::uint16_t>(contact.bytes + probe.packets * probe.bytes);
    contact.expires_at = expires_at;
}

// The ports of a probe, for the log: what note_host() puts in their place is none.
void list_ports(Counter& counter, ProbeClass probe, std::uint16_t source_port,
                std::uint16_t destination_port) {
    if (probe != ProbeClass::EchoRequest && probe != ProbeClass::NextEchoHost) {
        counter.destination_ports.add(destination_port);
    }
    if (probe != ProbeClass::EchoRequest && !is_next_host(probe)) {
        counter.source_ports.add(source_port);
    }
}

milliseconds millis_of(base::Timestamp time) {
    return duration_cast<milliseconds>(time.time_since_epoch());
}

}  // namespace

ProbeLedger::ProbeLedger(const TrackerSettings& settings, ObservationSink& sink)
    : settings_(settings),
      contacts_(settings.max_sources - std::min(settings.max_sources, counted_sources(settings))),
      table_(counted_sources(settings), *this),
      slow_(settings.max_sources),
      reports_(settings, table_, sink) {}

void ProbeLedger::set_time(base::Timestamp now) {
    now_ = now;
    second_ = static_cast<std::uint32_t>(duration_cast<seconds>(now.time_since_epoch()).count());
    reports_.set_time(now);
}

std::uint64_t ProbeLedger::pair_of(const base::IpAddress& source,
                                   const base::IpAddress& destination) {
    if (source != last_source_ || destination != last_destination_) {
        last_source_ = source;
        last_destination_ = destination;
        last_pair_ = hash_.of(source, destination, 0);
    }
    return last_pair_;
}

std::uint32_t ProbeLedger::expiry_of(ScanKind kind) const {
    return second() + static_cast<std::uint32_t>(settings_.of(kind).idle.count());
}

std::uint32_t ProbeLedger::expiry_of(ProbeClass probe) const {
    std::uint32_t expiry = 0;
    for (const ScanKind kind : kinds_of(probe)) {
        if (settings_.of(kind).is_enabled) {
            expiry = std::max(expiry, expiry_of(kind));
        }
    }
    return expiry != 0 ? expiry : second() + kKeepWithoutKind;
}

Contact ProbeLedger::contact_of(const Probe& probe) const {
    Contact contact{};
    contact.pair = probe.pair;
    contact.expires_at = expiry_of(probe.probe);
    contact.seen = second();
    contact.seen_millis = static_cast<std::uint16_t>(millis_of(now_).count() % 1000);
    contact.source_port = probe.source_port;
    contact.destination_port = probe.destination_port;
    contact.packets = static_cast<std::uint8_t>(
        std::min<std::uint32_t>(probe.packets, std::numeric_limits<std::uint8_t>::max()));
    contact.bytes = static_cast<std::uint16_t>(std::min<std::uint32_t>(
        std::uint32_t{contact.packets} * probe.bytes, std::numeric_limits<std::uint16_t>::max()));
    contact.probe = probe.probe;
    return contact;
}

std::uint32_t ProbeLedger::promote(Contact& contact, const Probe& probe) {
    const Contact first = contact;
    contacts_.remove(contact);
    const std::uint32_t source = table_.make(probe.pair, probe.source, probe.destination, second());
    if (first.probe == ProbeClass::Bogus) {
        table_.at(source).bogus_line_at = first.seen;
    } else if (first.probe == ProbeClass::Hop) {
        TracerouteRun& run = table_.at(source).traceroute;
        run.follow(1, first.seen);
        run.is_line_due(first.seen);
    }
    const std::uint16_t door = door_of(first.probe, first.source_port, first.destination_port);
    for (const ScanKind kind : kinds_of(first.probe)) {
        const DetectorSettings& settings = settings_.of(kind);
        if (!settings.is_enabled) {
            continue;
        }
        Counter& counter = table_.obtain_counter(source, kind, first.expires_at);
        counter.packets += first.packets;
        counter.bytes += first.bytes;
        list_ports(counter, first.probe, first.source_port, first.destination_port);
        if (first.is_touched) {
            counter.add_door(door, first.seen);
        }
        if (settings.rate_window.count() > 0 &&
            (first.is_touched || first.probe == ProbeClass::EchoRequest)) {
            counter.rate.add(seconds(first.seen) + milliseconds(first.seen_millis),
                             settings.rate_window, first.packets);
        }
    }
    return source;
}

std::uint32_t ProbeLedger::obtain(const Probe& probe) {
    const std::uint32_t source = table_.find(probe.pair);
    if (source != kNoIndex) {
        return source;
    }
    if (Contact* contact = contacts_.find(probe.pair, second())) {
        return promote(*contact, probe);
    }
    return table_.make(probe.pair, probe.source, probe.destination, second());
}

ProbeLedger::Reception ProbeLedger::receive(Probe& probe) {
    std::uint32_t source = table_.find(probe.pair);
    if (source == kNoIndex) {
        Contact* contact = contacts_.find(probe.pair, second());
        if (contact == nullptr) {
            probe.contact = contacts_.place_of(contacts_.add(contact_of(probe)));
            return Reception::NewSource;
        }
        if (is_repetition(*contact, probe)) {
            probe.contact = contacts_.place_of(*contact);
            repeat(*contact, probe, expiry_of(probe.probe));
            return Reception::NewSource;
        }
        source = promote(*contact, probe);
    }
    return count(source, probe);
}

ProbeLedger::Reception ProbeLedger::count(std::uint32_t source, const Probe& probe) {
    table_.touch(source, second());
    const auto add = [&](ScanKind kind) -> Counter& {
        Counter& counter = table_.obtain_counter(source, kind, expiry_of(kind));
        counter.packets += probe.packets;
        counter.bytes += std::uint64_t{probe.packets} * probe.bytes;
        return counter;
    };
    for (const ScanKind kind : kinds_of(probe.probe)) {
        if (!settings_.of(kind).is_enabled) {
            continue;
        }
        Counter& counter = add(kind);
        if (counter.is_detected) {
            return Reception::Taken;
        }
        if (is_visit_over(counter)) {
            end_visit(table_.at(source), counter);
            counter.latest_door = second();  // not before as much time again
        }
        list_ports(counter, probe.probe, probe.source_port, probe.destination_port);
    }
    if (table_.at(source).is_slow && is_tcp_scan_probe(probe.probe)) {
        if (table_.find_counter(source, ScanKind::SlowScan) != nullptr) {
            add(ScanKind::SlowScan);
            return Reception::Silent;
        }
        table_.at(source).is_slow = false;
    }
    return Reception::Known;
}

bool ProbeLedger::is_reached_by_one(ProbeClass probe) const {
    const auto kinds = kinds_of(probe);
    return std::any_of(kinds.begin(), kinds.end(), [&](ScanKind kind) {
        return settings_.of(kind).is_enabled && settings_.of(kind).threshold <= 1;
    });
}

void ProbeLedger::touch(const Probe& probe, Door door) {
    if (probe.probe == ProbeClass::EchoRequest) {  // counted as it came: only the host is new
        note_host(probe, door);
        return;
    }
    std::uint32_t source = table_.find(probe.pair);
    const bool counts_now = evidence_of(probe.probe) != Evidence::Silence;
    bool is_new_source = false;
    if (source != kNoIndex) {
        if (counts_now && count(source, probe) == Reception::Taken) {
            return;
        }
    } else {
        Contact* contact = contacts_.find(probe.pair, second(), probe.contact);
        if (counts_now) {
            if (contact == nullptr) {
                contact = &contacts_.add(contact_of(probe));
            } else if (is_repetition(*contact, probe)) {
                repeat(*contact, probe, expiry_of(probe.probe));
            } else {
                source = promote(*contact, probe);
                contact = nullptr;
                count(source, probe);
            }
        }
        if (contact != nullptr && contact->probe == probe.probe &&
            contact->destination_port == probe.destination_port) {
            is_new_source = !contact->is_touched;
            contact->is_touched = true;
            if (is_reached_by_one(probe.probe)) {
                source = promote(*contact, probe);
            }
        }
    }
    if (source != kNoIndex && count_door(source, probe)) {
        return;
    }
    if (is_tcp_scan_probe(probe.probe)) {
        note_slow(probe);
        if (!counts_now) {
            note_crowd(probe, is_new_source);
        }
    }
    note_host(probe, door);
}

bool ProbeLedger::count_door(std::uint32_t source, const Probe& probe) {
    for (const ScanKind kind : kinds_of(probe.probe)) {
        const DetectorSettings& settings = settings_.of(kind);
        Counter* counter = table_.find_counter(source, kind);
        if (!settings.is_enabled || counter == nullptr) {
            continue;
        }
        if (counter->is_detected) {
            return true;
        }
        counter->add_door(door_of(probe), second());
        bool is_reached = counter->counted_ports.size() >= settings.threshold;
        if (settings.rate_window.count() > 0) {
            is_reached |= counter->rate.add(millis_of(probe.arrival), settings.rate_window,
                                            probe.packets) >= settings.threshold;
        }
        if (is_reached) {
            reports_.detected(source, *counter);
            forget_visit(probe.pair, *counter);
            return true;
        }
    }
    return false;
}

bool ProbeLedger::receive_echo(Probe& probe) {
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
    const std::uint32_t source = table_.find(probe.pair);
    Counter& counter = *table_.find_counter(source, ScanKind::PingFlood);
    if (counter.rate.add(millis_of(now_), settings.rate_window, 1) < settings.threshold) {
        return false;
    }
    reports_.detected(source, counter);
    return true;
}

bool ProbeLedger::receive_bogus(const Probe& probe) {
    std::uint32_t source = table_.find(probe.pair);
    if (source == kNoIndex) {
        Contact* contact = contacts_.find(probe.pair, second());
        if (contact == nullptr) {
            Contact added = contact_of(probe);
            added.expires_at = second() + kBogusLineInterval;
            contacts_.add(added);
            return true;
        }
        if (contact->probe == ProbeClass::Bogus) {
            return false;
        }
        source = promote(*contact, probe);
    }
    table_.touch(source, second());
    std::uint32_t& line_at = table_.at(source).bogus_line_at;
    if (line_at != 0 && second() < line_at + kBogusLineInterval) {
        return false;
    }
    line_at = second();
    return true;
}

std::optional<bool> ProbeLedger::follow_traceroute(const Probe& probe, std::uint8_t ttl) {
    std::uint32_t source = table_.find(probe.pair);
    if (source == kNoIndex) {
        Contact* contact = contacts_.find(probe.pair, second());
        if (contact == nullptr) {
            if (ttl != 1) {
                return std::nullopt;
            }
            Contact first = contact_of(probe);
            first.probe = ProbeClass::Hop;
            contacts_.add(first);
            return true;
        }
        if (ttl != 1 && contact->probe != ProbeClass::Hop) {
            return std::nullopt;
        }
        source = promote(*contact, probe);
    }
    TracerouteRun& run = table_.at(source).traceroute;
    if (!run.follow(ttl, second())) {
        return std::nullopt;
    }
    table_.touch(source, second());
    return run.is_line_due(second());
}

void ProbeLedger::note_slow(const Probe& probe) {
    const DetectorSettings& settings = settings_.of(ScanKind::SlowScan);
    if (!settings.is_enabled) {
        return;
    }
    const std::uint32_t known = table_.find(probe.pair);
    if (known != kNoIndex && table_.at(known).is_slow) {
        // One that waited for an answer when the scan was found.
        Counter* counter = table_.find_counter(known, ScanKind::SlowScan);
        if (counter != nullptr && probe.arrival < table_.at(known).slow_since &&
            evidence_of(probe.probe) == Evidence::Silence) {
            counter->packets += probe.packets;
            counter->bytes += std::uint64_t{probe.packets} * probe.bytes;
        }
        return;
    }
    SlowMemory::Touch touch;
    touch.pair = probe.pair;
    touch.source = probe.source;
    touch.destination = probe.destination;
    touch.port = probe.destination_port;
    touch.packets = probe.packets;
    touch.bytes = probe.bytes;
    touch.second = second();
    const SlowMemory::Limits limits = slow_limits();
    const std::size_t ports = slow_.add(touch, limits.window);
    if (ports < limits.ports || (known != kNoIndex && is_one_visit(known, ports))) {
        return;
    }
    if (auto finding = slow_.take(probe.pair, limits)) {
        finding->source = probe.source;
        finding->destination = probe.destination;
        if (finding->ports.size() == 0) {  // a bitmap was left
            finding->ports.add(probe.destination_port);
            finding->bytes = finding->packets * probe.bytes;
        }
        SourcePorts from;
        from.add(probe.source_port);
        report_slow(*finding, from);
    }
}

bool ProbeLedger::is_one_visit(std::uint32_t source, std::size_t remembered) {
    PortList<2 * kMaxPortThreshold> ports;  // more than a slow scan may have
    std::size_t threshold = 0;
    for (const ScanKind kind : kTcpPortScans) {
        threshold = std::max<std::size_t>(threshold, settings_.of(kind).threshold);
        const Counter* counter = table_.find_counter(source, kind);
        if (counter != nullptr && !counter->is_detected) {
            for (const std::uint16_t port : counter->counted_ports.ports()) {
                ports.add(port);
            }
        }
    }
    // With more than any threshold it is a mixture that no single kind would ever report.
    return remembered <= ports.size() && ports.size() < threshold;
}

SlowMemory::Limits ProbeLedger::slow_limits() const {
    const DetectorSettings& settings = settings_.of(ScanKind::SlowScan);
    SlowMemory::Limits limits;
    limits.ports = settings.threshold;
    limits.window =
        static_cast<std::uint32_t>(duration_cast<seconds>(settings.rate_window).count());
    return limits;
}

void ProbeLedger::begin_slow(const SlowMemory::Finding& finding, const SourcePorts& from) {
    Probe probe;
    probe.pair = finding.pair;
    probe.source = finding.source;
    probe.destination = finding.destination;
    const std::uint32_t source = obtain(probe);
    table_.touch(source, second());
    Counter& counter =
        table_.obtain_counter(source, ScanKind::SlowScan, expiry_of(ScanKind::SlowScan));
    counter.packets = finding.packets;
    counter.bytes = finding.bytes;
    counter.destination_ports = finding.ports;
    counter.source_ports = from;
    table_.at(source).is_slow = true;
    table_.at(source).slow_since = now_;
    table_.mark_scanning(source);  // those that begin with it must not take its room
}

void ProbeLedger::report_slow(const SlowMemory::Finding& finding, const SourcePorts& from) {
    const DetectorSettings& decoys = settings_.of(ScanKind::Decoys);
    std::vector<SlowMemory::Finding> walkers{finding};
    if (decoys.is_enabled && reports_.has_room_for_group()) {
        const auto others = slow_.in_step(
            finding,
            static_cast<std::uint32_t>(duration_cast<seconds>(decoys.rate_window).count()));
        if (others.size() + 1 >= decoys.threshold) {
            walkers.insert(walkers.end(), others.begin(), others.end());
        }
    }
    for (const SlowMemory::Finding& walker : walkers) {
        slow_.forget(walker.pair);
        begin_slow(walker, walker.pair == finding.pair ? from : SourcePorts());
    }
    std::vector<std::uint32_t> members;
    for (const SlowMemory::Finding& walker : walkers) {
        const std::uint32_t source = table_.find(walker.pair);
        if (source != kNoIndex) {  // else its room was needed at once
            members.push_back(source);
        }
    }
    if (members.size() > 1) {
        reports_.detected_together(members, ScanKind::SlowScan);
    } else if (!members.empty()) {
        reports_.detected(members.front(),
                          *table_.find_counter(members.front(), ScanKind::SlowScan));
    }
}

void ProbeLedger::on_counter_over(const SourceState& state, const Counter& counter) {
    reports_.over(state, counter);
    if (is_tcp_port_scan(counter.kind)) {
        if (counter.is_detected) {
            forget_visit(state.pair, counter);
        } else {
            end_visit(state, counter);
        }
    }
}

void ProbeLedger::forget_visit(std::uint64_t pair, const Counter& counter) {
    if (!is_tcp_port_scan(counter.kind)) {
        return;  // a report for which nobody is blocked pardons nothing
    }
    if (counter.group == kNoGroup) {
        slow_.forget(pair);
    } else {  // nobody can say that it was he: only these ports are told
        slow_.forget(pair, counter.counted_ports.ports());
    }
}

bool ProbeLedger::is_visit_over(const Counter& counter) const {
    return is_tcp_port_scan(counter.kind) && counter.latest_door != 0 &&
           counter.latest_door + settings_.of(counter.kind).idle.count() <= second();
}

void ProbeLedger::end_visit(const SourceState& state, const Counter& counter) {
    // A source may have several before they are told. Whoever finds no room is reported when he
    // comes back.
    const std::size_t most = counted_sources(settings_);
    const DetectorSettings& slow = settings_.of(ScanKind::SlowScan);
    if (slow.is_enabled && visits_.size() < most && slow_.ports_of(state.pair) >= slow.threshold) {
        visits_.push_back({state.pair, state.source, state.destination, counter.destination_ports,
                           counter.source_ports, counter.bytes});
    }
}

void ProbeLedger::report_visits() {
    while (!visits_.empty()) {  // a report may end others, if it needs their room
        const std::vector<Visit> ended = std::exchange(visits_, {});
        for (const Visit& visit : ended) {
            auto finding = slow_.take(visit.pair, slow_limits());
            if (!finding) {
                continue;
            }
            finding->source = visit.source;
            finding->destination = visit.destination;
            if (finding->ports.size() == 0) {  // a bitmap was left
                finding->ports = visit.ports;
                finding->bytes = visit.bytes;
            }
            report_slow(*finding, visit.source_ports);
        }
    }
}

CrowdWatch::Touch ProbeLedger::crowd_touch(const Probe& probe, bool is_new_source) const {
    CrowdWatch::Touch touch;
    touch.destination = probe.destination;
    touch.port = probe.destination_port;
    touch.source_hash = probe.pair;
    touch.is_new_source = is_new_source;
    touch.packets = probe.packets;
    touch.bytes = probe.bytes;
    touch.time = now_;
    return touch;
}

void ProbeLedger::note_crowd(const Probe& probe, bool is_new_source) {
    const DetectorSettings& settings = settings_.of(ScanKind::DistributedScan);
    if (settings.is_enabled) {
        if (const auto report = crowds_.add_door(crowd_touch(probe, is_new_source), settings)) {
            reports_.crowd(*report);
        }
    }
    if (is_syn(probe.probe)) {
        half_open(probe, is_new_source);
    }
}

void ProbeLedger::half_open(const Probe& probe, bool is_new_source) {
    const DetectorSettings& settings = settings_.of(ScanKind::SynFlood);
    if (settings.is_enabled) {
        if (const auto report =
                crowds_.add_half_open(crowd_touch(probe, is_new_source), settings)) {
            reports_.crowd(*report);
        }
    }
}

bool ProbeLedger::seeks_hosts(ProbeClass probe) const {
    const ProbeClass next = next_host_of(probe);
    return settings_.watches_networks && next != ProbeClass::None &&
           settings_.of(kinds_of(next).front()).is_enabled;
}

void ProbeLedger::note_host(const Probe& probe, Door door) {
    // What is sent by UDP and not answered has arrived, as a rule: offers of DHCP, streams.
    const bool is_expected_silence = probe.probe == ProbeClass::Datagram && door == Door::Silent;
    if (!seeks_hosts(probe.probe) || is_expected_silence) {
        return;
    }
    Probe host = probe;
    host.probe = next_host_of(probe.probe);
    host.pair = hash_.of(probe.source, base::IpAddress(), 1);
    host.source_port = static_cast<std::uint16_t>(hash_.of(probe.destination));
    const std::uint32_t source = table_.find(host.pair);
    if (source != kNoIndex) {
        table_.at(source).destination = probe.destination;  // the line names the one asked last
    }
    touch(host, door);
}

void ProbeLedger::sweep(std::uint32_t second) {
    table_.sweep(second);
    report_visits();
    contacts_.expire(second);
    while (const auto report = crowds_.end_one(second)) {
        reports_.crowd(*report);
    }
}

std::optional<std::uint32_t> ProbeLedger::next_sweep() const {
    if (!visits_.empty()) {
        return second() + 1;
    }
    const auto counters = table_.next_sweep();
    const auto crowds = crowds_.next_end();
    if (!counters || !crowds) {
        return counters ? counters : crowds;
    }
    return std::min(*counters, *crowds);
}

void ProbeLedger::clear() {
    table_.clear();
    report_visits();
    table_.clear();
    contacts_.clear();
    slow_.clear();
    while (const auto report = crowds_.end_one(std::numeric_limits<std::uint32_t>::max())) {
        reports_.crowd(*report);
    }
}

}  // namespace portcullis::sensor_detect
