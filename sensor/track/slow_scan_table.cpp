#include "sensor/track/slow_scan_table.hpp"

#include <algorithm>
#include <bit>

namespace portcullis::sensor_track {
namespace {

// Half as many cells as sources: few sources send a second probe.
constexpr std::size_t kLeastSources = 64;
constexpr std::size_t kSourcesPerCellBucket = 8;
constexpr std::size_t kCellBucketsPerExact = 32;

std::uint32_t fingerprint_of(PairKey pair) { return static_cast<std::uint32_t>(pair >> 32); }

bool is_within(Second second, Second now, std::uint32_t window) {
    return std::uint64_t{second} + window > now;
}

}  // namespace

SlowScanTable::SlowScanTable(std::size_t sources)
    : cells_(std::bit_ceil(std::max(sources, kLeastSources)) / kSourcesPerCellBucket),
      exact_(std::max<std::size_t>(cells_.size() / kCellBucketsPerExact, 1)),
      exact_tags_(exact_.size()) {}

void SlowScanTable::clear() {
    exact_tags_.clear();
    exact_.clear();
    cells_.clear();
}

void SlowScanTable::Cell::mark(std::uint16_t marked) {
    // Multiplied so that neighbouring ports do not share a bit.
    const auto bit = static_cast<std::uint32_t>(marked * 0x9e3779b1U) >> 16;
    const std::uint32_t place = bit * 48 >> 16;
    bits[place / 16] = static_cast<std::uint16_t>(bits[place / 16] | (1U << (place % 16)));
}

std::uint64_t SlowScanTable::Cell::worth() const {
    return (static_cast<std::uint64_t>(marks()) << 32) | second;
}

int SlowScanTable::Cell::marks() const {
    if (!has_bitmap()) {
        return 0;
    }
    return std::popcount(bits[0]) + std::popcount(bits[1]) + std::popcount(bits[2]);
}

SlowScanTable::Cell* SlowScanTable::find_cell(PairKey pair, Second second, std::uint32_t window) {
    for (Cell& cell : cells_[cell_bucket(pair)]) {
        if (cell.second != 0 && cell.fingerprint == fingerprint_of(pair)) {
            if (is_within(cell.second, second, window)) {
                return &cell;
            }
            cell = Cell{};
            return nullptr;
        }
    }
    return nullptr;
}

SlowScanTable::Cell& SlowScanTable::make_cell(PairKey pair, Second second) {
    auto& bucket = cells_[cell_bucket(pair)];
    Cell* least = &bucket.front();
    std::uint64_t lowest = ~std::uint64_t{0};
    for (Cell& cell : bucket) {
        if (cell.worth() < lowest) {
            lowest = cell.worth();
            least = &cell;
        }
    }
    *least = Cell{};
    least->fingerprint = fingerprint_of(pair);
    least->second = second;
    return *least;
}

std::optional<SlowScanTable::ExactPlace> SlowScanTable::find_exact(PairKey pair) const {
    const std::size_t bucket = exact_bucket(pair);
    const auto& marks = exact_tags_[bucket].fingerprints;
    const std::uint32_t fingerprint = fingerprint_of(pair);
    const auto next = [&](auto* from) { return std::find(from, marks.end(), fingerprint); };
    for (const auto* mark = next(marks.begin()); mark != marks.end(); mark = next(mark + 1)) {
        const auto way = static_cast<std::size_t>(mark - marks.begin());
        if (exact_[bucket][way].pair == pair && exact_[bucket][way].count > 0) {
            return ExactPlace{bucket, way};
        }
    }
    return std::nullopt;
}

std::optional<SlowScanTable::ExactPlace> SlowScanTable::make_room(PairKey pair, Second second,
                                                                  std::uint32_t window) {
    ExactPlace place;
    place.bucket = exact_bucket(pair);
    ExactTags& marks = exact_tags_[place.bucket];
    std::uint64_t lowest = ~std::uint64_t{0};
    for (std::size_t way = 0; way < kExactWays; ++way) {
        const ExactEntry& exact = exact_[place.bucket][way];
        std::uint64_t worth = 0;
        if (exact.count > 0 && is_within(marks.latest[way], second, window)) {
            worth = (std::uint64_t{exact.count} << 32) | marks.latest[way];
        }
        if (worth < lowest) {
            lowest = worth;
            place.way = way;
        }
    }
    ExactEntry& exact = exact_at(place);
    if (lowest != 0) {
        if (exact.count > 2) {
            return std::nullopt;
        }
        Cell& cell = make_cell(exact.pair, exact.seconds[0]);
        for (std::size_t i = 0; i < exact.count; ++i) {
            cell.mark(exact.ports[i]);
        }
    }
    exact = ExactEntry{};
    exact.pair = pair;
    marks.fingerprints[place.way] = fingerprint_of(pair);
    return place;
}

std::size_t SlowScanTable::ExactEntry::find(std::uint16_t port, std::uint8_t target) const {
    std::size_t at = 0;
    while (at < count && (ports[at] != port || targets[at] != target)) {
        ++at;
    }
    return at;
}

void SlowScanTable::ExactEntry::remove(std::size_t at) {
    std::copy(ports.begin() + at + 1, ports.begin() + count, ports.begin() + at);
    std::copy(targets.begin() + at + 1, targets.begin() + count, targets.begin() + at);
    std::copy(seconds.begin() + at + 1, seconds.begin() + count, seconds.begin() + at);
    const std::uint32_t below = (std::uint32_t{1} << at) - 1;
    crafted = (crafted & below) | ((crafted >> 1) & ~below);
    --count;
}

SlowScanTable::Count SlowScanTable::ExactEntry::counted() const {
    return {count, static_cast<std::size_t>(std::popcount(crafted))};
}

void SlowScanTable::drop_old(ExactEntry& exact, Second second, std::uint32_t window) {
    for (std::size_t i = exact.count; i > 0; --i) {
        if (!is_within(exact.seconds[i - 1], second, window)) {
            exact.remove(i - 1);
        }
    }
}

SlowScanTable::ProbedPorts SlowScanTable::probed_ports_of(const ExactEntry& exact) {
    ProbedPorts probed;
    probed.pair = exact.pair;
    probed.source = exact.source;
    probed.destination = exact.destination;
    for (std::size_t i = 0; i < exact.count && !probed.ports.is_full(); ++i) {
        probed.seconds[probed.ports.size()] = exact.seconds[i];
        probed.ports.add(exact.ports[i]);
    }
    if (exact.count >= 2) {
        probed.latest = exact.seconds[exact.count - 1U];
        probed.before = exact.seconds[exact.count - 2U];
    }
    probed.packets = exact.packets;
    probed.bytes = exact.bytes;
    probed.extent = exact.extent;
    probed.checksums = exact.checksums;
    return probed;
}

SlowScanTable::Count SlowScanTable::add_exact(const ExactPlace& place, const PortProbe& probe,
                                              std::uint32_t window) {
    static_assert(kMaxPortThreshold <= 32, "ExactEntry::crafted has a bit for each port");
    ExactEntry& exact = exact_at(place);
    drop_old(exact, probe.second, window);
    std::size_t at = exact.find(probe.port, probe.target);
    if (at == exact.ports.size()) {  // a long burst: only the latest ports matter
        exact.remove(0);
        --at;
    }
    if (at == exact.count) {
        exact.ports[at] = probe.port;
        exact.targets[at] = probe.target;
        ++exact.count;
    }
    exact.seconds[at] = probe.second;
    exact.crafted |= std::uint32_t{probe.is_crafted} << at;
    exact.source = probe.source;
    exact.destination = probe.destination;
    exact.extent.sources.add(probe.source);
    exact.extent.targets.add(probe.destination);
    exact.checksums.add(probe.is_partial);
    exact.packets += probe.packets;
    exact.bytes += probe.bytes;
    exact_tags_[place.bucket].latest[place.way] = probe.second;
    return exact.counted();
}

// A bitmap does not say which ports had crafted probes, so the higher limit of connect() applies.
SlowScanTable::Count SlowScanTable::count_of(PairKey pair) {
    if (const auto exact = find_exact(pair)) {
        return exact_at(*exact).counted();
    }
    const Cell* cell = find_cell(pair, 0, ~std::uint32_t{0});
    if (cell == nullptr) {
        return {};
    }
    return {std::max<std::size_t>(static_cast<std::size_t>(cell->marks()), 1), 0};
}

std::optional<SlowScanTable::ProbedPorts> SlowScanTable::take(PairKey pair, const Limits& limits) {
    if (const auto place = find_exact(pair)) {
        ExactEntry& exact = exact_at(*place);
        drop_old(exact, exact_tags_[place->bucket].latest[place->way], limits.window);
        if (!limits.are_reached(exact.counted())) {
            return std::nullopt;
        }
        const ProbedPorts probed = probed_ports_of(exact);
        release(*place);
        return probed;
    }
    Cell* cell = find_cell(pair, 0, ~std::uint32_t{0});
    if (cell == nullptr || cell->marks() < limits.ports) {
        return std::nullopt;
    }
    ProbedPorts probed;
    probed.pair = pair;
    probed.packets = static_cast<std::uint64_t>(cell->marks());
    *cell = Cell{};
    return probed;
}

void SlowScanTable::take_back(const PortProbe& probe) {
    if (const auto place = find_exact(probe.pair)) {
        ExactEntry& exact = exact_at(*place);
        const std::size_t at = exact.find(probe.port, probe.target);
        if (at < exact.count) {
            exact.remove(at);
            if (exact.count == 0) {
                release(*place);
            }
        }
        return;
    }
    Cell* cell = find_cell(probe.pair, 0, ~std::uint32_t{0});
    if (cell != nullptr && !cell->has_bitmap() && cell->port == probe.port) {
        *cell = Cell{};
    }
}

void SlowScanTable::release(const ExactPlace& place) {
    exact_at(place) = ExactEntry{};
    exact_tags_[place.bucket].latest[place.way] = 0;
}

void SlowScanTable::forget(PairKey pair, std::span<const std::uint16_t> ports) {
    const auto place = find_exact(pair);
    if (!place) {
        forget(pair);  // single ports cannot be removed from a bitmap
        return;
    }
    ExactEntry& exact = exact_at(*place);
    for (std::size_t i = exact.count; i > 0; --i) {
        if (std::find(ports.begin(), ports.end(), exact.ports[i - 1]) != ports.end()) {
            exact.remove(i - 1);
        }
    }
    if (exact.count == 0) {
        release(*place);
    }
}

void SlowScanTable::forget(PairKey pair) {
    if (const auto exact = find_exact(pair)) {
        release(*exact);
    } else if (Cell* cell = find_cell(pair, 0, ~std::uint32_t{0})) {
        *cell = Cell{};
    }
}

SlowScanTable::Count SlowScanTable::add(const PortProbe& probe, std::uint32_t window) {
    if (const auto exact = find_exact(probe.pair)) {
        return add_exact(*exact, probe, window);
    }
    const Count one{1, probe.is_crafted ? std::size_t{1} : 0};
    Cell* cell = find_cell(probe.pair, probe.second, window);
    if (cell == nullptr) {
        cell = &make_cell(probe.pair, probe.second);
        cell->port = probe.port;
        return one;
    }
    if (!cell->has_bitmap()) {
        if (cell->port == probe.port) {
            cell->second = probe.second;
            return one;
        }
        const Cell first = *cell;
        *cell = Cell{};
        if (const auto place = make_room(probe.pair, probe.second, window)) {
            // Of the first probe only the port is known. It is assumed to be of the same kind.
            ExactEntry& exact = exact_at(*place);
            exact.ports[0] = first.port;
            exact.targets[0] = probe.target;
            exact.seconds[0] = first.second;
            exact.crafted = probe.is_crafted ? 1 : 0;
            exact.count = 1;
            exact.packets = 1;
            exact.bytes = probe.bytes;
            return add_exact(*place, probe, window);
        }
        *cell = first;
        cell->mark(first.port);
    }
    cell->mark(probe.port);
    return {static_cast<std::size_t>(cell->marks()), 0};
}

}  // namespace portcullis::sensor_track
