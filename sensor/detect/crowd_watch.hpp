// CrowdWatch: what many sources do together: a scan of which each does a little, a flood of SYNs.
//
// One crowd per own address (distributed scan) and one per own port (SYN flood), in tables of fixed
// size where a crowd that was reported keeps its place and any other gives way. Distinct ports and
// sources are counted exactly, as far as thresholds go. Single-threaded; no allocation after the
// constructor.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/clock.hpp"
#include "engine/base/ip_address.hpp"
#include "engine/base/keyed_hash.hpp"
#include "sensor/detect/port_list.hpp"
#include "sensor/detect/rate_window.hpp"
#include "sensor/detect/tracker_settings.hpp"

namespace portcullis::sensor_detect {

// Distinct values of the last `window` seconds: exact up to `kMost`, beyond that the latest are
// kept.
template <std::size_t kMost>
class DistinctInWindow {
  public:
    // Returns how many there are.
    int add(std::uint64_t value, std::uint32_t second, std::uint32_t window) {
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
        latest_ = second;
        return static_cast<int>(
            std::count_if(seconds_.begin(), seconds_.begin() + size_,
                          [&](std::uint32_t at) { return std::uint64_t{at} + window > second; }));
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
};

class CrowdWatch {
  public:
    struct Touch {
        base::IpAddress destination;
        std::uint16_t port = 0;
        std::uint64_t source_hash = 0;
        bool is_new_source = false;  // it did nothing else before
        std::uint16_t packets = 1;
        std::uint32_t bytes = 0;
        base::Timestamp time;
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
    std::optional<Report> add_door(const Touch& touch, const DetectorSettings& settings);
    // A connection to a port was not completed.
    std::optional<Report> add_half_open(const Touch& touch, const DetectorSettings& settings);

    // Whether a connection attempt of somebody new to that port belongs to a crowd that was
    // reported: there is no line for it then.
    bool covers(const base::IpAddress& destination, std::uint16_t port) const;

    // When end_one() has something to tell; nullopt = no crowd was reported.
    std::optional<std::uint32_t> next_end() const;
    // A crowd that is over at `second`, and is forgotten with that; nullopt = none.
    std::optional<Report> end_one(std::uint32_t second);

  private:
    // One port probed by many is a flood or a worm; a scan is told by that each source brings
    // others. So many sources for each port that the threshold asks for: a third.
    static constexpr int kPortsPerSource = 3;
    static constexpr std::size_t kMaxSources = kMaxPortThreshold / kPortsPerSource + 1;

    struct Crowd {
        base::IpAddress destination;
        std::uint16_t port = 0;
        bool is_used = false;
        bool is_reported = false;
        std::uint32_t expires_at = 0;  // seconds since 1970
        std::uint32_t sources = 0;     // that came new
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        RateWindow rate;                             // SYN flood
        DistinctInWindow<kMaxPortThreshold> ports;   // distributed scan
        DistinctInWindow<kMaxSources> some_sources;  // the same
        DestinationPorts first_ports;
    };
    static constexpr std::size_t kAddresses = 256;
    static constexpr std::size_t kPorts = 1024;

    // The crowd of a place; nullptr = a reported one has it.
    static Crowd* obtain(std::vector<Crowd>& crowds, std::uint64_t place, const Touch& touch,
                         std::uint16_t port);
    static void count(Crowd& crowd, const Touch& touch, const DetectorSettings& settings);
    Report report(ScanKind kind, Crowd& crowd);
    std::uint64_t place_of(const base::IpAddress& destination, std::uint32_t port) const;

    base::KeyedHash hash_;
    // The address asked for last: a flood has one.
    mutable base::IpAddress last_;
    mutable std::uint64_t last_hash_ = 0;
    std::vector<Crowd> by_address_;
    std::vector<Crowd> by_port_;
    struct Reported {
        ScanKind kind;
        Crowd* crowd;
    };
    std::vector<Reported> reported_;
};

}  // namespace portcullis::sensor_detect
