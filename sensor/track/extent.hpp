// Extent: the addresses that a counter sums up, if they are more than one source and one target.
//
// An entry of a SourceTable whose `extent` is not kNoIndex has one. Plain values and a pool of
// them. Single-threaded.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ip_address.hpp"
#include "sensor/track/pool.hpp"

namespace portcullis::sensor_track {

// A list of a few distinct addresses.
class AddressList {
  public:
    static constexpr std::size_t kCapacity = 10;

    // Adds an address; a full list keeps its addresses. In order of appearance.
    void add(const base::IpAddress& address) {
        if (size_ < kCapacity && !contains(address)) {
            addresses_[size_++] = address;
        }
    }
    // Adds an address; a full list drops the one that was added first.
    void add_latest(const base::IpAddress& address) {
        if (size_ < kCapacity) {
            add(address);
        } else if (!contains(address)) {
            addresses_[oldest_] = address;
            oldest_ = static_cast<std::uint8_t>((oldest_ + 1) % kCapacity);
        }
    }
    bool contains(const base::IpAddress& address) const {
        const auto known = addresses();
        return std::find(known.begin(), known.end(), address) != known.end();
    }
    std::size_t size() const { return size_; }
    std::span<const base::IpAddress> addresses() const {
        return std::span(addresses_).first(size_);
    }

  private:
    std::array<base::IpAddress, kCapacity> addresses_{};
    std::uint8_t size_ = 0;
    std::uint8_t oldest_ = 0;  // of a full list
};

struct Extent {
    AddressList targets;
    AddressList sources;  // of a network the latest
};

using Extents = Pool<Extent>;

// The network of `length` bits that `address` is in, host bits cleared. REQUIRES: 0 <= length, at
// most the bits of the family.
inline base::IpAddress network_of(const base::IpAddress& address, int length) {
    std::array<std::uint8_t, 16> bytes{};
    for (int bit = 0; bit < length; bit += 8) {
        const int kept = std::min(8, length - bit);
        const auto at = static_cast<std::size_t>(bit / 8);
        bytes[at] = static_cast<std::uint8_t>(address.data()[at] & (0xff << (8 - kept)));
    }
    return address.is_v4() ? base::IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]})
                           : base::IpAddress::v6(bytes);
}

}  // namespace portcullis::sensor_track
