#include "sensor/detect/crowd_watch.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {
namespace {

// In the place of a port, for what is counted per address; for refused connections it is added to
// the port.
constexpr std::uint32_t kDistributedScan = 0x10000;
constexpr std::uint32_t kDatagrams = 0x10001;
constexpr std::uint32_t kSynAcks = 0x10002;
constexpr std::uint32_t kRefused = 0x20000;

std::uint32_t seconds_of(const DetectorSettings& settings) {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(settings.rate_window).count());
}

}  // namespace

CrowdWatch::CrowdWatch() : by_address_(kAddresses), by_port_(kPorts) {
    reported_.reserve(kAddresses + kPorts);
}

template <class AnyCrowd>
AnyCrowd* CrowdWatch::obtain(ZeroedArray<AnyCrowd>& crowds, std::uint64_t place, ScanKind kind,
                             const Touch& touch, std::uint16_t port) {
    AnyCrowd& crowd = crowds[place & (crowds.size() - 1)];
    if (crowd.is_used && crowd.port == port && crowd.destination == touch.destination &&
        (crowd.kind == kind || crowd.is_reported)) {
        return &crowd;
    }
    if (crowd.is_reported) {
        return nullptr;
    }
    crowd = AnyCrowd{};
    crowd.destination = touch.destination;
    crowd.port = port;
    crowd.kind = kind;
    crowd.is_used = true;
    return &crowd;
}

void CrowdWatch::count(Crowd& crowd, const Touch& touch, const DetectorSettings& settings) {
    if (crowd.expires_at <= touch.second && !crowd.is_reported) {
        crowd.sources = 0;
        crowd.packets = 0;
        crowd.bytes = 0;
    }
    crowd.expires_at = touch.second + static_cast<std::uint32_t>(settings.idle.count());
    crowd.sources += touch.is_new_source ? 1 : 0;
    crowd.packets += touch.packets;
    crowd.bytes += std::uint64_t{touch.packets} * touch.bytes;
}

CrowdWatch::Report CrowdWatch::make_report(Crowd& crowd) {
    crowd.is_reported = true;
    reported_.push_back(&crowd);
    return {crowd.kind,    false,         crowd.destination, crowd.first_ports,
            crowd.sources, crowd.packets, crowd.bytes};
}

std::optional<CrowdWatch::Report> CrowdWatch::add_port(const Touch& touch,
                                                       const DetectorSettings& settings) {
    AddressCrowd* crowd = obtain(by_address_, place_of(touch.destination, kDistributedScan),
                                 ScanKind::DistributedScan, touch, 0);
    if (crowd == nullptr) {
        return std::nullopt;
    }
    const std::uint32_t window = seconds_of(settings);
    if (crowd->ports.is_empty_at(touch.second, window)) {
        crowd->first_ports = DestinationPorts();
    }
    count(*crowd, touch, settings);
    crowd->first_ports.add(touch.port);
    if (crowd->is_reported) {
        return std::nullopt;
    }
    const int ports = crowd->ports.add(touch.port, touch.second, window, touch.source_hash);
    const int sources = crowd->some_sources.add(touch.source_hash, touch.second, window);
    if (ports < settings.threshold || sources < kFewestSources) {
        return std::nullopt;
    }
    crowd->sources = std::max(crowd->sources, static_cast<std::uint32_t>(sources));
    return make_report(*crowd);
}

void CrowdWatch::forget_ports_of(const base::IpAddress& destination, std::uint64_t source_hash) {
    AddressCrowd& crowd =
        by_address_[place_of(destination, kDistributedScan) & (by_address_.size() - 1)];
    if (crowd.is_used && !crowd.is_reported && crowd.kind == ScanKind::DistributedScan &&
        crowd.destination == destination) {
        crowd.ports.forget(source_hash);
    }
}

std::optional<CrowdWatch::Report> CrowdWatch::add_attempt(ScanKind kind, const Touch& touch,
                                                          const DetectorSettings& settings) {
    const std::uint32_t offset = kind == ScanKind::RefusedConnections ? kRefused : 0;
    Crowd* crowd =
        obtain(by_port_, place_of(touch.destination, touch.port + offset), kind, touch, touch.port);
    if (crowd == nullptr) {
        return std::nullopt;
    }
    count(*crowd, touch, settings);
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(touch.time.time_since_epoch());
    const auto rate = crowd->rate.add(time, settings.rate_window, touch.packets);
    if (crowd->is_reported || rate < settings.threshold) {
        return std::nullopt;
    }
    crowd->first_ports.add(touch.port);
    crowd->sources = std::max(crowd->sources, 1U);
    return make_report(*crowd);
}

std::optional<CrowdWatch::Report> CrowdWatch::add_source(ScanKind kind, const Touch& touch,
                                                         const DetectorSettings& settings) {
    const std::uint32_t place = kind == ScanKind::SynAckReflection ? kSynAcks : kDatagrams;
    AddressCrowd* crowd = obtain(by_address_, place_of(touch.destination, place), kind, touch, 0);
    if (crowd == nullptr) {
        return std::nullopt;
    }
    if (touch.second >= crowd->expires_at && !crowd->is_reported) {
        crowd->first_ports = DestinationPorts();
        crowd->source_ports.clear();
    }
    count(*crowd, touch, settings);
    crowd->first_ports.add(touch.port);
    crowd->source_ports.add(touch.source_port);
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(touch.time.time_since_epoch());
    const auto rate = crowd->rate.add(time, settings.rate_window, 1);
    if (crowd->is_reported || rate < settings.threshold) {
        return std::nullopt;
    }
    if (kind == ScanKind::DatagramFlood && !crowd->source_ports.is_full()) {
        crowd->kind = ScanKind::DatagramReflection;
    }
    return make_report(*crowd);
}

bool CrowdWatch::covers(const base::IpAddress& destination, std::uint16_t port) const {
    if (reported_.empty()) {
        return false;
    }
    const auto is_reported = [&](const auto& crowds, std::uint64_t place, ScanKind kind,
                                 std::uint16_t of_port) {
        const Crowd& crowd = crowds[place & (crowds.size() - 1)];
        return crowd.is_reported && crowd.kind == kind && crowd.destination == destination &&
               crowd.port == of_port;
    };
    return is_reported(by_address_, place_of(destination, kDistributedScan),
                       ScanKind::DistributedScan, 0) ||
           is_reported(by_port_, place_of(destination, port), ScanKind::SynFlood, port) ||
           is_reported(by_port_, place_of(destination, port + kRefused),
                       ScanKind::RefusedConnections, port);
}

std::optional<std::uint32_t> CrowdWatch::next_end() const {
    std::optional<std::uint32_t> next;
    for (const Crowd* crowd : reported_) {
        next = std::min(next.value_or(crowd->expires_at), crowd->expires_at);
    }
    return next;
}

std::optional<CrowdWatch::Report> CrowdWatch::end_one(std::uint32_t second) {
    const auto over = std::find_if(reported_.begin(), reported_.end(),
                                   [&](const Crowd* crowd) { return crowd->expires_at <= second; });
    if (over == reported_.end()) {
        return std::nullopt;
    }
    Crowd& crowd = **over;
    const Report ended{crowd.kind,    true,          crowd.destination, crowd.first_ports,
                       crowd.sources, crowd.packets, crowd.bytes};
    crowd.is_used = false;  // the next source begins it anew
    crowd.is_reported = false;
    reported_.erase(over);
    return ended;
}

}  // namespace portcullis::sensor_detect
