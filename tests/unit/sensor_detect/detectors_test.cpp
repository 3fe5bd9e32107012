#include "sensor/detect/detectors.hpp"

using namespace portcullis::sensor_detect;

TEST_CASE("detectors: each row stands at the place of its kind and can be found by its name") {
    for (std::size_t i = 0; i < kScanKindCount; ++i) {
        const DetectorRow& row = detectors()[i];
        CAPTURE(row.name);
        CHECK(static_cast<std::size_t>(row.kind) == i);
        CHECK(find_scan_kind(row.name) == row.kind);
        CHECK_FALSE(row.help.empty());
        const bool has_window =
            row.counting != Counting::DistinctPorts && row.counting != Counting::DistinctHosts;
        CHECK(has_window == (row.rate_window.count() > 0));
        if (row.counting != Counting::Rate) {
            CHECK(row.threshold <= kMaxPortThreshold);
        }
    }
    CHECK_FALSE(find_scan_kind("TCP: scan"));
}
