#include "engine/execd/metrics.hpp"

#include <catch2/catch.hpp>

#include <set>

#include "base/ban_target.hpp"
#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;

TEST_CASE("metrics: each has a name of its own, a help text, and a row in docs/counters.md") {
    const std::string docs = test::content_of(PORTCULLIS_SOURCE_DIR "/docs/counters.md");
    std::set<std::string_view> names;
    for (const Metric& metric : metrics()) {
        CAPTURE(metric.name);
        CHECK(names.insert(metric.name).second);
        CHECK_FALSE(metric.help.empty());
        CHECK(docs.find("| `" + std::string(metric.name) + "` |") != std::string::npos);
    }
}

TEST_CASE("metrics: the status file is one line, with the pid first") {
    execd_test::RecordingRecords records;
    HoldReports reports(records);
    const base::Timestamp now{std::chrono::seconds(1'700'000'000)};
    reports.take_held(*base::parse_ban_target("192.0.2.1"), now);
    reports.take_held(*base::parse_ban_target("192.0.2.2"), now);
    reports.note_ban(*base::parse_ban_target("192.0.2.1"), now);
    CHECK(status_json(reports, 7) ==
          R"({"pid":7,"sources_held_now":1,"sources_held":2,"holds_confirmed":1,)"
          R"("holds_lifted":0,"sources_a_dry_run_would_hold":0})"
          "\n");
}
