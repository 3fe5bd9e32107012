// SmurfWatch: echo replies that a whole network sends because somebody asked it in our name.
//
// Stands before another Tracker and takes away what belongs to an attack that is going on; all else
// is handed on. Counted are ICMP echo replies and datagrams from port 7, from one network (/24,
// /64) to one address of ours, that we did not ask any host of that network for. It is an attack
// from as many within the window as the settings of ScanKind::Smurf say, if three hosts or more
// took part. Single-threaded; bounded: see SourceTable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/keyed_hash.hpp"
#include "sensor/detect/flow_memory.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/source_table.hpp"
#include "sensor/detect/tracker.hpp"

namespace portcullis::sensor_detect {

class SmurfWatch final : public Tracker, private CounterSink {
  public:
    // `sink` must outlive it.
    SmurfWatch(const TrackerSettings& settings, ObservationSink& sink,
               std::unique_ptr<Tracker> next);

    void set_settings(const TrackerSettings& settings) override;
    void on_inbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    void on_outbound(const sensor_packet::Packet& packet, base::Timestamp now) override;
    void on_address_request(const base::IpAddress& sender, const base::IpAddress& target,
                            base::Timestamp now) override;
    void set_own_addresses(std::span<const base::IpAddress> addresses) override {
        next_->set_own_addresses(addresses);
    }
    void set_return_path(ReturnPathJudge* judge) override { next_->set_return_path(judge); }
    void advance(base::Timestamp now) override;
    std::optional<base::Timestamp> next_deadline() override;
    void finish(base::Timestamp now) override;
    TrackerCounters counters() const override;

  private:
    // Not inlined: the registers that they save would be saved for every packet.
    [[gnu::noinline]] void look_at_inbound(const sensor_packet::Packet& packet,
                                           base::Timestamp now);
    [[gnu::noinline]] void look_at_outbound(const sensor_packet::Packet& packet,
                                            base::Timestamp now);
    void keep_up(bool is_for_us, base::Timestamp now);
    // True = the packet belongs to an attack that was reported.
    bool takes(const sensor_packet::Packet& packet);
    void report_detected(std::uint32_t index, Counter& counter);
    void on_counter_over(const SourceState& state, const Counter& counter) override;
    std::uint32_t second() const;

    TrackerSettings settings_;
    ObservationSink& sink_;
    std::unique_ptr<Tracker> next_;
    base::KeyedHash hash_;
    SourceTable table_;
    FlowMemory asked_;  // networks in which we asked somebody
    base::Timestamp now_;
    std::uint64_t taken_ = 0;
};

}  // namespace portcullis::sensor_detect
