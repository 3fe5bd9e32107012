// The detectors of what many sources do to one target, over one TargetTable.
#include "sensor/detect/distributed_scan_detector.hpp"
#include "sensor/detect/reflection_detector.hpp"
#include "sensor/detect/syn_flood_detector.hpp"

using namespace portcullis::sensor_detect;
using portcullis::base::IpAddress;
using portcullis::base::Timestamp;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const IpAddress kUs = *IpAddress::parse("192.0.2.2");

TargetProbe probe(std::uint64_t source, std::uint16_t port, milliseconds after) {
    TargetProbe made;
    made.destination = kUs;
    made.port = port;
    made.source_port = 40000;
    made.source_hash = source;
    made.is_new_source = true;
    made.bytes = 20;
    made.time = Timestamp(seconds(1'700'000'000)) + after;
    made.second = static_cast<Second>(
        std::chrono::duration_cast<seconds>(made.time.time_since_epoch()).count());
    return made;
}

}  // namespace

TEST_CASE("distributed_scan_detector: detects different ports of several sources, not of one") {
    const TrackerSettings settings;
    const DetectorSettings& limits = settings.of(ScanKind::DistributedScan);
    for (const std::uint64_t sources : {1U, 2U, 15U}) {
        CAPTURE(sources);
        TargetTable targets;
        DistributedScanDetector detector(targets);
        for (std::uint16_t i = 1; i <= limits.threshold; ++i) {
            const auto detection = detector.add_probe(
                probe(1 + i % sources, static_cast<std::uint16_t>(1000 + i), milliseconds(i)),
                limits);
            CAPTURE(i);
            CHECK(detection.has_value() == (i == limits.threshold && sources > 1));
        }
        CHECK(detector.is_detected(kUs) == (sources > 1));
    }
}

TEST_CASE("distributed_scan_detector: ports of a source that scans alone are removed") {
    const TrackerSettings settings;
    const DetectorSettings& limits = settings.of(ScanKind::DistributedScan);
    TargetTable targets;
    DistributedScanDetector detector(targets);
    for (std::uint16_t i = 1; i < limits.threshold; ++i) {
        const auto port = static_cast<std::uint16_t>(1000 + i);
        CHECK_FALSE(detector.add_probe(probe(1, port, milliseconds(i)), limits));
    }
    detector.forget_source(kUs, 1);
    CHECK_FALSE(detector.add_probe(probe(2, 3000, milliseconds(100)), limits));
    CHECK_FALSE(detector.is_detected(kUs));
}

TEST_CASE("syn_flood_detector: detects the rate at one port, and its end") {
    const TrackerSettings settings;
    for (const ScanKind kind : {ScanKind::SynFlood, ScanKind::RefusedConnections}) {
        const DetectorSettings& limits = settings.of(kind);
        TargetTable targets;
        SynFloodDetector detector(targets);
        std::optional<TargetDetection> detection;
        for (std::uint16_t i = 1; i <= limits.threshold; ++i) {
            CHECK_FALSE(detection);
            detection = detector.add_attempt(kind, probe(i, 80, milliseconds(i)), limits);
        }
        REQUIRE(detection);
        CHECK(detection->kind == kind);
        CHECK(detection->sources == limits.threshold);
        CHECK(detector.is_detected(kUs, 80));
        CHECK_FALSE(detector.is_detected(kUs, 81));
        const auto end = targets.next_end();
        REQUIRE(end);
        CHECK_FALSE(targets.end_one(*end - 1));
        const auto ended = targets.end_one(*end);
        REQUIRE(ended);
        CHECK(ended->has_ended);
        CHECK(ended->packets == limits.threshold);
        CHECK_FALSE(targets.has_detected());
    }
}

TEST_CASE("syn_flood_detector: a slow rate is not a flood") {
    const TrackerSettings settings;
    const DetectorSettings& limits = settings.of(ScanKind::SynFlood);
    TargetTable targets;
    SynFloodDetector detector(targets);
    for (std::uint16_t i = 1; i <= 1000; ++i) {
        CHECK_FALSE(
            detector.add_attempt(ScanKind::SynFlood, probe(i, 80, milliseconds(110 * i)), limits));
    }
}

TEST_CASE("reflection_detector: few source ports are a reflection, many a flood") {
    const TrackerSettings settings;
    for (const unsigned source_ports : {1U, 7U, 8U, 200U}) {
        const DetectorSettings& limits = settings.of(ScanKind::DatagramFlood);
        TargetTable targets;
        ReflectionDetector detector(targets);
        std::optional<TargetDetection> detection;
        for (std::uint16_t i = 1; i <= limits.threshold; ++i) {
            CHECK_FALSE(detection);
            TargetProbe made = probe(i, 5000, milliseconds(i));
            made.source_port = static_cast<std::uint16_t>(1000 + i % source_ports);
            detection = detector.add_source(ScanKind::DatagramFlood, made, limits);
        }
        CAPTURE(source_ports);
        REQUIRE(detection);
        CHECK(detection->kind ==
              (source_ports < 8 ? ScanKind::DatagramReflection : ScanKind::DatagramFlood));
    }
}
