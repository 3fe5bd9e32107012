// SlowMemory: which sources touched which TCP ports of ours within a day, for the scans that are
// slower than every other counter.
//
// Two layers. The sources that touched most are kept exactly: each port with its last time. All
// others have a cell of 16 bytes: one port, or, if there is no room among the loud ones, a bitmap
// of ports, which can only count too few. A source gets its exact entry with the second port; who
// has the fewest ports gives way. A source is known by the keyed hash of what its user counts
// together: the pair (source, own address), or the source alone. The same port of two targets
// counts twice. Fixed size. Single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "sensor/detect/checksums_seen.hpp"
#include "sensor/detect/detectors.hpp"
#include "sensor/detect/extent.hpp"
#include "sensor/detect/port_list.hpp"
#include "sensor/detect/zeroed_array.hpp"

namespace portcullis::sensor_detect {

class SlowMemory {
  public:
    struct Touch {
        std::uint64_t pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        std::uint16_t port = 0;
        std::uint8_t target = 0;  // distinguishes the targets of one source
        bool is_crafted = false;  // no connect() makes such a probe
        bool is_partial = false;  // its checksum is
        std::uint16_t packets = 1;
        std::uint32_t bytes = 0;
        std::uint32_t second = 0;
    };
    // How many ports were touched, and how many of them by crafted probes.
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
    struct Finding {
        std::uint64_t pair = 0;
        DestinationPorts ports;  // none, if only a bitmap is left
        std::array<std::uint32_t, DestinationPorts::kCapacity> seconds{};  // of each
        // Of the port added last and the one before it, if they are kept.
        std::uint32_t latest = 0;
        std::uint32_t before = 0;
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        // Not known if only a bitmap is left, nor are the bytes.
        base::IpAddress source;
        base::IpAddress destination;
        Extent extent;  // more than one address in either list: it is their sum
        ChecksumsSeen checksums;
    };

    // `sources`: of how many a cell is kept at most, give or take; at least 64.
    explicit SlowMemory(std::size_t sources);

    // Fetches what add() will look at for this pair.
    void prefetch(std::uint64_t pair) const {
        __builtin_prefetch(&loud_marks_[loud_bucket(pair)]);
        __builtin_prefetch(&cells_[cell_bucket(pair)], 1);
    }

    // Takes in a touch; returns what the pair touched within `window` seconds.
    Count add(const Touch& touch, std::uint32_t window);
    // What is remembered, too old ones included.
    Count count_of(std::uint64_t pair);
    // The port was open after all.
    void take_back(const Touch& touch);
    // What the pair touched within the window before its last touch, if it reaches the limit of
    // ports; it is forgotten then.
    std::optional<Finding> take(std::uint64_t pair, const Limits& limits);
    // The sources kept exactly that touched most of the same ports of `found.destination`, each at
    // most `seconds` before or after `found`, and the latest as late as `found` did or a port
    // before. At most as many as a group of decoys holds, found among a bounded number that were
    // seen at these times. They stay remembered.
    std::vector<Finding> in_step(const Finding& found, std::uint32_t seconds) const;
    // What was touched does not count any more, or these ports of it.
    void forget(std::uint64_t pair);
    void forget(std::uint64_t pair, std::span<const std::uint16_t> ports);
    void clear();

  private:
    static constexpr std::size_t kLoudWays = 8;
    static constexpr std::size_t kCellWays = 4;

    struct Loud {
        std::uint64_t pair = 0;
        base::IpAddress source;
        base::IpAddress destination;
        std::uint64_t bytes = 0;
        std::uint32_t packets = 0;
        std::uint16_t count = 0;  // 0 = free
        ChecksumsSeen checksums;
        std::uint32_t crafted = 0;  // bit i: port i was touched by a crafted probe
        std::array<std::uint16_t, kMaxPortThreshold> ports{};
        std::array<std::uint8_t, kMaxPortThreshold> targets{};
        std::array<std::uint32_t, kMaxPortThreshold> seconds{};
        Extent extent;

        std::size_t find(std::uint16_t port, std::uint8_t target) const;
        void remove(std::size_t at);
        Count counted() const;
    };
    struct Cell {
        std::uint32_t fingerprint = 0;
        std::uint32_t second = 0;  // of `port`, or the first of the bitmap; 0 = free
        std::uint16_t port = 0;
        std::array<std::uint16_t, 3> bits{};  // all zero: there is only `port`

        bool has_bitmap() const { return (bits[0] | bits[1] | bits[2]) != 0; }
        void mark(std::uint16_t marked);
        int marks() const;
        // Cells of little worth give way first: those with the fewest ports, then the oldest.
        std::uint64_t worth() const;
    };

    // Of the ways of a bucket: which pair is there, and when it was seen last.
    struct alignas(64) LoudMarks {
        std::array<std::uint32_t, kLoudWays> fingerprints{};
        std::array<std::uint32_t, kLoudWays> latest{};
    };
    struct LoudPlace {
        std::size_t bucket = 0;
        std::size_t way = 0;
    };
    using LoudBucket = std::array<Loud, kLoudWays>;
    using CellBucket = std::array<Cell, kCellWays>;

    std::size_t loud_bucket(std::uint64_t pair) const { return pair & (loud_.size() - 1); }
    std::size_t cell_bucket(std::uint64_t pair) const { return pair & (cells_.size() - 1); }
    Cell* find_cell(std::uint64_t pair, std::uint32_t second, std::uint32_t window);
    Cell& make_cell(std::uint64_t pair, std::uint32_t second);
    void release(const LoudPlace& place);
    Loud& loud_at(const LoudPlace& place) { return loud_[place.bucket][place.way]; }
    std::optional<LoudPlace> find_loud(std::uint64_t pair) const;
    // Room for a source with two ports; nullopt = all who are there have more.
    std::optional<LoudPlace> make_room(std::uint64_t pair, std::uint32_t second,
                                       std::uint32_t window);
    Count add_loud(const LoudPlace& place, const Touch& touch, std::uint32_t window);
    static void drop_old(Loud& loud, std::uint32_t second, std::uint32_t window);
    static Finding finding_of(const Loud& loud);

    // The marks stand apart: to find out that a source is not loud costs one cache line.
    ZeroedArray<CellBucket> cells_;
    ZeroedArray<LoudBucket> loud_;
    ZeroedArray<LoudMarks> loud_marks_;
};

}  // namespace portcullis::sensor_detect
