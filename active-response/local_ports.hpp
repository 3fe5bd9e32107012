// The ports that the kernel gives to own connections. Services use lower ports.
#pragma once

#include <cstdint>

namespace portcullis::active_response {

// Returns the first port of net.ipv4.ip_local_port_range, which applies to IPv6, too; if it cannot
// be read, kUsualFirstLocalPort.
std::uint16_t first_local_port();

}  // namespace portcullis::active_response
