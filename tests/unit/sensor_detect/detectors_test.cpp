#include "sensor/detect/detectors.hpp"

#include <set>

#include "sensor/detect/probe_classes.hpp"

using namespace portcullis::sensor_detect;

TEST_CASE("detectors: each row is at the index of its kind and can be found by its name") {
    for (std::size_t i = 0; i < kScanKindCount; ++i) {
        const DetectorRow& row = detectors()[i];
        CAPTURE(row.name);
        CHECK(static_cast<std::size_t>(row.kind) == i);
        CHECK(find_scan_kind(row.name) == row.kind);
        CHECK_FALSE(row.help.empty());
        CHECK_FALSE(row.sample.empty());
        const bool has_window = row.counting != Counting::DistinctPorts &&
                                row.counting != Counting::DistinctHosts &&
                                row.counting != Counting::DistinctProtocols;
        CHECK(has_window == (row.rate_window.count() > 0));
        if (row.counting != Counting::Rate) {
            CHECK(row.threshold <= kMaxPortThreshold);
        }
    }
    CHECK_FALSE(find_scan_kind("TCP: scan"));
}

TEST_CASE("detectors: every kind is counted by some probe, or by what several of them do") {
    std::set<ScanKind> counted{ScanKind::SlowScan,           ScanKind::Decoys,
                               ScanKind::DatagramDecoys,     ScanKind::DistributedScan,
                               ScanKind::SynFlood,           ScanKind::Smurf,
                               ScanKind::SlowSweep,          ScanKind::SlowEchoSweep,
                               ScanKind::RefusedConnections, ScanKind::DatagramFlood,
                               ScanKind::DatagramReflection, ScanKind::SynAckReflection};
    for (int probe = 0; probe <= static_cast<int>(ProbeClass::Protocol); ++probe) {
        for (const ScanKind kind : kinds_of(static_cast<ProbeClass>(probe))) {
            counted.insert(kind);
        }
    }
    CHECK(counted.size() == kScanKindCount);
}

TEST_CASE("detectors: only who may be blocked for it is reported with the words scan detected") {
    const std::set<std::string_view> harmless{"TCP: scan with decoys",
                                              "UDP: scan with decoys",
                                              "TCP: distributed scan of ports",
                                              "TCP: SYN flood",
                                              "TCP: backscatter",
                                              "UDP: scan/flood",
                                              "ICMP: ping flood",
                                              "ICMP/UDP: smurf attack",
                                              "UDP: sweep over hosts",
                                              "ICMP: sweep over hosts",
                                              "ICMP: slow sweep over hosts",
                                              "TCP: SYN-ACK probes",
                                              "TCP: open port probing",
                                              "TCP: refused connections",
                                              "UDP: datagram flood",
                                              "UDP: reflection",
                                              "TCP: SYN-ACK reflection",
                                              "UDP: backscatter"};
    for (const DetectorRow& row : detectors()) {
        CAPTURE(row.name);
        CHECK(row.name.ends_with(" scan") == !harmless.count(row.name));
    }
}
