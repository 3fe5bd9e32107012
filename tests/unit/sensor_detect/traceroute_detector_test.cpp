#include "sensor/detect/traceroute_detector.hpp"

using namespace portcullis::sensor_detect;

namespace {

constexpr Second kStart = 1'700'000'000;

}  // namespace

TEST_CASE("traceroute_detector: a run begins with TTL 1, and its TTL rises in small steps") {
    TracerouteRun run;
    CHECK_FALSE(add_to_traceroute(run, 2, kStart));  // no run yet
    CHECK(add_to_traceroute(run, 1, kStart));
    CHECK_FALSE(is_traceroute(run));
    CHECK(add_to_traceroute(run, 2, kStart));
    CHECK(is_traceroute(run));
    CHECK_FALSE(add_to_traceroute(run, 6, kStart));  // a step of four
    CHECK(add_to_traceroute(run, 5, kStart));
    CHECK_FALSE(add_to_traceroute(run, 6, kStart + 11));  // the run has ended
}

TEST_CASE("traceroute_detector: three datagrams with TTL 1 are a traceroute") {
    TracerouteRun run;
    for (int i = 1; i <= 3; ++i) {
        CHECK(add_to_traceroute(run, 1, kStart));
        CHECK(is_traceroute(run) == (i == 3));
    }
}

TEST_CASE("traceroute_detector: the number of datagrams per TTL is limited") {
    TracerouteRun run;
    for (int i = 1; i <= 10; ++i) {
        CHECK(add_to_traceroute(run, 1, kStart));
    }
    CHECK_FALSE(add_to_traceroute(run, 1, kStart));
    CHECK(add_to_traceroute(run, 2, kStart));
}

TEST_CASE("traceroute_detector: a line is due at most every 15 seconds") {
    TracerouteRun run;
    CHECK(take_traceroute_line(run, kStart));
    CHECK_FALSE(take_traceroute_line(run, kStart + 14));
    CHECK(take_traceroute_line(run, kStart + 15));
    CHECK_FALSE(take_traceroute_line(run, kStart + 16));
}
