// LockStep: sources that touch the same ports of ours in the same order at the same time: one
// scanner and his decoys (nmap -D), or, as nobody can say which one he is, none of them.
//
// find_lock_step() looks for the others when a source has reached a threshold. DecoyGroups keeps
// who belongs together until the last of them is quiet, so that a group has one line at its start
// and one at its end. Bounded in members and groups. Single-threaded.
#pragma once

#include <cstdint>
#include <vector>

#include "sensor/detect/source_table.hpp"

namespace portcullis::sensor_detect {

// The most sources of one group: as many decoys as nmap takes.
inline constexpr std::size_t kMaxLockStep = 128;
// Most sources of the right time that a source is compared with.
inline constexpr std::size_t kMaxCompared = 2 * kMaxLockStep;

// Fewer ports than these are touched alike by chance.
inline constexpr std::size_t kFewestInStep = 3;
// Whether `same` of `all` ports are enough: some packets are lost or overtake each other.
constexpr bool is_most(std::size_t same, std::size_t all) { return same * 10 >= all * 7; }
// Whether two times, in seconds since 1970, are at most `seconds` apart.
constexpr bool is_close(std::uint32_t a, std::uint32_t b, std::uint32_t seconds) {
    return (a > b ? a - b : b - a) <= seconds;
}

// Whether two lists of the first ports touched are the same walk, some lost or overtaking packets
// apart.
bool is_same_walk(const DestinationPorts& one, const DestinationPorts& other);

// The sources that are in lock-step with `source` in the kind of `counter` and not detected yet,
// itself included; sorted as they were first seen. They were seen last at most `seconds` before or
// after it was, or before or after its last door but one: whose turn is still to come is a door
// behind. Only the sources seen last are looked at, so that a flood cannot make this long.
std::vector<std::uint32_t> find_lock_step(SourceTable& table, std::uint32_t source,
                                          const Counter& counter, std::uint32_t seconds);

// The first ports that a detected source touched since the last line about it.
DestinationPorts first_ports_of(const Counter& counter);

// The sources of the same group as `source` that touched most of the ports which it touched since
// the last line. Only the sources seen last are looked at.
std::size_t count_in_step(SourceTable& table, std::uint32_t source, const Counter& counter);

struct DecoyGroup {
    ScanKind kind = ScanKind::Decoys;
    base::IpAddress destination;
    std::vector<base::IpAddress> sources;
    DestinationPorts destination_ports;
    std::size_t going_on = 0;   // sources of which packets still come; 0 = the group is over
    std::uint32_t made_at = 0;  // second
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

class DecoyGroups {
  public:
    bool is_full() const;
    // The number of a group without sources; kNoGroup = there are too many.
    std::uint16_t make(ScanKind kind, const base::IpAddress& destination,
                       const DestinationPorts& ports, std::uint32_t second);
    DecoyGroup& at(std::uint16_t group) { return groups_[group]; }
    // A group at the same ports of `destination` that was made at `since` or later and takes one
    // more source; kNoGroup = none. Later ones do not belong to it, or nobody who forges a group
    // would ever be reported for what he does afterwards.
    std::uint16_t find(ScanKind kind, const base::IpAddress& destination,
                       const DestinationPorts& ports, std::uint32_t since) const;
    void add(std::uint16_t group, const base::IpAddress& source);
    // A source turned out to scan by itself; true = it was the last of which packets still came.
    bool remove(std::uint16_t group, const base::IpAddress& source);
    // A source of the group fell silent; true = it was the last.
    bool end(std::uint16_t group, const Counter& counter);

  private:
    static constexpr std::size_t kMaxGroups = 256;
    std::vector<DecoyGroup> groups_;
};

}  // namespace portcullis::sensor_detect
