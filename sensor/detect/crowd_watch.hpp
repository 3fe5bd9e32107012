// CrowdWatch: what many sources do together: a scan of which each does a little, a flood of SYNs or
// datagrams, answers of many services to what somebody asked in our name.
//
// One crowd per own address (distributed scan, floods of datagrams, reflections) and one per own
// port (SYN flood, refused connections), in tables of fixed size where a crowd that was reported
// keeps its place and any other gives way. Distinct ports and sources are counted exactly, as far
// as thresholds go. Single-threaded; no allocation after the constructor.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/ip_address.hpp"
#include "base/keyed_hash.hpp"
#include "sensor/detect/port_list.hpp"
#include "sensor/detect/rate_window.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/detect/zeroed_array.hpp"

namespace portcullis::sensor_detect {

// Distinct values of the last `window` seconds: exact up to `kMost`, beyond that the latest are
// kept.
template <std::size_t kMost>
class DistinctInWindow {
  public:
    // Returns how many there are. `owner`: for forget().
    int add(std::uint64_t value, std::uint32_t second, std::uint32_t window,
            std::uint64_t owner = 0) {
        const auto end = values_.begin() + size_;
        const auto known = std::find(values_.begin(), end, value);
        auto place = static_cast<std::size_t>(known - values_.begin());
        if (place == kMost) {
            place = static_cast<std::size_t>(std::min_element(seconds_.begin(), seconds_.end()) -
                                             seconds_.begin());
        }
        size_ = std::max(size_, place + 1);
        values_[place] = value;
        seconds_[place] = second;
        owners_[place] = static_cast<std::uint32_t>(owner);
        latest_ = second;
        return static_cast<int>(
            std::count_if(seconds_.begin(), seconds_.begin() + size_,
                          [&](std::uint32_t at) { return std::uint64_t{at} + window > second; }));
    }
    // The values whose last add() named this owner.
    void forget(std::uint64_t owner) {
        for (std::size_t i = size_; i > 0; --i) {
            if (owners_[i - 1] == static_cast<std::uint32_t>(owner)) {
                --size_;
                values_[i - 1] = values_[size_];
                seconds_[i - 1] = seconds_[size_];
                owners_[i - 1] = owners_[size_];
            }
        }
    }
    // Nothing was added within the window before `second`.
    bool is_empty_at(std::uint32_t second, std::uint32_t window) const {
        return std::uint64_t{latest_} + window <= second;
    }

  private:
    std::size_t size_ = 0;
    std::uint32_t latest_ = 0;
    std::array<std::uint64_t, kMost> values_{};
    std::array<std::uint32_t, kMost> seconds_{};
    std::array<std::uint32_t, kMost> owners_{};
};

class CrowdWatch {
  public:
    struct Touch {
        base::IpAddress destination;
        std::uint16_t port = 0;
        std::uint16_t source_port = 0;
        std::uint64_t source_hash = 0;
        bool is_new_source = false;  // it did nothing else before
        std::uint16_t packets = 1;
        std::uint32_t bytes = 0;
        std::uint32_t second = 0;  // since 1970 …
        base::Timestamp time;      // … and exactly
    };
    struct Report {
        ScanKind kind = ScanKind::DistributedScan;
        bool is_over = false;
        base::IpAddress destination;
        DestinationPorts ports;
        std::uint32_t sources = 0;
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
    };

    CrowdWatch();

    // A closed or silent port was touched by a source that is no scanner. A report: with it there
    // are enough of them.
    std::optional<Report> add_port(const Touch& touch, const DetectorSettings& settings);
    // The source turned out to be a scanner by itself: the ports that it touched do not
    // count as what several sources do together.
    void forget_ports_of(const base::IpAddress& destination, std::uint64_t source_hash);
    // A connection to a port was not completed; `kind`: SynFlood, or RefusedConnections.
    std::optional<Report> add_attempt(ScanKind kind, const Touch& touch,
                                      const DetectorSettings& settings);
    // A source that did nothing before sent a datagram that was not answered (DatagramFlood), or a
    // SYN+ACK that nobody asked for (SynAckReflection). Of datagrams from few source ports the
    // report says DatagramReflection: services answer.
    std::optional<Report> add_source(ScanKind kind, const Touch& touch,
                                     const DetectorSettings& settings);

    // Whether a connection attempt of somebody new to that port belongs to a crowd that was
    // reported: there is no line for it then.
    bool covers(const base::IpAddress& destination, std::uint16_t port) const;

    // When end_one() has something to tell; nullopt = no crowd was reported.
    std::optional<std::uint32_t> next_end() const;
    // A crowd that is over at `second`, and is forgotten with that; nullopt = none.
    std::optional<Report> end_one(std::uint32_t second);

  private:
    // Fewer sources do not make a crowd. Many on one port are a flood or a worm; in a distributed
    // scan the number of distinct ports decides.
    static constexpr int kFewestSources = 2;
    static constexpr std::size_t kMaxSources = 8;
    // Datagrams from at most this number of source ports are answers of services.
    static constexpr std::size_t kServicePorts = 8;

    // What is counted for a port of ours. A flood to random ports begins one with each packet, so
    // it is small.
    struct Crowd {
        base::IpAddress destination;
        std::uint16_t port = 0;
        ScanKind kind = ScanKind::DistributedScan;
        bool is_used = false;
        bool is_reported = false;
        std::uint32_t expires_at = 0;  // seconds since 1970
        std::uint32_t sources = 0;     // that came new
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        RateWindow rate;  // attempts, or new sources
        DestinationPorts first_ports;
    };
    // For an address of ours.
    struct AddressCrowd : Crowd {
        DistinctInWindow<kMaxPortThreshold> ports;   // distributed scan
        DistinctInWindow<kMaxSources> some_sources;  // the same
        PortList<kServicePorts> source_ports;        // new sources
    };
    static constexpr std::size_t kAddresses = 256;
    static constexpr std::size_t kPorts = 1024;

    // The crowd of a place; nullptr = a reported one has it.
    template <class AnyCrowd>
    static AnyCrowd* obtain(ZeroedArray<AnyCrowd>& crowds, std::uint64_t place, ScanKind kind,
                            const Touch& touch, std::uint16_t port);
    static void count(Crowd& crowd, const Touch& touch, const DetectorSettings& settings);
    Report make_report(Crowd& crowd);
    std::uint64_t place_of(const base::IpAddress& destination, std::uint32_t port) const {
        return hash_.of(hash_.of(destination) + port);
    }

    base::KeyedHash hash_;
    ZeroedArray<AddressCrowd> by_address_;
    ZeroedArray<Crowd> by_port_;
    std::vector<Crowd*> reported_;
};

}  // namespace portcullis::sensor_detect
