#include "sensor/detect/decoy_detector.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {
namespace {

// How far a port may be from its place in the other list.
constexpr std::size_t kMaxShift = 2;
// Most sources that are searched, starting with the one that was active last.
constexpr std::size_t kMaxLookedAt = 1024;

// Most entries of a SlowScanTable that are searched for sources active at the same time.
constexpr std::size_t kMaxSlowSearched = 4096;

bool has_same_ports_and_times(const SlowScanTable::ProbedPorts& one,
                              const SlowScanTable::ProbedPorts& other, std::uint32_t window) {
    const auto ports = one.ports.ports();
    const auto others = other.ports.ports();
    std::size_t same = 0;
    for (std::size_t i = 0; i < ports.size(); ++i) {
        const auto found = std::find(others.begin(), others.end(), ports[i]);
        if (found == others.end()) {
            continue;
        }
        const auto at = static_cast<std::size_t>(found - others.begin());
        same += is_close(one.seconds[i], other.seconds[at], window) ? 1 : 0;
    }
    return is_most(same, ports.size());
}

bool is_active(const DecoyGroup& group) { return group.active > 0; }

}  // namespace

bool is_same_port_order(const DestinationPorts& one, const DestinationPorts& other) {
    const auto a = one.ports();
    const auto b = other.ports();
    if (a.size() < kFewestSharedPorts) {
        return false;
    }
    std::size_t same = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const std::size_t from = i - std::min(i, kMaxShift);
        const std::size_t to = std::min(b.size(), i + kMaxShift + 1);
        for (std::size_t j = from; j < to; ++j) {
            if (a[i] == b[j]) {
                ++same;
                break;
            }
        }
    }
    return is_most(same, a.size());
}

std::vector<SourceIndex> find_decoy_group(SourceTable& table, SourceIndex source,
                                          const Counter& counter, std::uint32_t window) {
    std::vector<SourceIndex> members{source};
    const SourceState& self = table.at(source);
    // A source that has not sent its latest probe yet is one port behind.
    const std::uint32_t before =
        counter.item_before_at != 0 ? counter.item_before_at : self.last_seen;
    const Second since = std::min(self.last_seen, before);
    std::size_t compared = 0;
    for (const bool is_scanning : {false, true}) {
        std::size_t looked_at = 0;
        for (SourceIndex index = table.newest(is_scanning);
             index != kNoIndex && looked_at < kMaxLookedAt && compared < kMaxCompared &&
             members.size() < kMaxGroupMembers;
             index = table.older_than(index), ++looked_at) {
            const SourceState& state = table.at(index);
            if (state.last_seen + window < since) {
                break;
            }
            if (index == source || state.destination != self.destination ||
                (!is_close(state.last_seen, self.last_seen, window) &&
                 !is_close(state.last_seen, before, window))) {
                continue;
            }
            ++compared;
            const Counter* other = table.find_counter(index, counter.kind);
            if (other != nullptr && !other->is_detected &&
                is_same_port_order(counter.destination_ports, other->destination_ports)) {
                members.push_back(index);
            }
        }
    }
    std::sort(members.begin(), members.end(), [&](std::uint32_t a, std::uint32_t b) {
        return table.at(a).made < table.at(b).made;
    });
    return members;
}

DestinationPorts first_ports_of(const Counter& counter) {
    DestinationPorts ports;
    for (const std::uint16_t port : counter.counted_items.ports()) {
        ports.add(port);
    }
    return ports;
}

std::size_t count_members_at_same_ports(SourceTable& table, SourceIndex source,
                                        const Counter& counter) {
    const auto ports = counter.counted_items.ports();
    std::size_t found = 0;
    std::size_t looked_at = 0;
    for (SourceIndex index = table.newest(true); index != kNoIndex && looked_at < kMaxLookedAt;
         index = table.older_than(index), ++looked_at) {
        const Counter* other = index == source ? nullptr : table.find_counter(index, counter.kind);
        if (other == nullptr || other->group != counter.group) {
            continue;
        }
        const auto same = std::count_if(ports.begin(), ports.end(), [&](std::uint16_t port) {
            // Ports probed since the last comparison, and before it.
            return other->counted_items.contains(port) || other->destination_ports.contains(port);
        });
        found += is_most(static_cast<std::size_t>(same), ports.size()) ? 1 : 0;
    }
    return found;
}

std::vector<SlowScanTable::ProbedPorts> find_slow_decoys(const SlowScanTable& table,
                                                         const SlowScanTable::ProbedPorts& probed,
                                                         std::uint32_t window) {
    std::vector<SlowScanTable::ProbedPorts> others;
    if (probed.ports.size() < kFewestSharedPorts) {
        return others;
    }
    std::size_t compared = 0;
    // A source that has not sent its latest probe yet is one port behind.
    const Second since = probed.before - std::min(probed.before, window);
    table.for_each_exact_since(since, kMaxSlowSearched,
                               [&](const SlowScanTable::ExactEntry& exact) {
                                   if (exact.count < 2 || exact.pair == probed.pair ||
                                       exact.destination != probed.destination) {
                                       return true;
                                   }
                                   const Second latest = exact.seconds[exact.count - 1U];
                                   if (!is_close(latest, probed.latest, window) &&
                                       !is_close(latest, probed.before, window)) {
                                       return true;
                                   }
                                   if (++compared > kMaxCompared) {
                                       return false;
                                   }
                                   const auto other = SlowScanTable::probed_ports_of(exact);
                                   if (has_same_ports_and_times(probed, other, window)) {
                                       others.push_back(other);
                                   }
                                   return others.size() + 1 < kMaxGroupMembers;
                               });
    return others;
}

bool DecoyGroups::is_full() const {
    return groups_.size() == kMaxGroups && std::all_of(groups_.begin(), groups_.end(), is_active);
}

std::uint16_t DecoyGroups::make(ScanKind kind, const base::IpAddress& destination,
                                const DestinationPorts& ports, Second second) {
    auto free = std::find_if_not(groups_.begin(), groups_.end(), is_active);
    if (free == groups_.end()) {
        if (groups_.size() == kMaxGroups) {
            return kNoGroup;
        }
        free = groups_.emplace(groups_.end());
    }
    *free = DecoyGroup{};
    free->kind = kind;
    free->destination = destination;
    free->destination_ports = ports;
    free->made_at = second;
    return static_cast<std::uint16_t>(free - groups_.begin());
}

std::uint16_t DecoyGroups::find(ScanKind kind, const base::IpAddress& destination,
                                const DestinationPorts& ports, Second since) const {
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        const DecoyGroup& group = groups_[i];
        if (is_active(group) && group.made_at >= since && group.kind == kind &&
            group.destination == destination && group.sources.size() < kMaxGroupMembers &&
            is_same_port_order(group.destination_ports, ports)) {
            return static_cast<std::uint16_t>(i);
        }
    }
    return kNoGroup;
}

void DecoyGroups::add(std::uint16_t group, const base::IpAddress& source) {
    auto& sources = groups_[group].sources;
    if (std::find(sources.begin(), sources.end(), source) == sources.end()) {
        sources.push_back(source);  // else it had been quiet for a while
    }
    ++groups_[group].active;
}

bool DecoyGroups::remove(std::uint16_t group, const base::IpAddress& source) {
    auto& sources = groups_[group].sources;
    sources.erase(std::remove(sources.begin(), sources.end(), source), sources.end());
    return --groups_[group].active == 0;
}

bool DecoyGroups::end(std::uint16_t group, const Counter& counter) {
    DecoyGroup& over = groups_[group];
    over.packets += counter.packets;
    over.bytes += counter.bytes;
    return --over.active == 0;
}

}  // namespace portcullis::sensor_detect
