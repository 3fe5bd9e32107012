// SmurfDetector: echo replies that all hosts of a network send to us, because somebody sent them
// echo requests in our name.
//
// It is a Tracker in front of another one: it consumes the replies of a detected attack and passes
// every other packet on. It counts ICMP echo replies and datagrams from port 7 of one network (/24,
// /64) to one address of ours, if we sent no request to any host of that network. An attack is
// detected when the rate reaches the settings of ScanKind::Smurf and at least three hosts replied.
// Single-threaded; bounded: see SourceTable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/keyed_hash.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/tracker.hpp"
#include "sensor/track/flow_memory.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/source_table.hpp"

namespace portcullis::sensor_detect {

class SmurfDetector final : public Tracker {
  public:
    // `sink` must outlive the detector.
    SmurfDetector(const TrackerSettings& settings, ObservationSink& sink,
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
    // Not inlined: the callers would otherwise save their registers for every packet.
    [[gnu::noinline]] void examine_inbound(const sensor_packet::Packet& packet,
                                           base::Timestamp now);
    [[gnu::noinline]] void examine_outbound(const sensor_packet::Packet& packet,
                                            base::Timestamp now);
    // Lets time pass if something is counted here, or will be (`is_counted`).
    void keep_up(bool is_counted, base::Timestamp now);
    // Counts a reply, and reports an attack if there are enough. Returns true if the packet belongs
    // to a reported attack.
    bool count_reply(const sensor_packet::Packet& packet);
    void report_detected(SourceIndex index, Counter& counter);
    // Reports the end of an attack.
    void report_end(const SourceState& state, const Counter& counter);
    // Evicts a network.
    void make_room(SourceIndex spared = kNoIndex);
    void end_all();
    Second second() const;

    TrackerSettings settings_;
    ObservationSink& sink_;
    std::unique_ptr<Tracker> next_;
    base::KeyedHash hash_;
    SourceTable table_;
    FlowMemory asked_;  // networks to which we sent an echo request
    base::Timestamp now_;
    std::uint64_t taken_ = 0;
};

}  // namespace portcullis::sensor_detect
