#include "sensor/detect/detectors.hpp"

#include <algorithm>

namespace portcullis::sensor_detect {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Thresholds and idle times are those of iplog 2.2.3, though it counted packets where these count
// doors. The windows are ours: iplog had none and called 70 pings in 70 minutes a flood.
constexpr std::array<DetectorRow, kScanKindCount> kDetectors{{
    {ScanKind::PortScan, "TCP: port scan", "portscan", Counting::DistinctPorts, 15, milliseconds(0),
     seconds(50), "connections to many closed or unanswered TCP ports"},
    {ScanKind::NullScan, "TCP: null scan", "null_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), "TCP packets without any flag to many such ports"},
    {ScanKind::FinScan, "TCP: FIN scan", "fin_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), "TCP packets with FIN alone to many such ports"},
    {ScanKind::SynScan, "TCP: SYN scan", "syn_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), "SYN packets that no connect() makes, to many such ports"},
    {ScanKind::XmasScan, "TCP: Xmas scan", "xmas_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50),
     "TCP packets with FIN, URG, PSH and no others to many such ports"},
    {ScanKind::UdpScan, "UDP: scan/flood", "udp_scan", Counting::DistinctPortsOrRate, 25,
     milliseconds(5000), seconds(50),
     "datagrams to many closed or unanswered UDP ports, or many of them in a short time"},
    {ScanKind::Smurf, "ICMP/UDP: smurf attack", "smurf", Counting::Rate, 90, milliseconds(30000),
     seconds(30), "echo replies, of ICMP or UDP, that nobody here asked a network for"},
    {ScanKind::PingFlood, "ICMP: ping flood", "ping_flood", Counting::Rate, 70, milliseconds(10000),
     seconds(60), "echo requests in quick succession"},
    {ScanKind::AckScan, "TCP: ACK scan", "ack_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), "ACK segments of no connection to many ports (ACK and window scans)"},
    {ScanKind::MaimonScan, "TCP: Maimon scan", "maimon_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), "FIN+ACK segments of no connection to many ports"},
    {ScanKind::SynAckScan, "TCP: SYN-ACK scan", "synack_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), "SYN+ACK segments that answer no SYN of ours to many ports"},
    {ScanKind::SlowScan, "TCP: slow scan", "slow_scan", Counting::DistinctPortsInWindow, 10,
     std::chrono::hours(24), seconds(3600),
     "closed or unanswered TCP ports, in visits each too short for the other kinds"},
    {ScanKind::HostSweep, "TCP: sweep scan", "host_sweep", Counting::DistinctHosts, 10,
     milliseconds(0), seconds(50), "the same question to many hosts of the networks of promisc"},
    {ScanKind::DatagramSweep, "UDP: sweep over hosts", "host_sweep", Counting::DistinctHosts, 10,
     milliseconds(0), seconds(50), "datagrams that many such hosts refuse"},
    {ScanKind::EchoSweep, "ICMP: sweep over hosts", "host_sweep", Counting::DistinctHosts, 10,
     milliseconds(0), seconds(50), "pings that many such hosts do not answer"},
    {ScanKind::Decoys, "TCP: scan with decoys", "decoys", Counting::Sources, 3, milliseconds(5000),
     seconds(50), "sources that touch the same ports in the same order at the same time"},
    {ScanKind::DatagramDecoys, "UDP: scan with decoys", "decoys", Counting::Sources, 3,
     milliseconds(5000), seconds(50), "the same over UDP"},
    {ScanKind::DistributedScan, "TCP: distributed scan of ports", "distributed_scan",
     Counting::DistinctPortsInWindow, 30, milliseconds(60000), seconds(50),
     "closed or unanswered ports touched by ten sources and more, each with a few"},
    {ScanKind::SynFlood, "TCP: SYN flood", "tcp_flood", Counting::Rate, 100, milliseconds(10000),
     seconds(50), "connections to one port that are not completed, whoever sends them"},
    {ScanKind::Backscatter, "TCP: backscatter", "backscatter", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50),
     "answers of a service to connections that we never made: somebody forges our address"},
}};

}  // namespace

const std::array<DetectorRow, kScanKindCount>& detectors() { return kDetectors; }

const DetectorRow& detector_of(ScanKind kind) { return kDetectors[static_cast<std::size_t>(kind)]; }

bool is_tcp_port_scan(ScanKind kind) {
    return std::find(kTcpPortScans.begin(), kTcpPortScans.end(), kind) != kTcpPortScans.end();
}

std::optional<ScanKind> find_scan_kind(std::string_view name) {
    for (const DetectorRow& row : kDetectors) {
        if (row.name == name) {
            return row.kind;
        }
    }
    return std::nullopt;
}

}  // namespace portcullis::sensor_detect
