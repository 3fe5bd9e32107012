// Sensor: the whole way from a frame to a line: parse, tell the direction, filter, track, report.
//
// Live capture and capture files feed the same object. Single-threaded.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sensor/capture/frame_source.hpp"
#include "sensor/config/settings.hpp"
#include "sensor/detect/tracker.hpp"
#include "sensor/packet/reassembly.hpp"
#include "sensor/report/log_writer.hpp"
#include "sensor/report/reporter.hpp"

namespace portcullis::sensor_pipeline {

// Name (a JSON key) and value.
using SensorCounters = std::vector<std::pair<std::string_view, std::uint64_t>>;

// The same for people: one line.
std::string statistics_text(const SensorCounters& counters);

class Sensor final : public sensor_capture::FrameSink {
  public:
    // The names must outlive the sensor.
    Sensor(const sensor_config::SensorSettings& settings,
           const sensor_report::ServicesFile& services, const sensor_report::HostsFile& hosts,
           std::unique_ptr<sensor_report::LogTarget> target);

    // Which addresses are ours.
    void set_local_addresses(std::vector<base::IpAddress> addresses);
    // Counters and scans that go on are kept.
    void set_settings(const sensor_config::SensorSettings& settings);

    void on_frame(const sensor_capture::Frame& frame) override;
    // Lets time pass; the lines that are due are in the log afterwards.
    void advance(base::Timestamp now);
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    std::optional<base::Timestamp> next_deadline();
    // Writes the summaries of the scans that go on, and all that waits.
    void finish(base::Timestamp now);

    sensor_report::LogWriter& log() { return log_; }
    sensor_report::Reporter& reporter() { return reporter_; }
    // Packets to us for which `is_own` is true come from what the sensor does itself (answers to
    // its questions for names): they are left out.
    void set_own_traffic(std::function<bool(const sensor_packet::Packet&)> is_own) {
        is_own_traffic_ = std::move(is_own);
    }
    // Who knows by which interface this host answers a source; nullptr = nobody. It must outlive
    // its use.
    void set_return_path(sensor_detect::ReturnPathJudge* judge) {
        tracker_->set_return_path(judge);
    }
    // Told of each TCP packet to us that no filter ignores, before it is judged.
    void set_on_tcp(std::function<void(const sensor_packet::Packet&, base::Timestamp)> call) {
        on_tcp_ = std::move(call);
    }
    // Time of the last packet from or to us; the epoch before the first.
    base::Timestamp last_packet() const { return last_packet_; }
    // Called once, before the first packet from or to us is looked at.
    void set_on_first_packet(std::function<void(base::Timestamp)> call) {
        on_first_packet_ = std::move(call);
    }

    // What became of the frames.
    SensorCounters counters() const;

  private:
    // The packet that the frame holds. On its way out a packet of ours may lack its IPv4 header
    // checksum.
    void on_packet(const sensor_capture::Frame& frame, sensor_packet::Packet& packet,
                   sensor_packet::PacketView& view);
    // With iplog_compat: counts a packet of SCTP or another IP protocol that iplog does not know.
    // Returns whether the packet is one.
    bool count_if_unknown_to_iplog(const sensor_packet::Packet& packet);
    bool is_ours(const base::IpAddress& address) const;
    bool is_one_of_many(const base::IpAddress& address) const;
    // The last address of a network of `promisc`: what is sent there is no question to a host.
    bool is_broadcast_of_watched(const base::IpAddress& address) const;
    // Both: one host that is watched over asks another one. None: two others, who concern nobody.
    enum class Direction : std::uint8_t { None, Inbound, Outbound, Both };
    Direction direction_of(const sensor_packet::Packet& packet) const;
    // Tells the time to all who wait for it.
    void note_time(base::Timestamp time);
    // Whether `packet` and `view` are those of a whole datagram afterwards.
    bool reassemble(Direction direction, sensor_packet::Packet& packet,
                    sensor_packet::PacketView& view, base::Timestamp time);
    void report(sensor_detect::ObservationType type, const sensor_packet::Packet& packet,
                base::Timestamp time);

    const bool counts_as_iplog_;  // whatever a later configuration says
    sensor_config::PacketFilters filters_;
    bool reports_fragments_ = true;
    bool is_verbose_ = false;
    // Each direction has its own, lest a sender pushes out what we send.
    std::unique_ptr<sensor_packet::Reassembly> inbound_fragments_;
    std::unique_ptr<sensor_packet::Reassembly> outbound_fragments_;
    base::CidrSet promisc_;
    std::vector<base::IpAddress> local_;  // sorted
    bool has_many_addresses_ = false;     // too many to compare each with every packet
    sensor_report::LogWriter log_;
    sensor_report::Reporter reporter_;
    std::unique_ptr<sensor_detect::Tracker> tracker_;
    std::array<std::uint64_t, sensor_packet::kVerdictCount> verdicts_{};
    std::uint64_t other_transports_ = 0;
    base::Timestamp last_packet_;
    std::function<void(base::Timestamp)> on_first_packet_;
    std::function<bool(const sensor_packet::Packet&)> is_own_traffic_;
    std::function<void(const sensor_packet::Packet&, base::Timestamp)> on_tcp_;
};

}  // namespace portcullis::sensor_pipeline
