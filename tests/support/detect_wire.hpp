// Wire: short calls for packets between remote hosts and this host, for tests of ScanTracker.
// Observations are kept as short texts.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "sensor/detect/scan_tracker.hpp"

namespace portcullis::test {

using sensor_detect::Observation;
using sensor_detect::ObservationType;
using sensor_packet::Packet;
using sensor_packet::Transport;

class Wire : public sensor_detect::ObservationSink {
  public:
    Wire() : tracker(sensor_detect::TrackerSettings(), *this) {}
    explicit Wire(const sensor_detect::TrackerSettings& settings) : tracker(settings, *this) {}

    void on_observation(const Observation& observation) override {
        observations.push_back(observation);
    }

    Packet packet(Transport transport, std::uint16_t source_port, std::uint16_t port) const {
        Packet made;
        made.verdict = sensor_packet::Verdict::Ok;
        made.transport = transport;
        made.source = *base::IpAddress::parse(them);
        made.destination = *base::IpAddress::parse(us);
        made.source_port = source_port;
        made.destination_port = port;
        made.ttl = 60;
        made.payload_length = 40;
        made.tcp_header_length = 40;
        made.dont_fragment = true;
        made.interface_index = interface;
        return made;
    }
    void tcp(std::uint8_t flags, std::uint16_t source_port, std::uint16_t port) {
        Packet made = packet(Transport::Tcp, source_port, port);
        made.tcp_flags = flags;
        tracker.on_inbound(made, now);
    }
    void raw_syn(std::uint16_t source_port, std::uint16_t port) {
        Packet made = packet(Transport::Tcp, source_port, port);
        made.tcp_flags = sensor_packet::kSyn;
        made.dont_fragment = false;
        made.tcp_header_length = 24;
        made.payload_length = 24;
        tracker.on_inbound(made, now);
    }
    void connect(std::uint16_t source_port, std::uint16_t port) {
        tcp(sensor_packet::kSyn, source_port, port);
    }
    void datagram(std::uint16_t source_port, std::uint16_t port, std::uint8_t ttl = 60) {
        Packet made = packet(Transport::Udp, source_port, port);
        made.ttl = ttl;
        made.udp_data_length = 32;
        tracker.on_inbound(made, now);
    }
    void ping() {
        Packet made = packet(Transport::Icmp, 0, 0);
        made.icmp_type = 8;
        made.payload_length = 64;
        tracker.on_inbound(made, now);
    }
    // Our answers to a packet from `source_port` to `port`.
    Packet answer(Transport transport, std::uint16_t source_port, std::uint16_t port) const {
        Packet made = packet(transport, port, source_port);
        std::swap(made.source, made.destination);
        return made;
    }
    void answer_tcp(std::uint8_t flags, std::uint16_t source_port, std::uint16_t port) {
        Packet made = answer(Transport::Tcp, source_port, port);
        made.tcp_flags = flags;
        tracker.on_outbound(made, now);
    }
    void refuse(std::uint16_t source_port, std::uint16_t port) {
        answer_tcp(sensor_packet::kRst | sensor_packet::kAck, source_port, port);
    }
    void accept(std::uint16_t source_port, std::uint16_t port) {
        answer_tcp(sensor_packet::kSyn | sensor_packet::kAck, source_port, port);
    }
    void answer_datagram(std::uint16_t source_port, std::uint16_t port) {
        tracker.on_outbound(answer(Transport::Udp, source_port, port), now);
    }
    void answer_ping() {
        Packet made = answer(Transport::Icmp, 0, 0);
        made.icmp_type = 0;
        tracker.on_outbound(made, now);
    }
    void unreachable(Transport transport, std::uint16_t source_port, std::uint16_t port) {
        Packet made = answer(Transport::Icmp, 0, 0);
        made.icmp_type = 3;
        made.embedded =
            sensor_packet::Embedded{made.destination, made.source, transport, source_port, port};
        tracker.on_outbound(made, now);
    }
    void pass(std::chrono::nanoseconds time) {
        now += time;
        tracker.advance(now);
    }

    // "TCP: SYN scan detected", "UDP: scan/flood over 25/1000", …: scans only.
    std::vector<std::string> scans() const {
        std::vector<std::string> texts;
        for (const Observation& seen : observations) {
            if (seen.type == ObservationType::ScanDetected) {
                texts.push_back(fmt::format("{} detected{}",
                                            sensor_detect::detector_of(seen.kind).name,
                                            seen.is_repeated ? " again" : ""));
            } else if (seen.type == ObservationType::ScanExpired) {
                texts.push_back(fmt::format("{} over {}/{}",
                                            sensor_detect::detector_of(seen.kind).name,
                                            seen.packets, seen.bytes));
            }
        }
        return texts;
    }
    std::size_t count(ObservationType type) const {
        std::size_t found = 0;
        for (const Observation& seen : observations) {
            found += seen.type == type ? 1 : 0;
        }
        return found;
    }

    std::string them = "10.10.150.1";
    std::string us = "10.10.150.2";
    std::uint32_t interface = 0;  // on which packets arrive; 0 = not known
    base::Timestamp now{std::chrono::seconds(1'700'000'000)};
    std::vector<Observation> observations;
    sensor_detect::ScanTracker tracker;
};

}  // namespace portcullis::test
