// SlowScanTable: the TCP ports of ours that each source probed within a day, for scans that are
// slower than every other counter.
//
// The table has two layers. The sources with the most ports have an exact entry: each port with the
// time of its last probe. All other sources have a cell of 16 bytes: one port, or a bitmap of ports
// if no exact entry is free. A bitmap can only count too few. A source gets an exact entry with its
// second port; the source with the fewest ports makes room. A key is the keyed hash of whatever the
// caller counts together: a pair (source, target), or a source over all targets. The same port of
// two targets counts twice. Fixed size. Single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ip_address.hpp"
#include "sensor/track/checksums_seen.hpp"
#include "sensor/track/extent.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/port_list.hpp"
#include "sensor/track/scan_kind.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

class SlowScanTable {
  public:
    struct PortProbe {
        PairKey pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        std::uint16_t port = 0;
        std::uint8_t target = 0;  // distinguishes the targets of one source
        bool is_crafted = false;  // no connect() makes such a probe
        bool is_partial = false;  // the checksum of the probe is partial
        std::uint16_t packets = 1;
        std::uint32_t bytes = 0;
        Second second = 0;
    };
    // Number of distinct ports, and of those among them that had a crafted probe.
    struct Count {
        std::size_t ports = 0;
        std::size_t crafted = 0;
    };
    struct Limits {
        std::uint16_t crafted = 0;  // 1..kMaxPortThreshold
        std::uint16_t ports = 0;    // the same
        std::uint32_t window = 0;   // seconds

        bool are_reached(const Count& count) const {
            return count.crafted >= crafted || count.ports >= ports;
        }
    };
    struct ProbedPorts {
        PairKey pair = 0;
        DestinationPorts ports;  // empty if the source has only a bitmap
        std::array<std::uint32_t, DestinationPorts::kCapacity> seconds{};  // last probe of each
        // Time of the last two ports, if they are kept.
        std::uint32_t latest = 0;
        std::uint32_t before = 0;
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        // Not known, like `bytes`, if the source has only a bitmap.
        base::IpAddress source;
        base::IpAddress destination;
        Extent extent;  // the addresses that are counted together, if more than one
        ChecksumsSeen checksums;
    };

    // `sources`: approximate number of cells; at least 64.
    explicit SlowScanTable(std::size_t sources);

    // Prefetches what add() reads for this pair.
    void prefetch(PairKey pair) const {
        __builtin_prefetch(&exact_tags_[exact_bucket(pair)]);
        __builtin_prefetch(&cells_[cell_bucket(pair)], 1);
    }

    // Adds a probe. Returns the number of ports that the pair probed within `window` seconds.
    Count add(const PortProbe& probe, std::uint32_t window);
    // Number of ports that are stored, including those older than the window.
    Count count_of(PairKey pair);
    // Removes a probe: its port turned out to be open.
    void take_back(const PortProbe& probe);
    // The ports that the pair probed within the window before its last probe, if they reach the
    // limits; the pair is removed from the table then. nullopt = they do not.
    std::optional<ProbedPorts> take(PairKey pair, const Limits& limits);
    // The exact entry of a source.
    struct ExactEntry {
        PairKey pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        std::uint64_t bytes = 0;
        std::uint32_t packets = 0;
        std::uint16_t count = 0;  // 0 = free
        ChecksumsSeen checksums;
        std::uint32_t crafted = 0;  // bit i: port i had a crafted probe
        std::array<std::uint16_t, kMaxPortThreshold> ports{};
        std::array<std::uint8_t, kMaxPortThreshold> targets{};
        std::array<std::uint32_t, kMaxPortThreshold> seconds{};
        Extent extent;

        std::size_t find(std::uint16_t port, std::uint8_t target) const;
        void remove(std::size_t at);
        Count counted() const;
    };
    // Calls `use(const ExactEntry&)` for the exact entries whose last probe came at `since` or
    // later, at most `limit` of them, until it returns false. A free entry has a count of 0.
    template <class Use>
    void for_each_exact_since(Second since, std::size_t limit, Use use) const {
        std::size_t used = 0;
        for (std::size_t bucket = 0; bucket < exact_.size(); ++bucket) {
            for (std::size_t way = 0; way < kExactWays; ++way) {
                if (exact_tags_[bucket].latest[way] < since) {
                    continue;
                }
                if (++used > limit || !use(exact_[bucket][way])) {
                    return;
                }
            }
        }
    }
    static ProbedPorts probed_ports_of(const ExactEntry& exact);
    // Removes all ports of the pair, or these.
    void forget(PairKey pair);
    void forget(PairKey pair, std::span<const std::uint16_t> ports);
    void clear();

  private:
    static constexpr std::size_t kExactWays = 8;
    static constexpr std::size_t kCellWays = 4;

    struct Cell {
        std::uint32_t fingerprint = 0;
        Second second = 0;  // of `port`, or the first of the bitmap; 0 = free
        std::uint16_t port = 0;
        std::array<std::uint16_t, 3> bits{};  // all zero: there is only `port`

        bool has_bitmap() const { return (bits[0] | bits[1] | bits[2]) != 0; }
        void mark(std::uint16_t marked);
        int marks() const;
        // The cell with the lowest worth is replaced first: fewest ports, then oldest.
        std::uint64_t worth() const;
    };

    // For each way of a bucket: the pair that it holds, and the time of its last probe.
    struct alignas(64) ExactTags {
        std::array<std::uint32_t, kExactWays> fingerprints{};
        std::array<std::uint32_t, kExactWays> latest{};
    };
    struct ExactPlace {
        std::size_t bucket = 0;
        std::size_t way = 0;
    };
    using ExactBucket = std::array<ExactEntry, kExactWays>;
    using CellBucket = std::array<Cell, kCellWays>;

    std::size_t exact_bucket(PairKey pair) const { return pair & (exact_.size() - 1); }
    std::size_t cell_bucket(PairKey pair) const { return pair & (cells_.size() - 1); }
    Cell* find_cell(PairKey pair, Second second, std::uint32_t window);
    Cell& make_cell(PairKey pair, Second second);
    void release(const ExactPlace& place);
    ExactEntry& exact_at(const ExactPlace& place) { return exact_[place.bucket][place.way]; }
    std::optional<ExactPlace> find_exact(PairKey pair) const;
    // A free entry for a source with two ports; nullopt = all entries have more ports.
    std::optional<ExactPlace> make_room(PairKey pair, Second second, std::uint32_t window);
    Count add_exact(const ExactPlace& place, const PortProbe& probe, std::uint32_t window);
    static void drop_old(ExactEntry& exact, Second second, std::uint32_t window);

    // The tags are a separate array: to find that a source has no exact entry costs one cache line.
    ZeroedArray<CellBucket> cells_;
    ZeroedArray<ExactBucket> exact_;
    ZeroedArray<ExactTags> exact_tags_;
};

}  // namespace portcullis::sensor_track
