// Return path: by which interface this host answers a source, and whether it takes packets that
// arrive on another one.
//
// Asks the kernel's routing table (rtnetlink RTM_GETROUTE; no privilege is needed) and its reverse
// path filter (net.ipv4.conf.*.rp_filter; RFC 3704 section 2). Asked once for each detection.
// Plain functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/ip_address.hpp"

namespace portcullis::sensor_capture {

// The kernel's index of the interface by which packets to `address` leave; nullopt = there is no
// route, or it cannot be asked for.
std::optional<std::uint32_t> route_interface(const base::IpAddress& address);

// Whether the interface is part of a bridge, bond or VRF, which is where packets that arrive on it
// are routed.
bool has_master(std::uint32_t interface);

// Whether the kernel drops IPv4 packets on that interface whose source it would answer by another
// one: the greater of the settings for all and for this interface is 1 (strict). IPv6 has no such
// filter.
bool has_strict_path_filter(std::uint32_t interface);

}  // namespace portcullis::sensor_capture
