// Sensor: the whole way from a frame to a line: parse, find the direction, filter, track, report.
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

// The same as one line of text.
std::string statistics_text(const SensorCounters& counters);

class Sensor final : public sensor_capture::FrameSink {
  public:
    // The names must outlive the sensor.
    Sensor(const sensor_config::SensorSettings& settings,
           const sensor_report::ServicesFile& services, const sensor_report::HostsFile& hosts,
           std::unique_ptr<sensor_report::LogTarget> target);

    // Sets the addresses of this host.
    void set_local_addresses(std::vector<base::IpAddress> addresses);
    // Applies new settings. Counters and running scans stay.
    void set_settings(const sensor_config::SensorSettings& settings);

    void on_frame(const sensor_capture::Frame& frame) override;
    // Advances the time; writes the lines that are due.
    void advance(base::Timestamp now);
    // When advance() has something to do at the earliest; nullopt = nothing waits.
    std::optional<base::Timestamp> next_deadline();
    // Writes the ends of running scans and all waiting lines.
    void finish(base::Timestamp now);

    sensor_report::LogWriter& log() { return log_; }
    sensor_report::Reporter& reporter() { return reporter_; }
    // Sets a predicate for inbound packets that answer the sensor itself (its DNS queries): they
    // are ignored.
    void set_own_traffic(std::function<bool(const sensor_packet::Packet&)> is_own) {
        is_own_traffic_ = std::move(is_own);
    }
    // Sets the judge of return paths; nullptr = none. It must outlive its use.
    void set_return_path(sensor_detect::ReturnPathJudge* judge) {
        tracker_->set_return_path(judge);
    }
    // Sets a call for each inbound TCP packet that no filter ignores, before it is tracked.
    void set_on_tcp(std::function<void(const sensor_packet::Packet&, base::Timestamp)> call) {
        on_tcp_ = std::move(call);
    }
    // Time of the last packet from or to us; the epoch before the first.
    base::Timestamp last_packet() const { return last_packet_; }
    // Sets a call that is made once, before the first packet from or to us is processed.
    void set_on_first_packet(std::function<void(base::Timestamp)> call) {
        on_first_packet_ = std::move(call);
    }

    // Numbers of frames and packets, by what was done with them.
    SensorCounters counters() const;

  private:
    // Processes the packet of a frame. An outbound packet may lack its IPv4 header checksum.
    void on_packet(const sensor_capture::Frame& frame, sensor_packet::Packet& packet,
                   sensor_packet::PacketView& view);
    // With iplog_compat: counts a packet of SCTP or another IP protocol that iplog does not know.
    // Returns whether the packet is one.
    bool count_if_unknown_to_iplog(const sensor_packet::Packet& packet);
    bool is_ours(const base::IpAddress& address) const;
    bool is_one_of_many(const base::IpAddress& address) const;
    // True for the last address of a network of `promisc`: packets to it do not probe a host.
    bool is_broadcast_of_watched(const base::IpAddress& address) const;
    // Both: from one watched host to another. None: between two other hosts.
    enum class Direction : std::uint8_t { None, Inbound, Outbound, Both };
    Direction direction_of(const sensor_packet::Packet& packet) const;
    // Stores the time, and reports the first packet.
    void note_time(base::Timestamp time);
    // Adds a fragment. Returns true if it completed a datagram: `packet` and `view` are those of
    // the datagram then.
    bool reassemble(Direction direction, sensor_packet::Packet& packet,
                    sensor_packet::PacketView& view, base::Timestamp time);
    void report(sensor_detect::ObservationType type, const sensor_packet::Packet& packet,
                base::Timestamp time);

    const bool counts_as_iplog_;  // whatever a later configuration says
    sensor_config::PacketFilters filters_;
    bool reports_fragments_ = true;
    bool is_verbose_ = false;
    // Each direction has its own, so that a sender cannot evict what we send.
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
