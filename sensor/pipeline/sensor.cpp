#include "sensor/pipeline/sensor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sensor/detect/compat_tracker.hpp"
#include "sensor/detect/scan_tracker.hpp"
#include "sensor/detect/smurf_detector.hpp"
#include "sensor/packet/compat_reassembler.hpp"
#include "sensor/packet/icmp_message.hpp"
#include "sensor/packet/reassembler.hpp"

namespace portcullis::sensor_pipeline {

using sensor_config::SensorSettings;
using sensor_config::Switch;
using sensor_detect::ObservationType;
using sensor_packet::FragmentEvent;
using sensor_packet::HeaderChecksum;
using sensor_packet::Packet;
using sensor_packet::PacketView;
using sensor_packet::Verdict;

namespace {

ObservationType observation_of(FragmentEvent event) {
    switch (event) {
        case FragmentEvent::OverlappingInserted:
            return ObservationType::OverlappingFragmentsInserted;
        case FragmentEvent::Duplicate:
            return ObservationType::DuplicateFragments;
        case FragmentEvent::Oversized:
            return ObservationType::OversizedFragment;
        case FragmentEvent::Overlapping:
        case FragmentEvent::None:
            break;
    }
    return ObservationType::OverlappingFragments;
}

std::unique_ptr<sensor_detect::Tracker> make_tracker(const SensorSettings& settings,
                                                     sensor_detect::ObservationSink& sink) {
    const auto tracker = sensor_config::tracker_settings(settings);
    if (settings[Switch::IplogCompat]) {
        return std::make_unique<sensor_detect::CompatTracker>(tracker, !settings.promisc.empty(),
                                                              sink);
    }
    return std::make_unique<sensor_detect::SmurfDetector>(
        tracker, sink, std::make_unique<sensor_detect::ScanTracker>(tracker, sink));
}

std::unique_ptr<sensor_packet::Reassembly> make_reassembly(const SensorSettings& settings) {
    if (settings[Switch::IplogCompat]) {
        return std::make_unique<sensor_packet::CompatReassembler>();
    }
    return std::make_unique<sensor_packet::Reassembler>();
}

// iplog reads only IPv4 directly behind the Ethernet header.
bool is_seen_by_iplog(const sensor_capture::Frame& frame, const Packet& packet) {
    constexpr std::size_t kEtherType = 12;
    constexpr std::uint8_t kIpv4 = 0x08;  // of 0x0800
    return packet.source.is_v4() && packet.verdict != Verdict::ArpRequest &&
           (frame.link != sensor_packet::LinkType::Ethernet ||
            (frame.bytes[kEtherType] == kIpv4 && frame.bytes[kEtherType + 1] == 0));
}

}  // namespace

Sensor::Sensor(const SensorSettings& settings, const sensor_report::ServicesFile& services,
               const sensor_report::HostsFile& hosts,
               std::unique_ptr<sensor_report::LogTarget> target)
    : counts_as_iplog_(settings[Switch::IplogCompat]),
      inbound_fragments_(make_reassembly(settings)),
      outbound_fragments_(make_reassembly(settings)),
      log_(std::move(target)),
      reporter_(sensor_config::report_settings(settings), services, hosts, log_),
      tracker_(make_tracker(settings, reporter_)) {
    set_settings(settings);
}

void Sensor::set_settings(const SensorSettings& settings) {
    filters_ = settings.filters;
    reports_fragments_ = settings[Switch::Frag];
    is_verbose_ = settings[Switch::Verbose];
    promisc_ = base::CidrSet();
    for (const base::Cidr& network : settings.promisc) {
        promisc_.add(network);
    }
    sensor_report::LogSettings log = settings.log;
    if (counts_as_iplog_) {
        log = {0, false, 0};  // no limits, and repeats are reported by the next line
    }
    log_.set_settings(log);
    sensor_report::ReportSettings report = sensor_config::report_settings(settings);
    report.has_iplog_words = counts_as_iplog_;
    reporter_.set_settings(report);
    tracker_->set_settings(sensor_config::tracker_settings(settings));
}

void Sensor::set_local_addresses(std::vector<base::IpAddress> addresses) {
    if (counts_as_iplog_ && !promisc_.empty()) {
        addresses.clear();  // iplog's kernel filter contains only the networks
    }
    std::sort(addresses.begin(), addresses.end());
    // Hosts have a few addresses, and comparing for order costs more than for equality.
    constexpr std::size_t kFew = 8;
    local_ = std::move(addresses);
    has_many_addresses_ = local_.size() > kFew;
    tracker_->set_own_addresses(local_);
}

bool Sensor::is_one_of_many(const base::IpAddress& address) const {
    return std::binary_search(local_.begin(), local_.end(), address);
}

inline bool Sensor::is_ours(const base::IpAddress& address) const {
    if (has_many_addresses_) {
        if (is_one_of_many(address)) {
            return true;
        }
    } else {
        for (const base::IpAddress& ours : local_) {  // std::find unrolls, which costs more
            if (ours == address) {
                return true;
            }
        }
    }
    return !promisc_.empty() && promisc_.contains(address);
}

bool Sensor::is_broadcast_of_watched(const base::IpAddress& address) const {
    if (promisc_.empty() || !address.is_v4()) {
        return false;
    }
    constexpr int kLongestWithBroadcast = 30;  // RFC 3021
    const base::Cidr* network = promisc_.find(address);
    if (network == nullptr || network->prefix_length > kLongestWithBroadcast) {
        return false;
    }
    std::uint32_t host = 0;
    for (const std::uint8_t byte : std::span(address.data(), address.size())) {
        host = (host << 8) | byte;
    }
    const std::uint32_t mask = 0xffffffffU >> network->prefix_length;
    return (host & mask) == mask;
}

Sensor::Direction Sensor::direction_of(const Packet& packet) const {
    if (is_ours(packet.destination)) {
        return is_ours(packet.source) ? Direction::Both : Direction::Inbound;
    }
    return is_ours(packet.source) ? Direction::Outbound : Direction::None;
}

inline void Sensor::note_time(base::Timestamp time) {
    last_packet_ = time;
    if (on_first_packet_) {
        std::exchange(on_first_packet_, nullptr)(time);
    }
}

void Sensor::on_frame(const sensor_capture::Frame& frame) {
    // A single call in a loop, so that the compiler inlines it.
    for (auto checksum = HeaderChecksum::Verified;; checksum = HeaderChecksum::MayBeUnset) {
        PacketView view;
        Packet packet = sensor_packet::parse_frame(frame.link, frame.bytes, view, checksum);
        if (packet.verdict == Verdict::BadChecksum && checksum == HeaderChecksum::Verified &&
            !counts_as_iplog_ && is_ours(packet.source)) {
            continue;
        }
        // The interface of a tagged or wrapped packet is that of its tag, not the one that captured
        // it.
        packet.interface_index = view.is_wrapped ? 0 : frame.interface_index;
        on_packet(frame, packet, view);
        return;
    }
}

void Sensor::on_packet(const sensor_capture::Frame& frame, Packet& packet, PacketView& view) {
    ++verdicts_[static_cast<std::size_t>(packet.verdict)];
    if (packet.verdict == Verdict::OtherLink || packet.verdict == Verdict::Malformed ||
        (counts_as_iplog_ && !is_seen_by_iplog(frame, packet))) {
        return;
    }
    if (packet.verdict == Verdict::ArpRequest) {
        if (!promisc_.empty() && is_ours(packet.destination)) {
            note_time(frame.time);
            tracker_->on_address_request(packet.source, packet.destination, frame.time);
        }
        return;
    }
    if (packet.verdict == Verdict::Ok && count_if_unknown_to_iplog(packet)) {
        return;
    }
    if (packet.transport == sensor_packet::Transport::Icmpv6 && !promisc_.empty()) {
        const auto target = sensor_packet::solicited_address(packet);
        if (target && *target != packet.source && is_ours(*target)) {
            note_time(frame.time);
            tracker_->on_address_request(packet.source, *target, frame.time);
        }
    }
    const Direction direction = direction_of(packet);
    if (direction == Direction::None ||
        (!counts_as_iplog_ && is_broadcast_of_watched(packet.destination))) {
        return;
    }
    note_time(frame.time);
    if (packet.verdict == Verdict::ShortPacket || packet.verdict == Verdict::BadChecksum) {
        if (is_verbose_ && direction != Direction::Outbound) {
            report(packet.verdict == Verdict::BadChecksum ? ObservationType::BadChecksum
                                                          : ObservationType::ShortPacket,
                   packet, frame.time);
        }
        return;
    }
    if (packet.verdict == Verdict::Fragment && !reassemble(direction, packet, view, frame.time)) {
        return;
    }
    if (direction != Direction::Inbound) {
        tracker_->on_outbound(packet, frame.time);
    }
    if (direction == Direction::Outbound || (is_own_traffic_ && is_own_traffic_(packet))) {
        return;
    }
    if (!filters_.ignores(packet)) {
        if (on_tcp_ && packet.transport == sensor_packet::Transport::Tcp) {
            on_tcp_(packet, frame.time);
        }
        tracker_->on_inbound(packet, frame.time);
    }
}

bool Sensor::reassemble(Direction direction, Packet& packet, PacketView& view,
                        base::Timestamp time) {
    const bool is_to_us = direction != Direction::Outbound;
    const auto result =
        (is_to_us ? inbound_fragments_ : outbound_fragments_)->add(packet, view.fragment, time);
    if (result.event != FragmentEvent::None && is_to_us && reports_fragments_) {
        report(observation_of(result.event), packet, time);
    }
    if (!result.is_complete) {
        return false;
    }
    if (result.packet.verdict != Verdict::Ok) {
        ++verdicts_[static_cast<std::size_t>(result.packet.verdict)];
        return false;
    }
    packet = result.packet;
    view = result.view;
    return !count_if_unknown_to_iplog(packet);
}

bool Sensor::count_if_unknown_to_iplog(const Packet& packet) {
    using sensor_packet::Transport;
    const bool is_unknown = counts_as_iplog_ && (packet.transport == Transport::Sctp ||
                                                 packet.transport == Transport::Other);
    other_transports_ += is_unknown ? 1 : 0;
    return is_unknown;
}

void Sensor::report(ObservationType type, const Packet& packet, base::Timestamp time) {
    tracker_->advance(time);  // lines that are due earlier come first
    sensor_detect::Observation observation;
    observation.type = type;
    observation.time = time;
    observation.source = packet.source;
    observation.destination = packet.destination;
    reporter_.on_observation(observation);
}

void Sensor::advance(base::Timestamp now) {
    tracker_->advance(now);
    log_.advance(now);
}

std::optional<base::Timestamp> Sensor::next_deadline() {
    const auto tracker = tracker_->next_deadline();
    const auto log = log_.next_deadline();
    return tracker && log ? std::min(*tracker, *log) : tracker ? tracker : log;
}

void Sensor::finish(base::Timestamp now) {
    tracker_->finish(now);
    log_.finish(now);
}

SensorCounters Sensor::counters() const {
    const auto count = [&](Verdict verdict) {
        return verdicts_[static_cast<std::size_t>(verdict)];
    };
    const auto tracked = tracker_->counters();
    const auto reassembled = inbound_fragments_->counters();
    return {{"packets_to_us", tracked.inbound},
            {"packets_from_us", tracked.outbound},
            {"fragments", count(Verdict::Fragment)},
            {"datagrams_reassembled", reassembled.completed},
            {"datagrams_incomplete", reassembled.expired},
            {"datagrams_forgotten_early", reassembled.evicted},
            {"malformed_packets",
             count(Verdict::Malformed) + count(Verdict::ShortPacket) + reassembled.malformed},
            {"bad_checksums", count(Verdict::BadChecksum)},
            {"other_packets",
             count(Verdict::OtherLink) + count(Verdict::ArpRequest) + other_transports_},
            {"sources_forgotten_early", tracked.source_evictions},
            {"scanners_forgotten_early", tracked.scan_evictions},
            {"probes_forgotten_early", tracked.probes_left_early},
            {"sensor_lines_lost", log_.lines_lost()},
            {"sensor_lines_suppressed", log_.lines_suppressed()},
            {"sensor_detections_left_out", log_.detections_left_out()}};
}

std::string statistics_text(const SensorCounters& counters) {
    std::string text;
    for (const auto& [name, value] : counters) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    }
    return text;
}

}  // namespace portcullis::sensor_pipeline
