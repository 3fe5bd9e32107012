// Decoys: sources that probe the same ports of ours in the same order at the same time. They are
// one scanner and its decoys (nmap -D). The packets do not show which of the sources is real.
//
// find_decoy_group() searches for the other sources when one has reached a threshold. DecoyGroups
// stores the members until the last of them is quiet, so that a group has one line at its start and
// one at its end. Bounded in members and groups. Single-threaded.
#pragma once

#include <cstdint>
#include <vector>

#include "sensor/detect/detectors.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/slow_scan_table.hpp"
#include "sensor/track/source_table.hpp"

namespace portcullis::sensor_detect {

// Most sources of one group: the number of decoys that nmap accepts.
inline constexpr std::size_t kMaxGroupMembers = 128;
// Most sources, among those active at the same time, that a source is compared with.
inline constexpr std::size_t kMaxCompared = 2 * kMaxGroupMembers;

// Two sources probe fewer equal ports than this by chance.
inline constexpr std::size_t kFewestSharedPorts = 3;
// Whether `same` of `all` ports show a common scanner. Some packets are lost or arrive out of
// order.
constexpr bool is_most(std::size_t same, std::size_t all) { return same * 10 >= all * 7; }
// Whether two times, in seconds since 1970, are at most `window` seconds apart.
constexpr bool is_close(std::uint32_t a, std::uint32_t b, std::uint32_t window) {
    return (a > b ? a - b : b - a) <= window;
}

// Whether two lists of first probed ports have the same order, apart from a few packets that were
// lost or arrived out of order.
bool is_same_port_order(const DestinationPorts& one, const DestinationPorts& other);

// Returns the sources that probe the same ports as `source` in the kind of `counter` and are not
// detected yet, `source` included, in the order of their first packets. Each was active at most
// `window` seconds before or after `source`, or before or after its last port but one: a source
// that has not sent its latest probe yet is one port behind. The search is limited to the sources
// that were active last, so that a flood cannot make it slow.
std::vector<SourceIndex> find_decoy_group(SourceTable& table, SourceIndex source,
                                          const Counter& counter, std::uint32_t window);

// The first ports that a detected source probed since the last line about it.
DestinationPorts first_ports_of(const Counter& counter);

// Number of other members of the group of `source` that probed most of the ports which it probed
// since the last line. The search is limited to the sources that were active last.
std::size_t count_members_at_same_ports(SourceTable& table, SourceIndex source,
                                        const Counter& counter);

// Returns the other sources of `table` that probed most of the same ports of `probed.destination`,
// each at most `window` seconds before or after `probed`. Their last port must be as recent as the
// last or the last but one of `probed`. Returns at most as many as fit into a group, from a bounded
// search. They stay in the table.
std::vector<SlowScanTable::ProbedPorts> find_slow_decoys(const SlowScanTable& table,
                                                         const SlowScanTable::ProbedPorts& probed,
                                                         std::uint32_t window);

struct DecoyGroup {
    ScanKind kind = ScanKind::Decoys;
    base::IpAddress destination;
    std::vector<base::IpAddress> sources;
    DestinationPorts destination_ports;
    std::size_t active = 0;  // members that still send packets; 0 = the group has ended
    Second made_at = 0;      // second
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

class DecoyGroups {
  public:
    bool is_full() const;
    // Returns the index of a new group without members; kNoGroup = there are too many groups.
    std::uint16_t make(ScanKind kind, const base::IpAddress& destination,
                       const DestinationPorts& ports, Second second);
    DecoyGroup& at(std::uint16_t group) { return groups_[group]; }
    // Returns a group with the same ports of `destination` that was made at `since` or later and
    // has room for one more member; kNoGroup = none. A source that comes later does not join the
    // group: otherwise a scanner could forge a group first and scan unreported afterwards.
    std::uint16_t find(ScanKind kind, const base::IpAddress& destination,
                       const DestinationPorts& ports, Second since) const;
    void add(std::uint16_t group, const base::IpAddress& source);
    // A member turned out to scan alone and leaves. Returns true if it was the last active member.
    bool remove(std::uint16_t group, const base::IpAddress& source);
    // A member stopped sending. Returns true if it was the last active member.
    bool end(std::uint16_t group, const Counter& counter);

  private:
    static constexpr std::size_t kMaxGroups = 256;
    std::vector<DecoyGroup> groups_;
};

}  // namespace portcullis::sensor_detect
