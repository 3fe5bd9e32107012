// OpenPorts: TCP ports of ours that answered with a SYN+ACK lately.
//
// If a SYN to such a port is not answered, the port is not closed: the kernel may hold its source
// back (docs/responding-safely.md), or the service is overloaded. Bounded: 1024 ports of addresses
// of ours; the oldest one of a full bucket is replaced. Single-threaded; no allocation after the
// constructor.
#pragma once

#include <cstdint>

#include "base/ip_address.hpp"
#include "base/keyed_hash.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/recent_keys.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_track {

// Time for which a port counts as open after it answered, in seconds.
inline constexpr std::uint32_t kOpenMemory = 600;

class OpenPorts {
  public:
    static constexpr std::size_t kMost = 1024;

    OpenPorts() : latest_(std::size_t{1} << 16), ports_(kMost / 4) {}

    // The port answered at `second` (since 1970).
    void note(const base::IpAddress& ours, std::uint16_t port, Second second) {
        if (latest_[port] == second && last_ == ours) {
            return;
        }
        latest_[port] = second;
        last_ = ours;
        ports_.note(key_of(ours, port), second);
    }
    bool is_open(const base::IpAddress& ours, std::uint16_t port, Second second) const {
        // Most ports have never been open; the first comparison finds that with a single load.
        return latest_[port] != 0 && ports_.knows(key_of(ours, port), second, kOpenMemory);
    }
    void clear() {
        latest_.clear();
        ports_.clear();
    }

  private:
    std::uint64_t key_of(const base::IpAddress& ours, std::uint16_t port) const {
        return hash_.of(hash_.of(ours) + port);
    }

    base::KeyedHash hash_;
    ZeroedArray<std::uint32_t> latest_;  // by port, of any address; 0 = never
    RecentKeys ports_;
    base::IpAddress last_;  // noted last
};

}  // namespace portcullis::sensor_track
