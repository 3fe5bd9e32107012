// ScanReports: how a finding becomes an Observation: the sources that scan in lock-step as one, a
// scan with the tool that it looks like behind it.
//
// Between ScanTracker, which finds, and the sink. Single-threaded.
#pragma once

#include <cstdint>
#include <vector>

#include "sensor/detect/crowd_watch.hpp"
#include "sensor/detect/lock_step.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/probe_history.hpp"
#include "sensor/detect/source_table.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/packet/packet.hpp"

namespace portcullis::sensor_detect {

class ScanReports {
  public:
    // All references must outlive the object; `settings` may change.
    ScanReports(const TrackerSettings& settings, SourceTable& table, ObservationSink& sink)
        : settings_(settings), table_(table), sink_(sink) {}

    void set_time(base::Timestamp now) { now_ = now; }

    // The headers of a TCP probe, for the question which tool makes them.
    void record(const sensor_packet::Packet& packet) { history_.record(packet); }

    void packet(ObservationType type, const sensor_packet::Packet& packet, std::uint64_t bytes);
    // A counter reached its threshold: it and those in lock-step with it are detected from now on.
    void detected(std::uint32_t source, Counter& counter);
    // Whether detected_together() can report anything.
    bool has_room_for_group() const { return !groups_.is_full(); }
    // Sources in lock-step, each with a counter of `kind`, are detected as one from now on.
    // REQUIRES: has_room_for_group(); members is not empty.
    void detected_together(const std::vector<std::uint32_t>& members, ScanKind kind);
    // A counter is about to be dropped.
    void over(const SourceState& state, const Counter& counter);
    void crowd(const CrowdWatch::Report& report);

  private:
    Observation make(ObservationType type, ScanKind kind) const;
    bool detected_in_lock_step(std::uint32_t source, Counter& counter);
    std::uint32_t second() const;
    std::uint32_t decoy_window(ScanKind group_kind) const;
    void join(std::uint16_t group, std::uint32_t source, Counter& counter);
    void tool(const SourceState& state, ScanKind kind);

    const TrackerSettings& settings_;
    SourceTable& table_;
    ObservationSink& sink_;
    ProbeHistory history_;
    DecoyGroups groups_;
    base::Timestamp now_;
};

}  // namespace portcullis::sensor_detect
