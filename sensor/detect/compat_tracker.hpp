// CompatTracker: what iplog 2.2.3 makes of packets, for `set iplog_compat true`.
//
// It counts packets, not ports; knows no answers of ours, no rates, no IPv6; and misses what iplog
// misses. Spec section 5 is the whole of it, order and wrap-around included. A drop-in for those
// who compare with logs of old; ScanTracker is what protects. Single-threaded.
#pragma once

#include <cstdint>
#include <optional>

#include "sensor/detect/compat_table.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/tracker.hpp"

namespace portcullis::sensor_detect {

class CompatTracker final : public Tracker, private CompatSink {
  public:
    // `sink` must outlive the tracker. Only the switches of `settings` are looked at: thresholds
    // and idle times are iplog's. `is_promiscuous`: with more buckets.
    CompatTracker(const TrackerSettings& settings, bool is_promiscuous, ObservationSink& sink);

    // As iplog does, this empties the tables without a line.
    void set_settings(const TrackerSettings& settings) override;

    void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    // iplog sees nothing of ours.
    void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    // Sweeps once for each second that begins.
    void advance(base::Timestamp now) override;
    std::optional<base::Timestamp> next_deadline() override;
    // What is counted is lost without a line, as iplog loses it.
    void finish(base::Timestamp now) override;

    TrackerCounters counters() const override;

  private:
    void on_tcp(const sensor_packet::Packet& packet);
    void on_datagram(const sensor_packet::Packet& packet);
    void on_icmp(const sensor_packet::Packet& packet);
    // Counts the packet, if the kind is switched on; true = it is swallowed.
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
