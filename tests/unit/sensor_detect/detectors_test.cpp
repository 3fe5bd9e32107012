#include "sensor/detect/detectors.hpp"

#include <set>

#include "sensor/detect/probe_classes.hpp"

using namespace portcullis::sensor_detect;

TEST_CASE("detectors: each row stands at the place of its kind and can be found by its name") {
    for (std::size_t i = 0; i < kScanKindCount; ++i) {
        const DetectorRow& row = detectors()[i];
        CAPTURE(row.name);
        CHECK(static_cast<std::size_t>(row.kind) == i);
        CHECK(find_scan_kind(row.name) == row.kind);
        CHECK_FALSE(row.help.empty());
        CHECK((row.counting == Counting::DistinctPorts) == (row.rate_window.count() == 0));
        if (row.counting != Counting::Rate) {
            CHECK(row.threshold <= kMaxPortThreshold);
        }
    }
    CHECK_FALSE(find_scan_kind("TCP: scan"));
}

TEST_CASE("detectors: every kind is counted by some probe or by its rate") {
    std::set<ScanKind> counted{ScanKind::PingFlood};
    for (int probe = 0; probe <= static_cast<int>(ProbeClass::Datagram); ++probe) {
        for (const ScanKind kind : kinds_of(static_cast<ProbeClass>(probe))) {
            counted.insert(kind);
        }
    }
    CHECK(counted.size() == kScanKindCount);
}
