// ScanReports: makes an Observation of each detection. Decoys are reported as one scan, and the
// tool that a scan looks like is reported after it.
//
// Between SourceTracker and MultiTargetDetector, which detect, and the sink. Single-threaded; `now`
// comes with each call.
#pragma once

#include <cstdint>
#include <vector>

#include "sensor/detect/decoy_detector.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/detect/return_path.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/packet/packet.hpp"
#include "sensor/track/extent.hpp"
#include "sensor/track/handshakes.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/probe_history.hpp"
#include "sensor/track/source_table.hpp"
#include "sensor/track/target_table.hpp"

namespace portcullis::sensor_detect {

class ScanReports {
  public:
    // All references must outlive the object; `settings` may change. `extents` are the extents of
    // all tables that are passed in calls.
    ScanReports(const TrackerSettings& settings, const Handshakes& handshakes, Extents& extents,
                ObservationSink& sink)
        : settings_(settings), handshakes_(handshakes), extents_(extents), sink_(sink) {}

    // Sets the judge of return paths; nullptr = none, as with capture files. It must outlive its
    // use.
    void set_return_path(ReturnPathJudge* judge) { return_path_ = judge; }

    // Keeps the headers of a TCP probe, for the question which tool makes them.
    void record_probe(const sensor_packet::Packet& packet) { history_.record(packet); }

    void report_packet(ObservationType type, const sensor_packet::Packet& packet,
                       std::uint64_t bytes, base::Timestamp now);
    enum class Admission : std::uint8_t {
        Counts,
        CountsAnew,  // the host dropped the probes before it, which arrived on another interface
        Dropped,     // by the host
    };
    // Whether a probe of `state` counts. Its interface of arrival is judged if the probes before it
    // arrived on another one, and is that of the source from then on. An answer shows that the host
    // did not drop the probe.
    Admission admit(SourceState& source, const Probe& probe, PortState state) const;
    // Whether strict reverse path filtering drops what `source` sends to `destination` by
    // `interface`. An address of 0.0.0.0 or an interface of 0 is not known.
    bool is_dropped(const base::IpAddress& source, const base::IpAddress& destination,
                    std::uint32_t interface) const;
    // A counter reached its threshold: its source and the decoys of it are detected from now on.
    // False = the host drops the packets of this source, so that the source learnt nothing: nothing
    // is reported, and the caller must forget the ports.
    bool report_detection(SourceTable& table, SourceIndex source, Counter& counter,
                          base::Timestamp now);
    // A detected source continues: reports it once more, unless the host drops its packets.
    void report_repetition(const SourceState& state, Counter& counter, base::Timestamp now);
    // Whether report_group() may be called.
    bool has_room_for_group() const { return !groups_.is_full(); }
    // The members, each with a counter of `kind`, are detected as one decoy group from now on.
    // REQUIRES: has_room_for_group(); members is not empty.
    void report_group(SourceTable& table, const std::vector<SourceIndex>& members, ScanKind kind,
                      base::Timestamp now);
    // A member of a group probed a threshold of ports since its last comparison. If too few other
    // members probed the same ports, it leaves the group and is reported as a scanner of its own.
    void judge_member(SourceTable& table, SourceIndex source, Counter& counter,
                      base::Timestamp now);
    // Reports the end of a detected scan. Call before the counter is dropped.
    void report_end(const SourceState& state, const Counter& counter, base::Timestamp now);
    // Reports what many sources did to a target, or its end.
    void report_target(const TargetDetection& detection, base::Timestamp now);

  private:
    ReturnPath judge(const SourceState& state, std::uint32_t interface) const;
    // The same as is_dropped(), of a source that was not answered since its last line.
    bool is_dropped(const SourceState& state, const Counter& counter) const;
    // What a line says of a source and its targets.
    void describe(const SourceState& state, Observation& observation);
    void send_detection(const SourceState& state, Counter& counter, bool is_repeated,
                        base::Timestamp now);
    // Whether an address that took part completed a handshake: within kProofMemory, for a kind that
    // counts over hours within its window.
    bool is_proven(const SourceState& state, const Counter& counter, Second second) const;
    // The grade of a line, and the reasons for a doubt. The route outweighs a proof, since the
    // handshake may have come by the right interface; a proof outweighs partial checksums, since
    // this host took such packets.
    void grade(const SourceState& state, const Counter& counter, Second second,
               Observation& observation) const;
    // `member` was the last active member of the group `of`.
    void send_group_end(const SourceState& member, std::uint16_t of, base::Timestamp now);
    bool report_with_decoys(SourceTable& table, SourceIndex source, Counter& counter,
                            base::Timestamp now);
    std::uint32_t decoy_window(ScanKind group_kind) const;
    void join(SourceTable& table, std::uint16_t group, SourceIndex source, Counter& counter);
    void report_tool(const SourceState& state, ScanKind kind, base::Timestamp now);

    const TrackerSettings& settings_;
    const Handshakes& handshakes_;
    Extents& extents_;
    ObservationSink& sink_;
    ReturnPathJudge* return_path_ = nullptr;
    ProbeHistory history_;
    DecoyGroups groups_;
};

}  // namespace portcullis::sensor_detect
