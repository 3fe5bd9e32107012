#include "sensor/detect/slow_memory.hpp"

#include <algorithm>
#include <bit>

#include "sensor/detect/lock_step.hpp"

namespace portcullis::sensor_detect {
namespace {

// Half as many cells as sources: few sources do anything worth one.
constexpr std::size_t kLeastSources = 64;
constexpr std::size_t kSourcesPerCellBucket = 8;
constexpr std::size_t kCellBucketsPerLoud = 32;
// Most sources that are looked at to find those of the right time.
constexpr std::size_t kMaxVisited = 4096;

std::uint32_t fingerprint_of(std::uint64_t pair) { return static_cast<std::uint32_t>(pair >> 32); }

bool is_in_step(const SlowMemory::Finding& one, const SlowMemory::Finding& other,
                std::uint32_t seconds) {
    const auto ports = one.ports.ports();
    const auto others = other.ports.ports();
    std::size_t same = 0;
    for (std::size_t i = 0; i < ports.size(); ++i) {
        const auto found = std::find(others.begin(), others.end(), ports[i]);
        if (found == others.end()) {
            continue;
        }
        const auto at = static_cast<std::size_t>(found - others.begin());
        same += is_close(one.seconds[i], other.seconds[at], seconds) ? 1 : 0;
    }
    return is_most(same, ports.size());
}

bool is_within(std::uint32_t second, std::uint32_t now, std::uint32_t window) {
    return std::uint64_t{second} + window > now;
}

}  // namespace

SlowMemory::SlowMemory(std::size_t sources)
    : cells_(std::bit_ceil(std::max(sources, kLeastSources)) / kSourcesPerCellBucket),
      loud_(std::max<std::size_t>(cells_.size() / kCellBucketsPerLoud, 1)),
      loud_marks_(loud_.size()) {}

void SlowMemory::clear() {
    loud_marks_.clear();
    loud_.clear();
    cells_.clear();
}

void SlowMemory::Cell::mark(std::uint16_t marked) {
    // Multiplied so that neighbouring ports do not share a bit.
    const auto bit = static_cast<std::uint32_t>(marked * 0x9e3779b1U) >> 16;
    const std::uint32_t place = bit * 48 >> 16;
    bits[place / 16] = static_cast<std::uint16_t>(bits[place / 16] | (1U << (place % 16)));
}

std::uint64_t SlowMemory::Cell::worth() const {
    return (static_cast<std::uint64_t>(marks()) << 32) | second;
}

int SlowMemory::Cell::marks() const {
    if (!has_bitmap()) {
        return 0;
    }
    return std::popcount(bits[0]) + std::popcount(bits[1]) + std::popcount(bits[2]);
}

SlowMemory::Cell* SlowMemory::find_cell(std::uint64_t pair, std::uint32_t second,
                                        std::uint32_t window) {
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

SlowMemory::Cell& SlowMemory::make_cell(std::uint64_t pair, std::uint32_t second) {
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

std::optional<SlowMemory::LoudPlace> SlowMemory::find_loud(std::uint64_t pair) const {
    const std::size_t bucket = loud_bucket(pair);
    const auto& marks = loud_marks_[bucket].fingerprints;
    const std::uint32_t fingerprint = fingerprint_of(pair);
    const auto next = [&](auto* from) { return std::find(from, marks.end(), fingerprint); };
    for (const auto* mark = next(marks.begin()); mark != marks.end(); mark = next(mark + 1)) {
        const auto way = static_cast<std::size_t>(mark - marks.begin());
        if (loud_[bucket][way].pair == pair && loud_[bucket][way].count > 0) {
            return LoudPlace{bucket, way};
        }
    }
    return std::nullopt;
}

std::optional<SlowMemory::LoudPlace> SlowMemory::make_room(std::uint64_t pair, std::uint32_t second,
                                                           std::uint32_t window) {
    LoudPlace place;
    place.bucket = loud_bucket(pair);
    LoudMarks& marks = loud_marks_[place.bucket];
    std::uint64_t lowest = ~std::uint64_t{0};
    for (std::size_t way = 0; way < kLoudWays; ++way) {
        const Loud& loud = loud_[place.bucket][way];
        std::uint64_t worth = 0;
        if (loud.count > 0 && is_within(marks.latest[way], second, window)) {
            worth = (std::uint64_t{loud.count} << 32) | marks.latest[way];
        }
        if (worth < lowest) {
            lowest = worth;
            place.way = way;
        }
    }
    Loud& loud = loud_at(place);
    if (lowest != 0) {
        if (loud.count > 2) {
            return std::nullopt;
        }
        Cell& cell = make_cell(loud.pair, loud.seconds[0]);
        for (std::size_t i = 0; i < loud.count; ++i) {
            cell.mark(loud.ports[i]);
        }
    }
    loud = Loud{};
    loud.pair = pair;
    marks.fingerprints[place.way] = fingerprint_of(pair);
    return place;
}

std::size_t SlowMemory::Loud::find(std::uint16_t port, std::uint8_t target) const {
    std::size_t at = 0;
    while (at < count && (ports[at] != port || targets[at] != target)) {
        ++at;
    }
    return at;
}

void SlowMemory::Loud::remove(std::size_t at) {
    std::copy(ports.begin() + at + 1, ports.begin() + count, ports.begin() + at);
    std::copy(targets.begin() + at + 1, targets.begin() + count, targets.begin() + at);
    std::copy(seconds.begin() + at + 1, seconds.begin() + count, seconds.begin() + at);
    const std::uint32_t below = (std::uint32_t{1} << at) - 1;
    crafted = (crafted & below) | ((crafted >> 1) & ~below);
    --count;
}

SlowMemory::Count SlowMemory::Loud::counted() const {
    return {count, static_cast<std::size_t>(std::popcount(crafted))};
}

void SlowMemory::drop_old(Loud& loud, std::uint32_t second, std::uint32_t window) {
    for (std::size_t i = loud.count; i > 0; --i) {
        if (!is_within(loud.seconds[i - 1], second, window)) {
            loud.remove(i - 1);
        }
    }
}

SlowMemory::Finding SlowMemory::finding_of(const Loud& loud) {
    Finding finding;
    finding.pair = loud.pair;
    finding.source = loud.source;
    finding.destination = loud.destination;
    for (std::size_t i = 0; i < loud.count && !finding.ports.is_full(); ++i) {
        finding.seconds[finding.ports.size()] = loud.seconds[i];
        finding.ports.add(loud.ports[i]);
    }
    if (loud.count >= 2) {
        finding.latest = loud.seconds[loud.count - 1U];
        finding.before = loud.seconds[loud.count - 2U];
    }
    finding.packets = loud.packets;
    finding.bytes = loud.bytes;
    finding.extent = loud.extent;
    finding.checksums = loud.checksums;
    return finding;
}

SlowMemory::Count SlowMemory::add_loud(const LoudPlace& place, const Touch& touch,
                                       std::uint32_t window) {
    static_assert(kMaxPortThreshold <= 32, "Loud::crafted has a bit for each port");
    Loud& loud = loud_at(place);
    drop_old(loud, touch.second, window);
    std::size_t at = loud.find(touch.port, touch.target);
    if (at == loud.ports.size()) {  // a long burst: only the latest matter
        loud.remove(0);
        --at;
    }
    if (at == loud.count) {
        loud.ports[at] = touch.port;
        loud.targets[at] = touch.target;
        ++loud.count;
    }
    loud.seconds[at] = touch.second;
    loud.crafted |= std::uint32_t{touch.is_crafted} << at;
    loud.source = touch.source;
    loud.destination = touch.destination;
    loud.extent.sources.add(touch.source);
    loud.extent.targets.add(touch.destination);
    loud.checksums.add(touch.is_partial);
    loud.packets += touch.packets;
    loud.bytes += touch.bytes;
    loud_marks_[place.bucket].latest[place.way] = touch.second;
    return loud.counted();
}

// Of a bitmap it is not known which ports were crafted: connect() has the higher limit.
SlowMemory::Count SlowMemory::count_of(std::uint64_t pair) {
    if (const auto loud = find_loud(pair)) {
        return loud_at(*loud).counted();
    }
    const Cell* cell = find_cell(pair, 0, ~std::uint32_t{0});
    if (cell == nullptr) {
        return {};
    }
    return {std::max<std::size_t>(static_cast<std::size_t>(cell->marks()), 1), 0};
}

std::optional<SlowMemory::Finding> SlowMemory::take(std::uint64_t pair, const Limits& limits) {
    if (const auto place = find_loud(pair)) {
        Loud& loud = loud_at(*place);
        drop_old(loud, loud_marks_[place->bucket].latest[place->way], limits.window);
        if (!limits.are_reached(loud.counted())) {
            return std::nullopt;
        }
        const Finding finding = finding_of(loud);
        release(*place);
        return finding;
    }
    Cell* cell = find_cell(pair, 0, ~std::uint32_t{0});
    if (cell == nullptr || cell->marks() < limits.ports) {
        return std::nullopt;
    }
    Finding finding;
    finding.pair = pair;
    finding.packets = static_cast<std::uint64_t>(cell->marks());
    *cell = Cell{};
    return finding;
}

void SlowMemory::take_back(const Touch& touch) {
    if (const auto place = find_loud(touch.pair)) {
        Loud& loud = loud_at(*place);
        const std::size_t at = loud.find(touch.port, touch.target);
        if (at < loud.count) {
            loud.remove(at);
            if (loud.count == 0) {
                release(*place);
            }
        }
        return;
    }
    Cell* cell = find_cell(touch.pair, 0, ~std::uint32_t{0});
    if (cell != nullptr && !cell->has_bitmap() && cell->port == touch.port) {
        *cell = Cell{};
    }
}

std::vector<SlowMemory::Finding> SlowMemory::in_step(const Finding& found,
                                                     std::uint32_t seconds) const {
    std::vector<Finding> others;
    if (found.ports.size() < kFewestInStep) {
        return others;
    }
    std::size_t looked_at = 0;
    std::size_t compared = 0;
    for (std::size_t bucket = 0; bucket < loud_.size(); ++bucket) {
        for (std::size_t way = 0; way < kLoudWays; ++way) {
            // Those whose turn is still to come are one port behind.
            if (loud_marks_[bucket].latest[way] + seconds < found.before) {
                continue;
            }
            if (++looked_at > kMaxVisited) {
                return others;
            }
            const Loud& loud = loud_[bucket][way];
            if (loud.count < 2 || loud.pair == found.pair ||
                loud.destination != found.destination) {
                continue;
            }
            const std::uint32_t latest = loud.seconds[loud.count - 1U];
            if (!is_close(latest, found.latest, seconds) &&
                !is_close(latest, found.before, seconds)) {
                continue;
            }
            if (++compared > kMaxCompared) {
                return others;
            }
            const Finding other = finding_of(loud);
            if (is_in_step(found, other, seconds)) {
                others.push_back(other);
                if (others.size() + 1 == kMaxLockStep) {
                    return others;
                }
            }
        }
    }
    return others;
}

void SlowMemory::release(const LoudPlace& place) {
    loud_at(place) = Loud{};
    loud_marks_[place.bucket].latest[place.way] = 0;
}

void SlowMemory::forget(std::uint64_t pair, std::span<const std::uint16_t> ports) {
    const auto place = find_loud(pair);
    if (!place) {
        forget(pair);  // of a bitmap nothing can be taken away
        return;
    }
    Loud& loud = loud_at(*place);
    for (std::size_t i = loud.count; i > 0; --i) {
        if (std::find(ports.begin(), ports.end(), loud.ports[i - 1]) != ports.end()) {
            loud.remove(i - 1);
        }
    }
    if (loud.count == 0) {
        release(*place);
    }
}

void SlowMemory::forget(std::uint64_t pair) {
    if (const auto loud = find_loud(pair)) {
        release(*loud);
    } else if (Cell* cell = find_cell(pair, 0, ~std::uint32_t{0})) {
        *cell = Cell{};
    }
}

SlowMemory::Count SlowMemory::add(const Touch& touch, std::uint32_t window) {
    if (const auto loud = find_loud(touch.pair)) {
        return add_loud(*loud, touch, window);
    }
    const Count one{1, touch.is_crafted ? std::size_t{1} : 0};
    Cell* cell = find_cell(touch.pair, touch.second, window);
    if (cell == nullptr) {
        cell = &make_cell(touch.pair, touch.second);
        cell->port = touch.port;
        return one;
    }
    if (!cell->has_bitmap()) {
        if (cell->port == touch.port) {
            cell->second = touch.second;
            return one;
        }
        const Cell first = *cell;
        *cell = Cell{};
        if (const auto place = make_room(touch.pair, touch.second, window)) {
            // Of the first no more is known than its port: it is taken for one of the same kind.
            Loud& loud = loud_at(*place);
            loud.ports[0] = first.port;
            loud.targets[0] = touch.target;
            loud.seconds[0] = first.second;
            loud.crafted = touch.is_crafted ? 1 : 0;
            loud.count = 1;
            loud.packets = 1;
            loud.bytes = touch.bytes;
            return add_loud(*place, touch, window);
        }
        *cell = first;
        cell->mark(first.port);
    }
    cell->mark(touch.port);
    return {static_cast<std::size_t>(cell->marks()), 0};
}

}  // namespace portcullis::sensor_detect
