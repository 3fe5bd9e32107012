#include "sensor/detect/counting.hpp"

#include <algorithm>

#include "sensor/detect/ports.hpp"
#include "sensor/detect/probe_classes.hpp"

namespace portcullis::sensor_detect {
namespace {

// Shares of the rate that a single stream may have (see is_rate_enough()).
constexpr std::uint32_t kRefusedShare = 100;
constexpr std::uint32_t kManyPortsShare = 200;
constexpr std::size_t kManyPorts = 10;

// An ACK scan sends from one port, or from one port per round (nmap's retries).
constexpr std::size_t kPortsPerSourcePort = 3;

constexpr std::uint32_t kLargestDatagram = 1500;  // of one count

bool is_about_strays(ScanKind kind) {
    return kind == ScanKind::AckScan || kind == ScanKind::MaimonScan;
}

// Segments of connections that this host has forgotten (after a restart, a failover) have a
// different source port each. A scan probes many ports from one or two. hping3 increments both
// ports.
bool is_of_one_sender(const Counter& counter) {
    const std::size_t items = counter.counted_items.size();
    const bool has_few = !counter.source_ports.is_full() &&
                         counter.source_ports.size() * kPortsPerSourcePort <= items;
    return has_few || counter.rising_ports * std::size_t{10} >= items * 7;
}

}  // namespace

void list_ports(Counter& counter, ProbeClass probe, std::uint16_t source_port,
                std::uint16_t destination_port) {
    if (probe == ProbeClass::EchoRequest || probe == ProbeClass::NextEchoHost) {
        return;
    }
    counter.destination_ports.add(destination_port);
    if (!is_next_host(probe) && probe != ProbeClass::Protocol) {
        counter.source_ports.add(source_port);
    }
}

void add_item(Counter& counter, CountedItem item, std::uint16_t source_port,
              std::uint16_t destination_port, Second second) {
    const std::size_t before = counter.counted_items.size();
    counter.add_item(item, second);
    if (counter.counted_items.size() == before || !is_about_strays(counter.kind)) {
        return;
    }
    const bool is_rising =
        source_port == static_cast<std::uint16_t>(counter.latest_source_port + 1) &&
        destination_port == static_cast<std::uint16_t>(counter.latest_port + 1);
    if (is_rising || before == 0) {
        ++counter.rising_ports;
    }
    counter.latest_source_port = source_port;
    counter.latest_port = destination_port;
}

std::uint32_t add_datagrams(Counter& counter, const Probe& probe,
                            std::chrono::milliseconds window) {
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(probe.arrival.time_since_epoch());
    return counter.rate.add(time, window, probe.packets * (1 + probe.bytes / kLargestDatagram));
}

bool are_ports_enough(const Counter& counter, const DetectorSettings& settings) {
    if (counter.counted_items.size() < settings.threshold) {
        return false;
    }
    if (counter.kind == ScanKind::SynAckProbes) {
        // SYN+ACKs from a single port are the backscatter of a service.
        const auto from = counter.source_ports.ports();
        return from.size() > 1 || (!from.empty() && from.front() >= kFirstEphemeralPort);
    }
    return !is_about_strays(counter.kind) || is_of_one_sender(counter);
}

bool is_rate_enough(const Counter& counter, const DetectorSettings& settings, std::uint32_t rate) {
    const bool is_refused = counter.was_refused && counter.source_ports.is_full();
    return rate >= settings.rate_threshold ||
           (is_refused && rate >= settings.rate_threshold / kRefusedShare) ||
           (counter.counted_items.size() >= kManyPorts &&
            rate >= settings.rate_threshold / kManyPortsShare);
}

bool is_repetition_due(Counter& counter, const DetectorSettings& settings, const Probe& probe,
                       CountedItem item, Second second) {
    if (settings.repeat.count() == 0) {
        return false;
    }
    count_unanswered(counter);
    const bool is_time = second >= counter.line_at + settings.repeat.count() ||
                         (counter.is_unblocked && second > counter.line_at);
    if (!is_time && counter.rate_reached == 0 && counter.kind != ScanKind::SlowScan &&
        counter.counted_items.size() >= settings.threshold) {
        counter.quiet_until =
            counter.line_at +
            (counter.is_unblocked ? 1U : static_cast<std::uint32_t>(settings.repeat.count()));
        return false;
    }
    // The port whose answer showed the end of the block counts as one of them.
    const std::size_t threshold =
        counter.kind == ScanKind::SlowScan && probe.probe == ProbeClass::Connect
            ? slow_connect_threshold(settings)
            : settings.threshold;
    const std::size_t wanted = std::max<std::size_t>(threshold - counter.is_unblocked, 1);
    bool is_enough = counter.counted_items.size() >= wanted;
    if (!is_enough && counter.counted_items.add(item)) {
        list_ports(counter, probe.probe, probe.source_port, probe.destination_port);
        is_enough = counter.counted_items.size() >= wanted;
    }
    if (counter.rate_reached != 0) {
        list_ports(counter, probe.probe, probe.source_port, probe.destination_port);
        is_enough |= add_datagrams(counter, probe, settings.rate_window) >= counter.rate_reached;
    }
    if (counter.has_risen && is_time && counter.destination_ports.size() == 0) {
        list_ports(counter, probe.probe, probe.source_port, probe.destination_port);
    }
    return (is_enough || counter.has_risen) && is_time;
}

void note_answer(Counter& counter, const DetectorSettings& settings, Second second) {
    const Second since = std::max(counter.answer_at, counter.line_at);
    if (counter.unanswered >= settings.threshold && second > since) {
        counter.is_unblocked = true;  // the source gets answers again: ports count from now on
        counter.begin_next_line();
    }
    counter.unanswered = 0;
    counter.answer_at = second;
}

}  // namespace portcullis::sensor_detect
