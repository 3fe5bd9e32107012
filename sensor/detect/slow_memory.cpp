#include "sensor/detect/slow_memory.hpp"

#include <algorithm>
#include <bit>

namespace portcullis::sensor_detect {
namespace {

// Half as many cells as sources: few sources do anything worth one.
constexpr std::size_t kLeastSources = 64;
constexpr std::size_t kSourcesPerCellBucket = 8;
constexpr std::size_t kCellBucketsPerLoud = 32;

std::uint32_t fingerprint_of(std::uint64_t pair) { return static_cast<std::uint32_t>(pair >> 32); }

bool is_within(std::uint32_t second, std::uint32_t now, std::uint32_t window) {
    return std::uint64_t{second} + window > now;
}

}  // namespace

SlowMemory::SlowMemory(std::size_t sources)
    : cells_(std::bit_ceil(std::max(sources, kLeastSources)) / kSourcesPerCellBucket) {
    loud_.resize(std::max<std::size_t>(cells_.size() / kCellBucketsPerLoud, 1));
    loud_marks_.resize(loud_.size());
}

void SlowMemory::clear() {
    std::fill(loud_marks_.begin(), loud_marks_.end(), LoudMarks{});
    std::fill(loud_.begin(), loud_.end(), LoudBucket{});
    std::fill(cells_.begin(), cells_.end(), CellBucket{});
}

void SlowMemory::Cell::mark(std::uint16_t marked) {
    // Multiplied so that neighbouring ports do not share a bit.
    const auto bit = static_cast<std::uint32_t>(marked * 0x9e3779b1U) >> 16;
    const std::uint32_t place = bit * 48 >> 16;
    bits[place / 16] = static_cast<std::uint16_t>(bits[place / 16] | (1U << (place % 16)));
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
    // The oldest of those with the fewest ports.
    Cell& cell = *std::min_element(bucket.begin(), bucket.end(), [](const Cell& a, const Cell& b) {
        return a.marks() != b.marks() ? a.marks() < b.marks() : a.second < b.second;
    });
    cell = Cell{};
    cell.fingerprint = fingerprint_of(pair);
    cell.second = second;
    return cell;
}

SlowMemory::Loud* SlowMemory::find_loud(std::uint64_t pair) {
    const std::size_t bucket = loud_bucket(pair);
    for (std::size_t way = 0; way < kLoudWays; ++way) {
        if (loud_marks_[bucket][way] == fingerprint_of(pair) && loud_[bucket][way].pair == pair &&
            loud_[bucket][way].count > 0) {
            return &loud_[bucket][way];
        }
    }
    return nullptr;
}

SlowMemory::Loud* SlowMemory::make_room(std::uint64_t pair, std::uint32_t second,
                                        std::uint32_t window) {
    const std::size_t bucket = loud_bucket(pair);
    std::size_t chosen = 0;
    std::uint64_t lowest = ~std::uint64_t{0};
    for (std::size_t way = 0; way < kLoudWays; ++way) {
        const Loud& loud = loud_[bucket][way];
        std::uint64_t worth = 0;
        if (loud.count > 0) {
            const std::uint32_t latest =
                *std::max_element(loud.seconds.begin(), loud.seconds.begin() + loud.count);
            if (is_within(latest, second, window)) {
                worth = (std::uint64_t{loud.count} << 32) | latest;
            }
        }
        if (worth < lowest) {
            lowest = worth;
            chosen = way;
        }
    }
    Loud& loud = loud_[bucket][chosen];
    if (lowest != 0) {
        if (loud.count > 2) {
            return nullptr;
        }
        Cell& cell = make_cell(loud.pair, loud.seconds[0]);
        for (std::size_t i = 0; i < loud.count; ++i) {
            cell.mark(loud.ports[i]);
        }
    }
    loud = Loud{};
    loud.pair = pair;
    loud_marks_[bucket][chosen] = fingerprint_of(pair);
    return &loud;
}

std::optional<SlowMemory::Finding> SlowMemory::add_loud(Loud& loud, const Touch& touch,
                                                        const Limits& limits) {
    std::size_t kept = 0;
    bool is_known = false;
    for (std::size_t i = 0; i < loud.count; ++i) {
        if (!is_within(loud.seconds[i], touch.second, limits.window)) {
            continue;
        }
        is_known = is_known || loud.ports[i] == touch.port;
        loud.ports[kept] = loud.ports[i];
        loud.seconds[kept] = loud.ports[i] == touch.port ? touch.second : loud.seconds[i];
        ++kept;
    }
    if (!is_known && kept == loud.ports.size()) {  // a long burst: only the latest matter
        std::copy(loud.ports.begin() + 1, loud.ports.end(), loud.ports.begin());
        std::copy(loud.seconds.begin() + 1, loud.seconds.end(), loud.seconds.begin());
        --kept;
    }
    if (!is_known) {
        loud.ports[kept] = touch.port;
        loud.seconds[kept] = touch.second;
        ++kept;
    }
    loud.count = static_cast<std::uint16_t>(kept);
    loud.packets += touch.packets;
    loud.bytes += touch.bytes;
    const std::uint32_t first =
        *std::min_element(loud.seconds.begin(), loud.seconds.begin() + loud.count);
    if (kept < limits.ports || touch.second - first < limits.least_span) {
        return std::nullopt;
    }
    Finding finding;
    for (std::size_t i = 0; i < kept; ++i) {
        finding.ports.add(loud.ports[i]);
    }
    finding.packets = loud.packets;
    finding.bytes = loud.bytes;
    loud = Loud{};
    return finding;
}

void SlowMemory::forget(std::uint64_t pair) {
    if (Loud* loud = find_loud(pair)) {
        *loud = Loud{};
    } else if (Cell* cell = find_cell(pair, 0, ~std::uint32_t{0})) {
        *cell = Cell{};
    }
}

std::optional<SlowMemory::Finding> SlowMemory::add(const Touch& touch, const Limits& limits) {
    if (Loud* loud = find_loud(touch.pair)) {
        return add_loud(*loud, touch, limits);
    }
    Cell* cell = find_cell(touch.pair, touch.second, limits.window);
    if (cell == nullptr) {
        cell = &make_cell(touch.pair, touch.second);
        cell->port = touch.port;
        return std::nullopt;
    }
    if (!cell->has_bitmap()) {
        if (cell->port == touch.port) {
            cell->second = touch.second;
            return std::nullopt;
        }
        const Cell first = *cell;
        *cell = Cell{};
        if (Loud* loud = make_room(touch.pair, touch.second, limits.window)) {
            loud->ports[0] = first.port;
            loud->seconds[0] = first.second;
            loud->count = 1;
            loud->packets = 1;
            loud->bytes = touch.bytes;  // of the like; the first was not kept
            return add_loud(*loud, touch, limits);
        }
        *cell = first;
        cell->mark(first.port);
    }
    cell->mark(touch.port);
    if (cell->marks() < limits.ports || touch.second - cell->second < limits.least_span) {
        return std::nullopt;
    }
    Finding finding;
    finding.ports.add(touch.port);
    finding.packets = static_cast<std::uint64_t>(cell->marks());
    finding.bytes = finding.packets * touch.bytes;
    *cell = Cell{};
    return finding;
}

}  // namespace portcullis::sensor_detect
