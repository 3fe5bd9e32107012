#include "sensor/detect/smurf_detector.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sensor/detect/ports.hpp"
#include "sensor/detect/tracker.hpp"
#include "sensor/track/extent.hpp"

namespace portcullis::sensor_detect {
namespace {

using sensor_packet::Packet;
using sensor_packet::Transport;
using std::chrono::seconds;

constexpr std::size_t kMaxNetworks = 1024;
constexpr std::size_t kMinHosts = 3;
// Time after an echo request of ours in which replies from that network are expected, in seconds.
constexpr std::uint32_t kAskedMemory = 60;

bool is_echo_answer(const Packet& packet) {
    return is_echo_reply(packet) ||
           (packet.transport == Transport::Udp && packet.source_port == kEchoPort);
}

bool is_echo_question(const Packet& packet) {
    return is_echo_request(packet) ||
           (packet.transport == Transport::Udp && packet.destination_port == kEchoPort);
}

base::IpAddress echo_network_of(const base::IpAddress& address) {
    return network_of(address, address.is_v4() ? 24 : 64);
}

// Distinguishes the hosts of a network well enough to count a few.
std::uint16_t host_of(const base::IpAddress& address) {
    const std::uint8_t* last = address.data() + address.size() - 2;
    return static_cast<std::uint16_t>((last[0] << 8) | last[1]);
}

Flow flow_to(const base::IpAddress& ours, const base::IpAddress& theirs) {
    return {ours, echo_network_of(theirs), 0, 0, Transport::Icmp};
}

}  // namespace

SmurfDetector::SmurfDetector(const TrackerSettings& settings, ObservationSink& sink,
                             std::unique_ptr<Tracker> next)
    : settings_(settings), sink_(sink), next_(std::move(next)), table_(kMaxNetworks) {}

void SmurfDetector::set_settings(const TrackerSettings& settings) {
    settings_ = settings;
    next_->set_settings(settings);
}

Second SmurfDetector::second() const { return second_of(now_); }

// Most packets are TCP, and need no work here while no network is counted.
void SmurfDetector::on_inbound(const Packet& packet, base::Timestamp now) {
    if (packet.transport == Transport::Tcp && table_.size() == 0) {
        next_->on_inbound(packet, now);
    } else {
        examine_inbound(packet, now);
    }
}

void SmurfDetector::examine_inbound(const Packet& packet, base::Timestamp now) {
    const bool is_answer = packet.transport != Transport::Tcp && is_echo_answer(packet) &&
                           settings_.of(ScanKind::Smurf).is_enabled;
    keep_up(is_answer, now);
    if (is_answer && count_reply(packet)) {
        ++taken_;
        return;
    }
    next_->on_inbound(packet, now);
}

void SmurfDetector::on_outbound(const Packet& packet, base::Timestamp now) {
    if (packet.transport == Transport::Tcp && table_.size() == 0) {
        next_->on_outbound(packet, now);
    } else {
        examine_outbound(packet, now);
    }
}

void SmurfDetector::examine_outbound(const Packet& packet, base::Timestamp now) {
    const bool is_question = packet.transport != Transport::Tcp && is_echo_question(packet);
    keep_up(is_question, now);
    if (is_question) {
        asked_.remember(flow_to(packet.source, packet.destination), second());
    }
    next_->on_outbound(packet, now);
}

void SmurfDetector::on_address_request(const base::IpAddress& sender, const base::IpAddress& target,
                                       base::Timestamp now) {
    keep_up(false, now);
    next_->on_address_request(sender, target, now);
}

// Reports attacks that have ended before the next tracker sees a later packet, so that its time
// never goes back.
void SmurfDetector::keep_up(bool is_counted, base::Timestamp now) {
    if (is_counted || table_.size() > 0) {
        advance(now);
    }
}

bool SmurfDetector::count_reply(const Packet& packet) {
    const DetectorSettings& settings = settings_.of(ScanKind::Smurf);
    const base::IpAddress network = echo_network_of(packet.source);
    if (asked_.knows(flow_to(packet.destination, packet.source), second(), kAskedMemory)) {
        return false;
    }
    const PairKey pair = hash_.of(network, packet.destination, 0);
    SourceIndex index = table_.find(pair);
    if (index == kNoIndex) {
        if (!table_.has_room()) {
            make_room();
        }
        index = table_.make(pair, network, packet.destination, second());
    } else {
        table_.mark_seen(index, second());
    }
    while (!table_.has_room_for_counter(index, ScanKind::Smurf)) {
        make_room(index);
    }
    Counter& counter = table_.obtain_counter(
        index, ScanKind::Smurf, second() + static_cast<std::uint32_t>(settings.idle.count()));
    ++counter.packets;
    counter.bytes += packet.payload_length;
    const bool is_datagram = packet.transport == Transport::Udp;
    if (counter.is_detected) {
        // The forged requests had one port of ours. Datagrams from port 7 to other ports are a
        // scan.
        const auto ports = counter.destination_ports.ports();
        return !is_datagram ||
               std::find(ports.begin(), ports.end(), packet.destination_port) != ports.end();
    }
    if (is_datagram) {
        counter.destination_ports.add(packet.destination_port);
        counter.source_ports.add(packet.source_port);
    }
    counter.counted_items.add(host_of(packet.source));
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch());
    if (counter.rate.add(time, settings.rate_window, 1) < settings.threshold ||
        counter.counted_items.size() < kMinHosts) {
        return false;
    }
    report_detected(index, counter);
    return true;
}

void SmurfDetector::report_detected(SourceIndex index, Counter& counter) {
    counter.is_detected = true;
    table_.mark_scanning(index);
    Observation observation;
    observation.type = ObservationType::ScanDetected;
    observation.time = now_;
    observation.kind = ScanKind::Smurf;
    observation.source = table_.at(index).source;
    observation.destination = table_.at(index).destination;
    observation.destination_ports = counter.destination_ports;
    observation.source_ports = counter.source_ports;
    observation.packets = counter.packets;
    observation.evidence = base::Evidence::Forgeable;
    sink_.on_observation(observation);
}

void SmurfDetector::report_end(const SourceState& state, const Counter& counter) {
    if (!counter.is_detected) {
        return;
    }
    Observation observation;
    observation.type = ObservationType::ScanExpired;
    observation.time = now_;
    observation.kind = ScanKind::Smurf;
    observation.source = state.source;
    observation.destination = state.destination;
    observation.packets = counter.packets;
    observation.bytes = counter.bytes;
    sink_.on_observation(observation);
}

void SmurfDetector::make_room(SourceIndex spared) {
    const SourceIndex victim = table_.next_victim(spared);
    table_.for_each_counter(
        victim, [&](const Counter& counter) { report_end(table_.at(victim), counter); });
    table_.evict(victim);
}

void SmurfDetector::end_all() {
    while (const auto ended = table_.take_any()) {
        report_end(ended->state, ended->counter);
    }
}

void SmurfDetector::advance(base::Timestamp now) {
    const base::Timestamp wanted = std::min(now, kEndOfTime);
    if (wanted < now_ - kClockTolerance) {  // the stored times are in the future now
        next_->advance(now);
        now_ = wanted;
        end_all();
        asked_ = FlowMemory();
        return;
    }
    const base::Timestamp target = std::max(wanted, now_);
    for (;;) {
        const auto due = table_.next_sweep();
        if (!due || base::Timestamp(seconds(*due)) > target) {
            break;
        }
        // The lines of both trackers stay in order of time.
        now_ = std::max(now_, base::Timestamp(seconds(*due)));
        next_->advance(now_);
        while (const auto ended = table_.take_expired(*due)) {
            report_end(ended->state, ended->counter);
        }
    }
    now_ = target;
    next_->advance(now);
}

std::optional<base::Timestamp> SmurfDetector::next_deadline() {
    const auto next = next_->next_deadline();
    const auto due = table_.next_sweep();
    if (!due) {
        return next;
    }
    const base::Timestamp at{seconds(*due)};
    return next ? std::min(*next, at) : at;
}

void SmurfDetector::finish(base::Timestamp now) {
    advance(now);
    next_->finish(now);
    end_all();
}

TrackerCounters SmurfDetector::counters() const {
    TrackerCounters counters = next_->counters();
    counters.inbound += taken_;
    counters.source_evictions += table_.evictions();
    counters.scan_evictions += table_.scan_evictions();
    return counters;
}

}  // namespace portcullis::sensor_detect
