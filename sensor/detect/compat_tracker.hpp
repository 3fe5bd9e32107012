// CompatTracker: does with packets what iplog 2.2.3 does, for `set iplog_compat true`.
//
// It counts packets, not ports. It knows no answers of ours, no rates and no IPv6, and misses what
// iplog misses. Specification section 5 describes it completely, including the order of lines and
// the wrap-around of counters. It is for comparisons with old logs; use ScanTracker to protect a
// host. Single-threaded.
#pragma once

#include <cstdint>
#include <optional>

#include "sensor/detect/compat_table.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/tracker.hpp"

namespace portcullis::sensor_detect {

class CompatTracker final : public Tracker, private CompatSink {
  public:
    // `sink` must outlive the tracker. It uses only the switches of `settings`; thresholds and idle
    // times are iplog's. `is_promiscuous`: with more buckets.
    CompatTracker(const TrackerSettings& settings, bool is_promiscuous, ObservationSink& sink);

    // As iplog does, this empties the tables without a line.
    void set_settings(const TrackerSettings& settings) override;

    void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    // Ignores the packet, as iplog does.
    void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    // Sweeps once for each second that begins.
    void advance(base::Timestamp now) override;
    std::optional<base::Timestamp> next_deadline() override;
    // Drops the counters without a line, as iplog does.
    void finish(base::Timestamp now) override;

    TrackerCounters counters() const override;

  private:
    void on_tcp(const sensor_packet::Packet& packet);
    void on_datagram(const sensor_packet::Packet& packet);
    void on_icmp(const sensor_packet::Packet& packet);
    // Counts the packet if the kind is switched on. Returns true if it belongs to a reported scan
    // and has no line.
    bool count(ScanKind kind, const sensor_packet::Packet& packet);
    void report_packet(ObservationType type, const sensor_packet::Packet& packet,
                       std::uint64_t bytes);
    void on_dropped(const CompatPair& pair, ScanKind kind, const CompatCounter& counter) override;

    TrackerSettings settings_;
    ObservationSink& sink_;
    CompatTable table_;
    base::Timestamp now_;
    std::int64_t second_ = 0;
    std::optional<base::IpAddress> last_bogus_;  // from any time
    std::optional<base::IpAddress> last_traceroute_;
    std::int64_t last_traceroute_line_ = 0;
    TrackerCounters counters_;
};

}  // namespace portcullis::sensor_detect
