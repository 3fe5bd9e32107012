// HoldConfig: when the kernel itself holds a scan for a moment (docs/hold.md). Plain values.
#pragma once

#include <chrono>

namespace portcullis::base {

enum class HoldMode {
    No,
    Yes,
    // Counts only refused connections (our own RST): for hosts whose sockets the kernel does not
    // know, such as IPVS services.
    Refused,
};

struct HoldConfig {
    HoldMode mode = HoldMode::No;
    int ports = 10;                   // distinct closed ports within 3 s, of crafted probes
    int connect_ports = 15;           // the same by connect()
    std::chrono::seconds seconds{2};  // how long a source is held
    int ipv6_prefix = 64;             // length of the prefix that is one source

    bool operator==(const HoldConfig&) const = default;
};

}  // namespace portcullis::base
