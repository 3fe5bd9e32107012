#include "sensor/detect/multi_target_detector.hpp"

#include <algorithm>

#include "sensor/detect/counting.hpp"
#include "sensor/detect/probe_classes.hpp"

namespace portcullis::sensor_detect {
namespace {

// Time within which a second pair of a source joins the first, in seconds: the idle time of scans.
constexpr std::uint32_t kMarkMemory = 50;

// Several hosts often share fewer closed ports than this: streams to collectors, a moved web
// server.
constexpr std::size_t kFewestPorts = 2;
constexpr std::size_t kFewestDatagramPorts = 10;

bool is_multi_target_kind(ScanKind kind) {
    return is_tcp_port_scan(kind) || kind == ScanKind::UdpScan || kind == ScanKind::SctpScan ||
           kind == ScanKind::ProtocolScan;
}

// The idle time of a kind, in seconds.
Second idle_of(const TrackerSettings& settings, ScanKind kind) {
    return static_cast<Second>(settings.of(kind).idle.count());
}

}  // namespace

MultiTargetDetector::MultiTargetDetector(const TrackerSettings& settings,
                                         const base::KeyedHash& hash, Pairs pairs, Extents& extents,
                                         ScanReports& reports)
    : settings_(settings),
      hash_(hash),
      pairs_(pairs),
      extents_(extents),
      reports_(reports),
      table_(kMostMultiTargetSources, &extents),
      marks_(kMarks) {}

std::uint16_t MultiTargetDetector::item_of(const base::IpAddress& target,
                                           std::uint16_t port) const {
    return static_cast<std::uint16_t>(hash_.of(hash_.of(target) + port));
}

bool MultiTargetDetector::count(const Probe& probe, PairKey key, base::Timestamp now) {
    const Second second = second_of(now);
    const SourceIndex source = table_.find(key);
    if (source == kNoIndex) {
        return false;
    }
    if (table_.at(source).is_scanning && !admit(source, probe, PortState::Unanswered)) {
        return true;
    }
    table_.mark_seen(source, second);
    for (const ScanKind kind : kinds_of(probe.probe)) {
        Counter* counter = settings_.of(kind).is_enabled && is_multi_target_kind(kind)
                               ? table_.find_counter(source, kind)
                               : nullptr;
        if (counter == nullptr) {
            continue;
        }
        counter->packets += probe.packets;
        counter->bytes += std::uint64_t{probe.packets} * probe.bytes;
        counter->expires_at = std::max(counter->expires_at, second + idle_of(settings_, kind));
        if (counter->is_detected) {
            Extent& extent = extents_[table_.at(source).extent];
            extent.targets.add(probe.destination);
            extent.sources.add_latest(probe.source);
            if (!counter->has_next_line_begun) {
                counter->begin_next_line();
            }
            if (!take_between_lines(*counter, second) &&
                is_repetition_due(*counter, settings_.of(kind), probe,
                                  item_of(probe.destination, probe.destination_port), second)) {
                if (counter->group == kNoGroup) {
                    reports_.report_repetition(table_.at(source), *counter, now);
                    counter->begin_next_line();
                } else {
                    reports_.judge_member(table_, source, *counter, now);
                }
            }
            return true;
        }
    }
    return false;
}

bool MultiTargetDetector::admit(SourceIndex source, const Probe& probe, PortState state) {
    const auto admission = reports_.admit(table_.at(source), probe, state);
    if (admission == ScanReports::Admission::CountsAnew) {
        forget_dropped(source);
    }
    return admission != ScanReports::Admission::Dropped;
}

void MultiTargetDetector::forget_dropped(SourceIndex source) {
    table_.for_each_counter(source, [](Counter& counter) {
        if (!counter.is_detected && !counter.was_refused) {
            counter.forget_ports();
        }
    });
}

void MultiTargetDetector::take_over(SourceIndex source, PairKey pair, const base::IpAddress& target,
                                    const base::IpAddress& from, base::Timestamp now) {
    const Second second = second_of(now);
    Extent& extent = extents_[table_.at(source).extent];
    extent.targets.add(target);
    extent.sources.add_latest(from);
    const SourceIndex known = pairs_.table.find(pair);
    if (known == kNoIndex) {
        const SingleProbe* single = pairs_.singles.find(pair, second);
        if (single == nullptr || !single->is_counted) {
            return;
        }
        for (const ScanKind kind : kinds_of(single->probe)) {
            if (!is_multi_target_kind(kind) || !settings_.of(kind).is_enabled) {
                continue;
            }
            Counter& counter = obtain_counter(source, kind, now);
            counter.packets += single->packets;
            counter.bytes += single->bytes;
            list_ports(counter, single->probe, single->source_port_or_host,
                       single->destination_port);
            add_item(counter, item_of(target, single->destination_port),
                     single->source_port_or_host, single->destination_port, second);
        }
        return;
    }
    pairs_.table.for_each_counter(known, [&](const Counter& counted) {
        if (!is_multi_target_kind(counted.kind) || counted.is_detected) {
            return;
        }
        Counter& counter = obtain_counter(source, counted.kind, now);
        counter.packets += counted.packets;
        counter.bytes += counted.bytes;
        counter.was_refused |= counted.was_refused;
        counter.checksums.add(counted.checksums);
        for (const std::uint16_t port : counted.counted_items.ports()) {
            counter.add_item(item_of(target, port), second);
            counter.destination_ports.add(port);
        }
        for (const std::uint16_t port : counted.source_ports.ports()) {
            counter.source_ports.add(port);
        }
    });
}

SourceIndex MultiTargetDetector::begin(const Probe& probe, PairKey key, PortState state,
                                       base::Timestamp now) {
    const Second second = second_of(now);
    Mark& mark = marks_[key & (kMarks - 1)];
    const auto fingerprint = static_cast<std::uint32_t>(key >> 32);
    if (mark.second == 0 || mark.fingerprint != fingerprint || mark.second + kMarkMemory < second) {
        mark = Mark{probe.pair, fingerprint, second, probe.source, probe.destination};
        return kNoIndex;
    }
    mark.second = second;
    if (mark.pair == probe.pair) {
        return kNoIndex;
    }
    const auto extent = extents_.take();
    if (!extent) {
        return kNoIndex;
    }
    if (!table_.has_room()) {
        make_room(now);
    }
    const SourceIndex source = table_.make(key, probe.source, base::IpAddress(), second);
    table_.at(source).extent = *extent;
    const SourceIndex first = pairs_.table.find(mark.pair);
    const SingleProbe* single =
        first == kNoIndex ? pairs_.singles.find(mark.pair, second) : nullptr;
    table_.at(source).interface = first != kNoIndex     ? pairs_.table.at(first).interface
                                  : single != nullptr ? single->interface
                                                       : 0;
    take_over(source, mark.pair, mark.target, mark.source, now);
    admit(source, probe, state);
    take_over(source, probe.pair, probe.destination, probe.source, now);
    return source;
}

bool MultiTargetDetector::is_reached(SourceIndex source, const Counter& counter) {
    const Extent& extent = extents_[table_.at(source).extent];
    const std::size_t fewest = counter.kind == ScanKind::UdpScan ? kFewestDatagramPorts
                               : settings_.watches_networks      ? kFewestPorts
                                                                 : 1;
    return (extent.targets.size() > 1 || extent.sources.size() > 1) &&
           counter.destination_ports.size() >= fewest &&
           are_ports_enough(counter, settings_.of(counter.kind));
}

bool MultiTargetDetector::count_port(const Probe& probe, PairKey key, PortState state,
                                     base::Timestamp now) {
    SourceIndex source = table_.size() > 0 ? table_.find(key) : kNoIndex;
    const bool counts_now = source != kNoIndex && counted_on(probe.probe) == CountedOn::Refusal;
    if (source == kNoIndex) {
        source = begin(probe, key, state, now);
        if (source == kNoIndex) {
            return false;
        }
    }
    if (!admit(source, probe, state)) {
        return false;
    }
    if (counts_now && count(probe, key, now)) {
        return true;
    }
    Extent& extent = extents_[table_.at(source).extent];
    extent.targets.add(probe.destination);
    extent.sources.add_latest(probe.source);
    for (const ScanKind kind : kinds_of(probe.probe)) {
        if (!is_multi_target_kind(kind) || !settings_.of(kind).is_enabled) {
            continue;
        }
        Counter& counter = obtain_counter(source, kind, now);
        if (counter.is_detected) {
            return true;
        }
        list_ports(counter, probe.probe, probe.source_port, probe.destination_port);
        add_item(counter, item_of(probe.destination, probe.destination_port), probe.source_port,
                 probe.destination_port, second_of(now));
        counter.was_refused |= state == PortState::Closed;
        counter.checksums.add(probe.is_partial);
        if (is_reached(source, counter)) {
            const bool is_reported = reports_.report_detection(table_, source, counter, now);
            if (!is_reported) {
                forget_dropped(source);
            }
            return is_reported;
        }
    }
    return false;
}

void MultiTargetDetector::take_back(const Probe& probe, PairKey key) {
    const SourceIndex source = table_.size() > 0 ? table_.find(key) : kNoIndex;
    if (source == kNoIndex) {
        return;
    }
    for (const ScanKind kind : kinds_of(probe.probe)) {
        Counter* counter = table_.find_counter(source, kind);
        if (counter != nullptr && !counter->is_detected) {
            counter->counted_items.remove(item_of(probe.destination, probe.destination_port));
        }
    }
}

void MultiTargetDetector::forget(PairKey key, ScanKind kind) {
    const SourceIndex source = table_.size() > 0 ? table_.find(key) : kNoIndex;
    Counter* counter = source == kNoIndex ? nullptr : table_.find_counter(source, kind);
    if (counter != nullptr && !counter->is_detected) {
        counter->counted_items.clear();
        counter->destination_ports.clear();
        counter->source_ports.clear();
        counter->packets = 0;
        counter->bytes = 0;
    }
}

bool MultiTargetDetector::note_answer(PairKey key, Second second) {
    const SourceIndex source = table_.size() > 0 ? table_.find(key) : kNoIndex;
    if (source == kNoIndex || !table_.at(source).is_scanning) {
        return false;
    }
    table_.for_each_counter(source, [&](Counter& counter) {
        if (counter.is_detected) {
            sensor_detect::note_answer(counter, settings_.of(counter.kind), second);
        }
    });
    return true;
}

void MultiTargetDetector::note_proof(const base::IpAddress& address, PairKey key, Second second) {
    const SourceIndex source = table_.size() > 0 ? table_.find(key) : kNoIndex;
    if (source != kNoIndex && extents_[table_.at(source).extent].sources.contains(address)) {
        table_.for_each_counter(
            source, [&](Counter& counter) { sensor_detect::note_proof(counter, second); });
    }
}

Counter& MultiTargetDetector::obtain_counter(SourceIndex source, ScanKind kind,
                                             base::Timestamp now) {
    while (!table_.has_room_for_counter(source, kind)) {
        make_room(now, source);
    }
    return table_.obtain_counter(source, kind, second_of(now) + idle_of(settings_, kind));
}

void MultiTargetDetector::make_room(base::Timestamp now, SourceIndex spared) {
    const SourceIndex victim = table_.next_victim(spared);
    table_.for_each_counter(victim, [&](const Counter& counter) {
        reports_.report_end(table_.at(victim), counter, now);
    });
    table_.evict(victim);
}

void MultiTargetDetector::sweep(base::Timestamp now, Second second) {
    while (const auto ended = table_.take_expired(second)) {
        reports_.report_end(ended->state, ended->counter, now);
    }
}

void MultiTargetDetector::drop_all(base::Timestamp now) {
    while (const auto ended = table_.take_any()) {
        reports_.report_end(ended->state, ended->counter, now);
    }
    marks_.clear();
}

}  // namespace portcullis::sensor_detect
