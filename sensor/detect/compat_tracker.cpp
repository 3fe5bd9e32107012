#include "sensor/detect/compat_tracker.hpp"

#include <algorithm>
#include <array>

#include "sensor/detect/ports.hpp"
#include "sensor/track/extent.hpp"

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::kAck;
using sensor_packet::kCwr;
using sensor_packet::kEce;
using sensor_packet::kFin;
using sensor_packet::kPsh;
using sensor_packet::kSyn;
using sensor_packet::kUrg;
using sensor_packet::Packet;
using sensor_packet::Transport;
using std::chrono::seconds;

struct CompatLimits {
    ScanKind kind;
    std::uint16_t threshold;  // packets
    std::int64_t idle;        // seconds
    bool lists_ports;
};

// Specification section 5.1. They are fixed, unlike those of detectors().
constexpr std::array<CompatLimits, 8> kLimits{{
    {ScanKind::PortScan, 15, 50, true},
    {ScanKind::NullScan, 10, 50, true},
    {ScanKind::FinScan, 10, 50, true},
    {ScanKind::SynScan, 10, 50, true},
    {ScanKind::XmasScan, 10, 50, true},
    {ScanKind::UdpScan, 25, 50, true},
    {ScanKind::Smurf, 90, 30, true},
    {ScanKind::PingFlood, 70, 60, false},
}};

const CompatLimits& limits_of(ScanKind kind) {
    const auto* const row =
        std::find_if(kLimits.begin(), kLimits.end(),
                     [&](const CompatLimits& limits) { return limits.kind == kind; });
    return row == kLimits.end() ? kLimits.front() : *row;
}

constexpr std::size_t kBuckets = 128;
constexpr std::size_t kBucketsPromiscuous = 256;
constexpr std::int64_t kTracerouteLineInterval = 15;

constexpr std::array<std::uint8_t, 6> kXmasFlags{kFin | kUrg | kPsh, kUrg,        kPsh,
                                                 kFin | kUrg,        kFin | kPsh, kUrg | kPsh};

std::int64_t whole_seconds(base::Timestamp time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

CompatTracker::CompatTracker(const TrackerSettings& settings, bool is_promiscuous,
                             ObservationSink& sink)
    : settings_(settings),
      sink_(sink),
      table_(is_promiscuous ? kBucketsPromiscuous : kBuckets, *this) {}

void CompatTracker::set_settings(const TrackerSettings& settings) {
    settings_ = settings;
    table_.clear();
}

void CompatTracker::on_inbound(const Packet& packet, base::Timestamp now) {
    advance(now);
    if (!packet.source.is_v4()) {
        return;
    }
    ++counters_.inbound;
    switch (packet.transport) {
        case Transport::Tcp:
            on_tcp(packet);
            break;
        case Transport::Udp:
            on_datagram(packet);
            break;
        case Transport::Icmp:
            on_icmp(packet);
            break;
        case Transport::Icmpv6:
        case Transport::Sctp:
        case Transport::Other:
            break;
    }
}

void CompatTracker::on_outbound(const Packet& /*packet*/, base::Timestamp now) { advance(now); }

// Spec section 5.2.
void CompatTracker::on_tcp(const Packet& packet) {
    const auto flags = static_cast<std::uint8_t>(packet.tcp_flags & ~(kEce | kCwr));
    if ((flags == 0 && count(ScanKind::NullScan, packet)) ||
        (std::find(kXmasFlags.begin(), kXmasFlags.end(), flags) != kXmasFlags.end() &&
         count(ScanKind::XmasScan, packet)) ||
        (flags == kFin && count(ScanKind::FinScan, packet))) {
        return;
    }
    if (settings_.bogus && (packet.tcp_flags & (kEce | kCwr)) != 0) {
        if (last_bogus_ != packet.source) {
            last_bogus_ = packet.source;
            report_packet(ObservationType::BogusFlags, packet, 0);
        }
        return;
    }
    if ((flags & kSyn) == 0 || (flags & kAck) != 0) {
        return;
    }
    if ((!packet.dont_fragment && count(ScanKind::SynScan, packet)) ||
        count(ScanKind::PortScan, packet)) {
        return;
    }
    report_packet(ObservationType::ConnectionAttempt, packet, 0);
}

// Spec sections 5.3 and 5.6.
void CompatTracker::on_datagram(const Packet& packet) {
    if (packet.source_port == kEchoPort && count(ScanKind::Smurf, packet)) {
        return;
    }
    if (settings_.traceroute && packet.ttl == 1) {
        if (last_traceroute_ != packet.source ||
            second_ - last_traceroute_line_ >= kTracerouteLineInterval) {
            last_traceroute_ = packet.source;
            last_traceroute_line_ = second_;
            report_packet(ObservationType::Traceroute, packet, 0);
        }
        return;
    }
    if (!count(ScanKind::UdpScan, packet)) {
        report_packet(ObservationType::Datagram, packet, packet.udp_data_length);
    }
}

// Spec section 5.4.
void CompatTracker::on_icmp(const Packet& packet) {
    if (is_echo_reply(packet)) {
        if (!count(ScanKind::Smurf, packet)) {
            report_packet(ObservationType::EchoReply, packet, packet.payload_length);
        }
    } else if (is_echo_request(packet)) {
        if (!count(ScanKind::PingFlood, packet)) {
            report_packet(ObservationType::EchoRequest, packet, packet.payload_length);
        }
    } else {
        report_packet(ObservationType::IcmpMessage, packet, packet.payload_length);
    }
}

bool CompatTracker::count(ScanKind kind, const Packet& packet) {
    if (!settings_.of(kind).is_enabled) {
        return false;
    }
    const CompatLimits& limits = limits_of(kind);
    const base::IpAddress source =
        kind == ScanKind::Smurf ? network_of(packet.source, 24) : packet.source;
    bool is_new_pair = false;
    CompatCounter& counter = table_.obtain(source, packet.destination, kind, second_, is_new_pair);
    counter.bytes += packet.payload_length;
    counter.expires_at = second_ + limits.idle;
    ++counter.packets;
    const bool has_ports = packet.transport == Transport::Tcp || packet.transport == Transport::Udp;
    if (has_ports && limits.lists_ports && !counter.is_reported) {
        counter.destination_ports.add(packet.destination_port);
        counter.source_ports.add(packet.source_port);
    }
    if (is_new_pair || counter.packets < limits.threshold) {
        return false;
    }
    if (!counter.is_reported) {
        counter.is_reported = true;
        Observation observation;
        observation.type = ObservationType::ScanDetected;
        observation.time = now_;
        observation.kind = kind;
        observation.source = source;
        observation.destination = packet.destination;
        observation.destination_ports = counter.destination_ports;
        observation.source_ports = counter.source_ports;
        sink_.on_observation(observation);
    }
    return true;
}

void CompatTracker::report_packet(ObservationType type, const Packet& packet, std::uint64_t bytes) {
    if (const auto seen = observe_packet(type, packet, bytes, now_, settings_.scans_only)) {
        sink_.on_observation(*seen);
    }
}

void CompatTracker::on_dropped(const CompatPair& pair, ScanKind kind,
                               const CompatCounter& counter) {
    if (counter.packets < limits_of(kind).threshold) {
        return;
    }
    Observation observation;
    observation.type = ObservationType::ScanExpired;
    observation.time = now_;
    observation.kind = kind;
    observation.source = pair.source;
    observation.destination = pair.destination;
    observation.packets = counter.packets;
    observation.bytes = counter.bytes;
    sink_.on_observation(observation);
}

void CompatTracker::advance(base::Timestamp now) {
    const std::int64_t wanted = whole_seconds(now);
    // The clock was set back: iplog's sweeper continues with the time that it reads.
    if (wanted < second_) {
        second_ = wanted;
    }
    while (second_ < wanted) {
        second_ = table_.is_empty() ? wanted : second_ + 1;
        now_ = base::Timestamp(seconds(second_));
        table_.sweep(second_);
    }
    now_ = now;
}

std::optional<base::Timestamp> CompatTracker::next_deadline() {
    if (table_.is_empty()) {
        return std::nullopt;
    }
    return base::Timestamp(seconds(second_ + 1));
}

TrackerCounters CompatTracker::counters() const {
    TrackerCounters counters = counters_;
    counters.source_evictions = table_.evictions();
    return counters;
}

void CompatTracker::finish(base::Timestamp now) { advance(now); }

}  // namespace portcullis::sensor_detect
