// Port numbers that detectors know.
#pragma once

#include <cstdint>

namespace portcullis::sensor_detect {

inline constexpr std::uint16_t kEchoPort = 7;  // RFC 862

// Clients use ports from here on (RFC 6056 section 2.1; Linux from 32768); services are below.
inline constexpr std::uint16_t kFirstHighPort = 1024;
inline constexpr std::uint16_t kFirstEphemeralPort = 32768;

}  // namespace portcullis::sensor_detect
