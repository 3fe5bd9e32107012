// PortList: the first N distinct ports, in order of appearance. A value of fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace portcullis::sensor_track {

template <std::size_t N>
class PortList {
  public:
    static constexpr std::size_t kCapacity = N;

    // Adds a port. Returns true if it was new and there was room.
    bool add(std::uint16_t port) {
        const auto end = ports_.begin() + size_;
        if (size_ == N || std::find(ports_.begin(), end, port) != end) {
            return false;
        }
        ports_[size_++] = port;
        return true;
    }
    // Removes a port. Returns true if it was in the list; the order of the others stays.
    bool remove(std::uint16_t port) {
        const auto end = ports_.begin() + size_;
        const auto found = std::find(ports_.begin(), end, port);
        if (found == end) {
            return false;
        }
        std::copy(found + 1, end, found);
        --size_;
        return true;
    }
    bool contains(std::uint16_t port) const {
        const auto end = ports_.begin() + size_;
        return std::find(ports_.begin(), end, port) != end;
    }
    void clear() { size_ = 0; }
    std::size_t size() const { return size_; }
    bool is_full() const { return size_ == N; }
    std::span<const std::uint16_t> ports() const { return std::span(ports_).first(size_); }

    friend bool operator==(const PortList& a, const PortList& b) {
        return std::equal(a.ports().begin(), a.ports().end(), b.ports().begin(), b.ports().end());
    }

  private:
    std::array<std::uint16_t, N> ports_{};
    std::uint8_t size_ = 0;
    static_assert(N <= 255);
};

// The numbers of ports in a line of the log (specification section 3).
using DestinationPorts = PortList<10>;
using SourcePorts = PortList<5>;

}  // namespace portcullis::sensor_track
