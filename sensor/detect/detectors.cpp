#include "sensor/detect/detectors.hpp"

namespace portcullis::sensor_detect {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Thresholds and idle times are those of iplog 2.2.3, although it counted packets where these count
// distinct ports. iplog had no windows and called 70 pings in 70 minutes a flood.
constexpr std::array<DetectorRow, kScanKindCount> kDetectors{{
    {ScanKind::PortScan, "TCP: port scan", "portscan", Counting::DistinctPorts, 15, milliseconds(0),
     seconds(50), seconds(10), "connections to many closed or unanswered TCP ports",
     "connect_scan"},
    {ScanKind::NullScan, "TCP: null scan", "null_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(10), "TCP packets without any flag to many such ports",
     "null_scan"},
    {ScanKind::FinScan, "TCP: FIN scan", "fin_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), seconds(10), "TCP packets with FIN alone to many such ports", "fin_scan"},
    {ScanKind::SynScan, "TCP: SYN scan", "syn_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), seconds(10), "SYN packets that no connect() makes, to many such ports",
     "syn_scan"},
    {ScanKind::XmasScan, "TCP: Xmas scan", "xmas_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(10),
     "TCP packets with FIN, URG, PSH and no others to many such ports", "xmas_scan"},
    {ScanKind::UdpScan, "UDP: scan/flood", "udp_scan", Counting::DistinctPortsOrRate, 25,
     milliseconds(5000), seconds(50), seconds(10),
     "datagrams to many closed or unanswered UDP ports, or a flood of them", "udp_scan", 10000},
    {ScanKind::Smurf, "ICMP/UDP: smurf attack", "smurf", Counting::Rate, 90, milliseconds(30000),
     seconds(30), seconds(0), "echo replies, of ICMP or UDP, that nobody here asked a network for",
     "smurf"},
    {ScanKind::PingFlood, "ICMP: ping flood", "ping_flood", Counting::Rate, 70, milliseconds(10000),
     seconds(60), seconds(10), "echo requests in quick succession", "ping_flood"},
    {ScanKind::AckScan, "TCP: ACK scan", "ack_scan", Counting::DistinctPorts, 10, milliseconds(0),
     seconds(50), seconds(10), "ACK segments of no connection to many ports (ACK and window scans)",
     "ack_scan"},
    {ScanKind::MaimonScan, "TCP: Maimon scan", "maimon_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(10), "FIN+ACK segments of no connection to many ports",
     "maimon_scan"},
    {ScanKind::SynAckProbes, "TCP: SYN-ACK probes", "synack_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(0),
     "SYN+ACK segments from several ports that answer no SYN of ours", "syn_ack_probes"},
    {ScanKind::SlowScan, "TCP: slow scan", "slow_scan", Counting::DistinctPortsInWindow, 10,
     std::chrono::hours(24), seconds(3600), seconds(10),
     "closed or unanswered TCP ports, in bursts each too short for the other kinds", "slow_scan"},
    {ScanKind::HostSweep, "TCP: sweep scan", "host_sweep", Counting::DistinctHosts, 10,
     milliseconds(0), seconds(50), seconds(10),
     "the same question to many hosts of the networks of promisc", "syn_sweep"},
    {ScanKind::DatagramSweep, "UDP: sweep over hosts", "host_sweep", Counting::DistinctHosts, 10,
     milliseconds(0), seconds(50), seconds(10), "datagrams that many such hosts refuse",
     "udp_sweep"},
    {ScanKind::EchoSweep, "ICMP: sweep over hosts", "host_sweep", Counting::DistinctHosts, 10,
     milliseconds(0), seconds(50), seconds(10),
     "pings, or ARP requests beside them, for many such hosts", "ping_sweep"},
    {ScanKind::Decoys, "TCP: scan with decoys", "decoys", Counting::Sources, 3, milliseconds(5000),
     seconds(50), seconds(0),
     "sources that probe the same ports in the same order at the same time", "syn_decoys"},
    {ScanKind::DatagramDecoys, "UDP: scan with decoys", "decoys", Counting::Sources, 3,
     milliseconds(5000), seconds(50), seconds(0), "the same over UDP", "udp_decoys"},
    {ScanKind::DistributedScan, "TCP: distributed scan of ports", "distributed_scan",
     Counting::DistinctPortsInWindow, 30, milliseconds(60000), seconds(50), seconds(0),
     "closed or unanswered ports that several sources probe, each a few", "distributed_scan"},
    {ScanKind::SynFlood, "TCP: SYN flood", "tcp_flood", Counting::Rate, 100, milliseconds(10000),
     seconds(50), seconds(0),
     "connections to one port that are not completed, from any number of sources", "syn_flood"},
    {ScanKind::Backscatter, "TCP: backscatter", "backscatter", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(0),
     "answers of a service to connections that we never made: somebody forges our address",
     "syn_ack_backscatter"},
    {ScanKind::SynFinScan, "TCP: SYN-FIN scan", "synfin_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(10),
     "packets with SYN and FIN to many closed or unanswered TCP ports", "syn_fin_scan"},
    {ScanKind::SctpScan, "SCTP: port scan", "sctp_scan", Counting::DistinctPorts, 10,
     milliseconds(0), seconds(50), seconds(10),
     "INIT or COOKIE ECHO chunks to many closed or unanswered SCTP ports", "sctp_scan"},
    {ScanKind::ProtocolScan, "IP: protocol scan", "protocol_scan", Counting::DistinctProtocols, 10,
     milliseconds(0), seconds(50), seconds(10),
     "packets of many IP protocols besides TCP, UDP and ICMP", "protocol_scan"},
    {ScanKind::SlowSweep, "TCP: slow-sweep scan", "slow_sweep", Counting::DistinctHostsInWindow, 10,
     std::chrono::hours(24), seconds(3600), seconds(10),
     "hosts that refuse or do not answer, asked too slowly for a sweep", "slow_syn_sweep"},
    {ScanKind::SlowEchoSweep, "ICMP: slow sweep over hosts", "slow_sweep",
     Counting::DistinctHostsInWindow, 10, std::chrono::hours(24), seconds(3600), seconds(10),
     "pings to hosts that do not answer, too slowly for a sweep", "slow_ping_sweep"},
    {ScanKind::OpenPortProbing, "TCP: open port probing", "open_ports",
     Counting::DistinctPortsInWindow, 20, milliseconds(60000), seconds(50), seconds(0),
     "open ports that are opened and reset, or closed without a byte", "open_ports"},
    {ScanKind::RefusedConnections, "TCP: refused connections", "refused_connections",
     Counting::Rate, 100, milliseconds(10000), seconds(50), seconds(0),
     "connections of ordinary clients that one closed port refuses", "refused_clients"},
    {ScanKind::DatagramFlood, "UDP: datagram flood", "udp_flood", Counting::Rate, 200,
     milliseconds(5000), seconds(50), seconds(0), "datagrams of many sources that are not answered",
     "udp_flood"},
    {ScanKind::DatagramReflection, "UDP: reflection", "reflection", Counting::Rate, 200,
     milliseconds(5000), seconds(50), seconds(0),
     "answers of many services to datagrams that we never sent", "udp_reflection"},
    {ScanKind::SynAckReflection, "TCP: SYN-ACK reflection", "reflection", Counting::Rate, 200,
     milliseconds(5000), seconds(50), seconds(0),
     "answers of many services to connections that we never made", "syn_ack_reflection"},
    {ScanKind::DatagramBackscatter, "UDP: backscatter", "backscatter", Counting::DistinctPorts, 25,
     milliseconds(0), seconds(50), seconds(0),
     "answers of one service to datagrams that we never sent", "udp_backscatter"},
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
