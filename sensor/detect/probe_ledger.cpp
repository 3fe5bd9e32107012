#include "sensor/detect/probe_ledger.hpp"

#include <algorithm>
#include <limits>

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
      reports_(settings, table_, sink),
      slow_(settings, table_, reports_, *this, counted_sources(settings)) {}

void ProbeLedger::set_time(base::Timestamp now) {
    now_ = now;
    second_ = static_cast<std::uint32_t>(duration_cast<seconds>(now.time_since_epoch()).count());
    reports_.set_time(now);
    slow_.set_time(now);
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
        if (slow_.is_visit_over(counter)) {
            slow_.end_visit(table_.at(source), counter);
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
        slow_.touch(probe);
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
            slow_.forget_visit(probe.pair, *counter);
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

void ProbeLedger::on_counter_over(const SourceState& state, const Counter& counter) {
    reports_.over(state, counter);
    if (is_tcp_port_scan(counter.kind)) {
        if (counter.is_detected) {
            slow_.forget_visit(state.pair, counter);
        } else {
            slow_.end_visit(state, counter);
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
    slow_.report_visits();
    contacts_.expire(second);
    while (const auto report = crowds_.end_one(second)) {
        reports_.crowd(*report);
    }
}

std::optional<std::uint32_t> ProbeLedger::next_sweep() const {
    if (slow_.has_visits()) {
        return second() + 1;
    }
    const auto counters = table_.next_sweep();
    const auto crowds = crowds_.next_end();
    if (!counters || !crowds) {
        return counters ? counters : crowds;
    }
    return std::min(*counters, *crowds);
}

void ProbeLedger::end_all() {
    table_.clear();
    slow_.report_visits();
    table_.clear();
    while (const auto report = crowds_.end_one(std::numeric_limits<std::uint32_t>::max())) {
        reports_.crowd(*report);
    }
}

void ProbeLedger::clear() {
    end_all();
    contacts_.clear();
    slow_.clear();
}

}  // namespace portcullis::sensor_detect
