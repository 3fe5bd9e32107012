// SourceTracker: counts the probes of each source and decides when they are a scan.
//
// ScanTracker classifies the packets and matches them with our answers; it calls this class with
// probes and port states. A pair (source, target) begins as a SingleProbe of 32 bytes and moves to
// the SourceTable with its second, different probe. Each port that is closed or unanswered is
// counted for the pair there, for the source over all targets (MultiTargetDetector), over a day
// (SlowScanDetector) and for its target over all sources (TargetTable). Single-threaded; bounded by
// its parts; no allocation in the steady state.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/keyed_hash.hpp"
#include "sensor/detect/distributed_scan_detector.hpp"
#include "sensor/detect/multi_target_detector.hpp"
#include "sensor/detect/reflection_detector.hpp"
#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/slow_scan_detector.hpp"
#include "sensor/detect/syn_flood_detector.hpp"
#include "sensor/detect/tracker_settings.hpp"
#include "sensor/track/flow_memory.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/single_probe_table.hpp"
#include "sensor/track/source_table.hpp"
#include "sensor/track/target_table.hpp"

namespace portcullis::sensor_detect {

// Distinguishes the keyed hashes of a source without a target by their use.
enum class KeyUse : std::uint64_t { Host = 1, Source = 2, SlowHost = 3 };

class SourceTracker {
  public:
    // All references must outlive the tracker. The sizes in `settings` are read once, here.
    SourceTracker(const TrackerSettings& settings, const Handshakes& handshakes,
                  ObservationSink& sink);

    // What a received probe is part of.
    enum class Reception : std::uint8_t {
        NewSource,  // its pair sent nothing else before
        Known,
        WithoutLine,  // part of a running slow scan: no line, but its answer still counts
        Taken,        // it belongs to a detected scan
    };

    ScanReports& reports() { return reports_; }
    // The addresses of this host. If a family has more than one, sources are counted over all of
    // them as well.
    void set_own_addresses(std::span<const base::IpAddress> addresses);
    // The keyed hash that identifies a pair.
    PairKey pair_of(const base::IpAddress& source, const base::IpAddress& destination);
    void set_time(base::Timestamp now);
    // The time set last, in seconds since 1970.
    Second second() const { return second_; }

    // Prefetch the memory that receive() and count_port() need for a pair. With many sources both
    // spend most of their time waiting for memory.
    void prefetch_receive(PairKey pair) {
        table_.prefetch(pair);
        singles_.prefetch_pair(pair);
    }
    void prefetch_count_port(const Probe& probe) {
        prefetch_receive(probe.pair);
        singles_.prefetch_place(probe.single_place);
        slow_.prefetch(probe.pair);
    }

    // Counts a probe as received. Sets Probe::single_place.
    Reception receive(Probe& probe);
    // The probed port is closed or did not answer. For classes that count by refusal this is also
    // their reception. REQUIRES: state is not Open.
    void count_port(const Probe& probe, PortState state);
    // The port turned out to be open, because its answer came late: it does not count any longer.
    void take_back(const Probe& probe);
    // True if probes of that class count for a sweep over hosts.
    bool seeks_hosts(ProbeClass probe) const;
    // Counts the target of the probe for a sweep over hosts, whatever it answers. REQUIRES:
    // seeks_hosts().
    void note_host(const Probe& probe);
    // The same for sweeps that take up to a day. Call it for probes that monitoring does not send
    // and for unanswered ones: monitoring probes many hosts all day, but they answer. REQUIRES:
    // seeks_hosts().
    void note_slow_host(const Probe& probe);
    // A connection to an open port ended without a byte from its source, or was not completed.
    void note_open_port(const Probe& probe);
    // A port that is closed, or of whose probe only our answer was captured, because a filter hides
    // the probe. It counts as a probed open port if its source probes open ports.
    void note_beside_open_ports(Probe probe);
    // A packet of an IP protocol other than the usual ones. Its destination_port is the number of
    // the protocol.
    void note_protocol(const Probe& probe);
    // `source` proved its address by a handshake: its scans are proven from now on.
    void note_proof(const base::IpAddress& source, const base::IpAddress& destination);
    // Our host answered a TCP probe that is not pending. Returns true if its source is detected.
    bool note_answer(PairKey pair, const base::IpAddress& source,
                     const base::IpAddress& destination);
    // A source that sent nothing else before sent a datagram or SYN+ACK that nobody asked for.
    void note_unasked(ScanKind kind, const Probe& probe);
    // `sender` requested the link address of `target` (RFC 826, RFC 4861), a host of the watched
    // networks.
    void note_address_request(const base::IpAddress& sender, const base::IpAddress& target);
    // Counts an echo request. Returns true if it belongs to a flood.
    bool receive_echo(Probe& probe);
    // Takes a packet with contradictory flags. Returns true if a line is due.
    bool receive_bogus(const Probe& probe);
    // Takes a datagram that may belong to a traceroute. Returns true if it does and a line is due,
    // nullopt if it does not.
    std::optional<bool> follow_traceroute(const Probe& probe, std::uint8_t ttl);
    // A port that is known to be open did not answer a SYN. This counts for a SYN flood alone.
    void note_unanswered_open_port(const Probe& probe);
    // A connection to the port of the probe was not completed.
    void note_half_open(const Probe& probe, bool is_new_source);
    // True if a distributed scan or a flood of that port is running: a connection attempt of a new
    // source is part of it and has no line.
    bool is_attacked(const base::IpAddress& destination, std::uint16_t port) const {
        return targets_.has_detected() && (distributed_scans_.is_detected(destination) ||
                                           syn_floods_.is_detected(destination, port));
    }

    // Drops the counters that have expired at `second` (since 1970) and reports the ends of scans.
    void sweep(Second second);
    // The second in which sweep() may have something to report; nullopt = nothing is counted.
    std::optional<Second> next_sweep() const;
    bool has_counters() const {
        return table_.size() > 0 || !multi_target_.is_empty() || targets_.has_detected();
    }
    // Reports the end of every running scan and drops all counters.
    void end_all();
    // The same, and drops the tables of single probes and slow scans as well.
    void end_all_and_reset();

    std::size_t size() const { return singles_.size() + table_.size(); }
    std::uint64_t evictions() const { return singles_.evictions() + table_.evictions(); }
    std::uint64_t scan_evictions() const { return table_.scan_evictions(); }

  private:
    // A counter of a pair was removed: reports the end of its scan, and ends its burst.
    void end_counter(const SourceState& state, const Counter& counter);
    // Evicts a pair from the table.
    void make_room(SourceIndex spared = kNoIndex);
    Counter& obtain_counter(SourceIndex source, ScanKind kind, Second expires_at) {
        while (!table_.has_room_for_counter(source, kind)) {
            make_room(source);
        }
        return table_.obtain_counter(source, kind, expires_at);
    }
    void end_all_counters();

    std::uint32_t expiry_of(ScanKind kind) const;
    std::uint32_t expiry_of(ProbeClass probe) const;
    SingleProbe single_of(const Probe& probe) const;
    SourceIndex make(const Probe& probe);
    // Moves a single probe to the table, with what it counted.
    SourceIndex promote(SingleProbe& single, const Probe& probe);
    // Counts a packet for the kinds of the probe.
    Reception count(SourceIndex source, const Probe& probe);
    // A detected counter received a probe. Reports the source once more if a line is due.
    void follow(SourceIndex source, Counter& counter, const Probe& probe);
    // Counts the probe for the running slow scan of its source. Returns false if there is none.
    // REQUIRES: slow_.has_running().
    bool count_for_slow_scan(const Probe& probe);
    // Begins the counter of a slow scan.
    void begin_slow_scan(const SlowScanTable::ProbedPorts& probed, const SourcePorts& from,
                         std::uint32_t interface);
    // Reports a slow scan together with its decoys.
    void report_slow_scan(const SlowScanDetector::Detection& detection);
    void report_ended_bursts();
    // True if the probe counts (ScanReports::admit()). Stores its interface of arrival.
    bool admit(SourceIndex source, const Probe& probe, PortState state) {
        return probe.interface == 0 || probe.interface == table_.at(source).interface ||
               admit_by_interface(source, probe, state);
    }
    bool admit_by_interface(SourceIndex source, const Probe& probe, PortState state);
    // Removes the ports that were counted by probes which the host dropped. `slow_key`: key of the
    // source in the slow scan table.
    void forget_dropped(SourceIndex source, PairKey slow_key);
    // Counts a port. Returns true if the source is a scanner, now or before.
    bool count_item(SourceIndex source, const Probe& probe, PortState state);
    bool is_reached_by_one(ProbeClass probe) const;
    // The entry of the pair of the probe, with its single probe if it had one.
    SourceIndex obtain(const Probe& probe);
    // Counts a probe whose answer does not matter. Returns true if its source is a scanner, now or
    // before.
    bool count_at_once(const Probe& probe);

    // True if sources of that family are counted over all targets. Then source_key_of() is the key
    // of those counts; otherwise the pair is.
    bool counts_all_targets(const base::IpAddress& source,
                            const base::IpAddress& destination) const {
        return settings_.watches_networks ||
               (source.is_v4() ? has_several_v4_ : counts_all_targets_v6(source, destination));
    }
    bool counts_all_targets_v6(const base::IpAddress& source,
                               const base::IpAddress& destination) const;
    PairKey key_of(const base::IpAddress& source, const base::IpAddress& destination,
                   PairKey pair) const {
        return counts_all_targets(source, destination) ? source_key_of(source, destination) : pair;
    }
    // REQUIRES: counts_all_targets().
    PairKey source_key_of(const base::IpAddress& source, const base::IpAddress& destination) const;
    PairKey key_of(const Probe& probe) const {
        return key_of(probe.source, probe.destination, probe.pair);
    }
    PairKey slow_key_of(const Probe& probe) const;
    std::uint8_t target_of(const Probe& probe) const;

    TargetProbe target_probe_of(const Probe& probe, bool is_new_source) const;
    // Counts a probe for its target.
    void count_for_target(const Probe& probe, PortState state, bool is_new_source);
    // A connection was not completed. REQUIRES: kind is SynFlood or RefusedConnections.
    void note_attempt(ScanKind kind, const TargetProbe& probe);
    void report(const std::optional<TargetDetection>& detection);
    Probe host_probe_of(const Probe& probe) const;

    const TrackerSettings& settings_;
    base::KeyedHash hash_;
    Extents extents_;
    SingleProbeTable singles_;
    SourceTable table_;
    TargetTable targets_;
    DistributedScanDetector distributed_scans_{targets_};
    SynFloodDetector syn_floods_{targets_};
    ReflectionDetector reflections_{targets_};
    ScanReports reports_;
    SlowScanDetector slow_;
    MultiTargetDetector multi_target_;
    SlowScanTable slow_hosts_;
    FlowMemory arp_requests_;
    base::Timestamp now_;
    Second second_ = 0;
    bool has_several_v4_ = false;
    bool has_several_v6_ = false;
    // The last pair of pair_of(): a scan and its answers ask for the same pair many times.
    base::IpAddress last_source_;
    base::IpAddress last_destination_;
    PairKey last_pair_ = 0;
};

}  // namespace portcullis::sensor_detect
