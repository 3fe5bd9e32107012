// SourceTracker: what each source asked and which ports it touched: when is it a scan?
//
// Behind ScanTracker, which knows what a packet is and how it was answered. A source begins as a
// SingleProbe of 32 bytes and moves to the SourceTable with the second thing that it does; what it
// touched is counted there, in the MultiTargetDetector over all targets, in the SlowScanDetector of
// a day and in the TargetTable of many sources. Single-threaded; bounded by its parts; no
// allocation in the steady state.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/keyed_hash.hpp"
#include "sensor/detect/distributed_scan_detector.hpp"
#include "sensor/detect/flow_memory.hpp"
#include "sensor/detect/multi_target_detector.hpp"
#include "sensor/detect/pending_probes.hpp"
#include "sensor/detect/reflection_detector.hpp"
#include "sensor/detect/scan_reports.hpp"
#include "sensor/detect/single_probe_table.hpp"
#include "sensor/detect/slow_scan_detector.hpp"
#include "sensor/detect/source_table.hpp"
#include "sensor/detect/syn_flood_detector.hpp"
#include "sensor/detect/target_table.hpp"
#include "sensor/detect/tracker_settings.hpp"

namespace portcullis::sensor_detect {

// What the keyed hash of a source without a target is for.
enum class KeyUse : std::uint64_t { Host = 1, Source = 2, SlowHost = 3 };

class SourceTracker final : private CounterSink, private SourceMaker {
  public:
    // All references must outlive the tracker; the sizes in `settings` count at this moment.
    SourceTracker(const TrackerSettings& settings, const Handshakes& handshakes,
                  ObservationSink& sink);

    // What becomes of a probe that was received.
    enum class Reception : std::uint8_t {
        NewSource,  // its pair sent nothing else before
        Known,
        WithoutLine,  // part of a running slow scan: no line, but its answer still counts
        Taken,        // it belongs to a detected scan
    };

    ScanReports& reports() { return reports_; }
    // The addresses of this host: whether there is more than one of a family decides whether
    // sources are counted over all of them.
    void set_own_addresses(std::span<const base::IpAddress> addresses);
    // The keyed hash by which a pair is known.
    std::uint64_t pair_of(const base::IpAddress& source, const base::IpAddress& destination);
    void set_time(base::Timestamp now);
    // Of the time set last, since 1970.
    std::uint32_t second() const { return second_; }

    // The memory of receive() and of touch() for a pair, asked for early: with many sources both
    // wait for it more than they work.
    void prefetch_receive(std::uint64_t pair) {
        table_.prefetch(pair);
        singles_.prefetch_pair(pair);
    }
    void prefetch_touch(const Probe& probe) {
        prefetch_receive(probe.pair);
        singles_.prefetch_place(probe.single_place);
        slow_.prefetch(probe.pair);
    }

    // Notes in `probe` where its source is kept.
    Reception receive(Probe& probe);
    // The probed port is closed or did not answer. For classes that count by refusal this is also
    // their reception. REQUIRES: state is not Open.
    void touch(const Probe& probe, PortState state);
    // The port was open after all: its answer was late.
    void take_back(const Probe& probe);
    // Whether a probe of that class counts for a sweep over hosts.
    bool seeks_hosts(ProbeClass probe) const;
    // One more host that the source of the probe asked, whatever its answer. REQUIRES:
    // seeks_hosts().
    void note_host(const Probe& probe);
    // The same for sweeps that take up to a day. Only probes that monitoring does not send, and
    // those without an answer: monitoring asks many hosts that answer. REQUIRES: seeks_hosts().
    void note_slow_host(const Probe& probe);
    // A connection that was accepted ended without a byte from its source, or was not completed.
    void note_open_port(const Probe& probe);
    // A port that is closed, or of whose probe only our answer is seen, since a filter hides the
    // rest. Beside open ports that its source probes it is one more of them.
    void note_beside_open_ports(Probe probe);
    // A packet of an IP protocol besides the usual ones, whose number is its destination_port.
    void note_protocol(const Probe& probe);
    // `source` has proven its address by a handshake: what is detected of it is told so.
    void note_proof(const base::IpAddress& source, const base::IpAddress& destination);
    // Our host answered a TCP probe that is not pending. True = its source is detected.
    bool note_answer(std::uint64_t pair, const base::IpAddress& source,
                     const base::IpAddress& destination);
    // A datagram or SYN+ACK of a source that did nothing before, which nobody asked for.
    void note_unasked(ScanKind kind, const Probe& probe);
    // A request of `sender` for the link address of `target` (RFC 826, RFC 4861), which is a host
    // of the networks that are watched over.
    void note_address_request(const base::IpAddress& sender, const base::IpAddress& target);
    // An echo request; true = it belongs to a flood.
    bool receive_echo(Probe& probe);
    // A packet with contradictory flags; true = a line is due.
    bool receive_bogus(const Probe& probe);
    // A datagram that may belong to a traceroute; nullopt = it does not; true = a line is due.
    std::optional<bool> follow_traceroute(const Probe& probe, std::uint8_t ttl);
    // A port that is known to be open did not answer a SYN. This counts for a SYN flood alone.
    void note_unanswered_open_port(const Probe& probe);
    // A connection to that port was not completed.
    void note_half_open(const Probe& probe, bool is_new_source);
    // True if a distributed scan or a flood of that port is running: a connection attempt of a new
    // source is part of it and has no line.
    bool is_attacked(const base::IpAddress& destination, std::uint16_t port) const {
        return targets_.has_detected() && (distributed_scans_.is_detected(destination) ||
                                           syn_floods_.is_detected(destination, port));
    }

    // Ends what is over at `second` (since 1970).
    void sweep(std::uint32_t second);
    // The second for which sweep() may have something to tell; nullopt = nothing is going on.
    std::optional<std::uint32_t> next_sweep() const;
    bool has_counters() const {
        return table_.size() > 0 || !multi_target_.is_empty() || targets_.has_detected();
    }
    // Ends everything that is going on.
    void end_all();
    // The same, and forgets what might become something.
    void clear();

    std::size_t size() const { return singles_.size() + table_.size(); }
    std::uint64_t evictions() const { return singles_.evictions() + table_.evictions(); }
    std::uint64_t scan_evictions() const { return table_.scan_evictions(); }

  private:
    void on_counter_over(const SourceState& state, const Counter& counter) override;
    void on_source_dropped(const SourceState& state) override;

    std::uint32_t expiry_of(ScanKind kind) const;
    std::uint32_t expiry_of(ProbeClass probe) const;
    SingleProbe single_of(const Probe& probe) const;
    std::uint32_t make(const Probe& probe);
    // Moves a single probe to the table, with what it counted.
    std::uint32_t promote(SingleProbe& single, const Probe& probe);
    // Counts a packet for the kinds of the probe.
    Reception count(std::uint32_t source, const Probe& probe);
    // A counter that is detected took a probe: whether a line about it is due.
    void follow(std::uint32_t source, Counter& counter, const Probe& probe);
    // Whether the probe belongs to a slow scan that is already detected. REQUIRES:
    // slow_.has_running().
    bool is_taken_by_slow_scan(const Probe& probe);
    // Whether the probe counts (ScanReports::admit()).
    bool admit(std::uint32_t source, const Probe& probe, PortState state) {
        return probe.interface == 0 || probe.interface == table_.at(source).interface ||
               admit_by_interface(source, probe, state);
    }
    bool admit_by_interface(std::uint32_t source, const Probe& probe, PortState state);
    // Forgets the ports that a source counted by probes that the host dropped. `slow_key`: of the
    // same source in the memory of slow scans.
    void forget_dropped(std::uint32_t source, std::uint64_t slow_key);
    // Counts a port; true = the source is a scanner, now or before.
    bool count_item(std::uint32_t source, const Probe& probe, PortState state);
    bool is_reached_by_one(ProbeClass probe) const;
    std::uint32_t obtain(const Probe& probe) override;
    // Counts a probe whose answer does not matter; true = its source is a scanner, now or before.
    bool count_at_once(const Probe& probe);

    // Whether sources of that family are counted over all targets, and the key for that. For
    // others the pair is the key of all counts.
    bool counts_all_targets(const base::IpAddress& source,
                            const base::IpAddress& destination) const {
        return settings_.watches_networks ||
               (source.is_v4() ? has_several_v4_ : counts_all_targets_v6(source, destination));
    }
    bool counts_all_targets_v6(const base::IpAddress& source,
                               const base::IpAddress& destination) const;
    std::uint64_t key_of(const base::IpAddress& source, const base::IpAddress& destination,
                         std::uint64_t pair) const {
        return counts_all_targets(source, destination) ? source_key_of(source, destination) : pair;
    }
    // REQUIRES: counts_all_targets().
    std::uint64_t source_key_of(const base::IpAddress& source,
                                const base::IpAddress& destination) const;
    std::uint64_t key_of(const Probe& probe) const {
        return key_of(probe.source, probe.destination, probe.pair);
    }
    std::uint64_t slow_key_of(const Probe& probe) const;
    std::uint8_t target_of(const Probe& probe) const;

    TargetProbe target_probe_of(const Probe& probe, bool is_new_source) const;
    // Counts a probe for its target.
    void count_for_target(const Probe& probe, PortState state, bool is_new_source);
    // A connection was not completed; `kind`: SynFlood, or RefusedConnections.
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
    std::uint32_t second_ = 0;
    bool has_several_v4_ = false;
    bool has_several_v6_ = false;
    // The pair asked for last: scans and their answers come in rows.
    base::IpAddress last_source_;
    base::IpAddress last_destination_;
    std::uint64_t last_pair_ = 0;
};

}  // namespace portcullis::sensor_detect
