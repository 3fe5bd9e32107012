// Return path: the interface by which the host would answer a source, and whether the kernel
// accepts packets of that source from the interface on which they arrived.
//
// Used for each detection, and when packets of a source arrive on another interface than before.
// Not used for each packet, because one query to the kernel takes some 40 microseconds. Needs no
// privilege and never waits. ReturnPaths is single-threaded; the function may be called from any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/ip_address.hpp"

namespace portcullis::sensor_capture {

enum class ReturnPath : std::uint8_t {
    Same,      // answers leave by the interface on which the packets came in
    Other,     // answers leave by another one: asymmetric routing, or a forged source
    Filtered,  // as Other, and strict reverse path filtering (RFC 3704) discards the packets
    Unknown,   // no route, another network namespace or VRF, or no interface to compare with
};

// Judges packets from `source` that came in on the interface with the kernel index
// `interface_index` (0 = not known). `destination`: the address of this host that they were sent
// to; rules for routes ("ip rule from A") depend on it, so it should be given wherever it is known.
// An interface and what is stacked on it (VLAN, bridge, bond) count as the same one. IPv6 has no
// reverse path filter in the kernel's configuration, so its answer is never Filtered.
ReturnPath judge_return_path(const base::IpAddress& source, std::uint32_t interface_index,
                             const std::optional<base::IpAddress>& destination = std::nullopt);

// The same with a cache: an answer is kept for a second, so that a source which is detected as
// several kinds of scan at once needs one query.
class ReturnPaths {
  public:
    // `now` may go back; newer answers are then queried again.
    ReturnPath judge(const base::IpAddress& source, std::uint32_t interface_index,
                     const std::optional<base::IpAddress>& destination, base::Timestamp now);

    // Number of cached answers; at most kMaxAnswers.
    std::size_t size() const { return answers_.size(); }
    static constexpr std::size_t kMaxAnswers = 64;

  private:
    struct Answer {
        base::IpAddress source;
        std::uint32_t interface_index = 0;
        std::optional<base::IpAddress> destination;
        base::Timestamp time;
        ReturnPath path = ReturnPath::Unknown;
    };
    std::vector<Answer> answers_;  // the oldest is replaced where there is no room
};

}  // namespace portcullis::sensor_capture
