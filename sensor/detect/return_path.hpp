// ReturnPath: whether this host would answer a source by the interface on which its packets
// arrived.
//
// A seam. Detectors use it for each detection, and when packets of a source arrive on another
// interface than before. Live capture implements it with the routing table.
#pragma once

#include <cstdint>

#include "base/ip_address.hpp"

namespace portcullis::sensor_detect {

enum class ReturnPath : std::uint8_t {
    Unknown,  // no route, or a capture file
    Same,
    Other,     // by another interface: the source may be forged
    Filtered,  // the same, and the kernel drops such packets (strict reverse path filter, RFC 3704)
};

class ReturnPathJudge {
  public:
    virtual ~ReturnPathJudge() = default;
    // `destination`: where the packets of `source` were sent to; 0.0.0.0 = not known.
    // `interface`: the kernel's index of the interface of arrival; 0 = not known.
    virtual ReturnPath judge(const base::IpAddress& source, const base::IpAddress& destination,
                             std::uint32_t interface) = 0;
};

}  // namespace portcullis::sensor_detect
