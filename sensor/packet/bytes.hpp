// Bytes: reads values in network order from captured bytes. The caller checks the bounds with
// has(): the functions that read do not. A view, valid as long as the frame under it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ip_address.hpp"

namespace portcullis::sensor_packet {

class Bytes {
  public:
    explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::size_t size() const { return bytes_.size(); }
    bool has(std::size_t count) const { return bytes_.size() >= count; }
    std::span<const std::uint8_t> all() const { return bytes_; }

    // REQUIRES: has(at + 1), has(at + 2), has(at + 4), has(at + count).
    std::uint8_t u8(std::size_t at) const { return bytes_[at]; }
    std::uint16_t u16(std::size_t at) const {
        return static_cast<std::uint16_t>((bytes_[at] << 8) | bytes_[at + 1]);
    }
    std::uint32_t u32(std::size_t at) const { return (std::uint32_t{u16(at)} << 16) | u16(at + 2); }
    std::span<const std::uint8_t> span(std::size_t at, std::size_t count) const {
        return bytes_.subspan(at, count);
    }

    // REQUIRES: has(at + 4), has(at + 16).
    base::IpAddress ipv4(std::size_t at) const {
        std::array<std::uint8_t, 4> address{};
        std::copy_n(span(at, 4).begin(), 4, address.begin());
        return base::IpAddress::v4(address);
    }
    base::IpAddress ipv6(std::size_t at) const {
        std::array<std::uint8_t, 16> address{};
        std::copy_n(span(at, 16).begin(), 16, address.begin());
        return base::IpAddress::v6(address);
    }

    // The bytes behind the first `count`; empty if there are none.
    Bytes from(std::size_t count) const {
        return Bytes(bytes_.subspan(count < bytes_.size() ? count : bytes_.size()));
    }
    // At most the first `count` bytes.
    Bytes first(std::size_t count) const {
        return Bytes(bytes_.first(count < bytes_.size() ? count : bytes_.size()));
    }

  private:
    std::span<const std::uint8_t> bytes_;
};

}  // namespace portcullis::sensor_packet
