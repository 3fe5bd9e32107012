#include "sensor/detect/detectors.hpp"

namespace portcullis::sensor_detect {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Thresholds and idle times are those of iplog 2.2.3, though it counted packets where these count
// doors. The windows are ours: iplog had none and called 70 pings in 70 minutes a flood.
constexpr std::array<DetectorRow, kScanKindCount> kDetectors{{
    {ScanKind::PortScan, "TCP: port scan", "portscan", Counting::DistinctPorts, 15, milliseconds(0),
     seconds(50), true, "connections to many closed or unanswered TCP ports"},
    {ScanKind::NullScan, "TCP: null scan", "null_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), true, "TCP packets without any flag to many such ports"},
    {ScanKind::FinScan, "TCP: FIN scan", "fin_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), true, "TCP packets with FIN alone to many such ports"},
    {ScanKind::SynScan, "TCP: SYN scan", "syn_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), true, "SYN packets that no connect() makes, to many such ports"},
    {ScanKind::XmasScan, "TCP: Xmas scan", "xmas_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), true,
     "TCP packets with FIN, URG, PSH and no others to many such ports"},
    {ScanKind::UdpScan, "UDP: scan/flood", "udp_scan", Counting::DistinctPortsOrRate, 25,
     milliseconds(5000), seconds(50), true,
     "datagrams to many closed or unanswered UDP ports, or many of them in a short time"},
    {ScanKind::PingFlood, "ICMP: ping flood", "ping_flood", Counting::Rate, 70, milliseconds(10000),
     seconds(60), false, "echo requests in quick succession"},
}};

}  // namespace

const std::array<DetectorRow, kScanKindCount>& detectors() { return kDetectors; }

const DetectorRow& detector_of(ScanKind kind) { return kDetectors[static_cast<std::size_t>(kind)]; }

std::optional<ScanKind> find_scan_kind(std::string_view name) {
    for (const DetectorRow& row : kDetectors) {
        if (row.name == name) {
            return row.kind;
        }
    }
    return std::nullopt;
}

}  // namespace portcullis::sensor_detect
