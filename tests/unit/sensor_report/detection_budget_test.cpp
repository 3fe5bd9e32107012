#include "sensor/report/detection_budget.hpp"

#include <map>

using portcullis::sensor_report::DetectionBudget;
using Place = DetectionBudget::Place;

namespace {

// Writes the lines that are due and stores the time.
struct Log {
    explicit Log(std::uint32_t limit) { budget.set_limit(limit); }

    void pass_to(std::int64_t second) {
        for (now = std::max(now, second); budget.is_over(now);) {
            while (const auto line = budget.take_rest()) {
                written.emplace(*line, now);
            }
            summaries.push_back(budget.take_summary());
        }
        while (const auto line = budget.take_due(now)) {
            written.emplace(*line, now);
        }
    }
    Place detect(const std::string& name, std::uint64_t packets, bool is_proven = false) {
        pass_to(now);
        const Place place = budget.place(now, {packets, is_proven});
        if (place == Place::Now) {
            written.emplace(name, now);
        } else if (place == Place::Waits) {
            budget.add_waiting(name, packets);
        }
        return place;
    }

    DetectionBudget budget;
    std::int64_t now = 1000;
    std::map<std::string, std::int64_t> written;
    std::vector<std::string> summaries;
};

}  // namespace

TEST_CASE("detection_budget: a minute has its lines, and one says how many were left out") {
    Log log(1000);
    constexpr int kPerSecond = 10000;
    for (int i = 0; i < 60 * kPerSecond; ++i) {
        log.now = 1000 + i / kPerSecond;
        log.detect("forged " + std::to_string(i), 10);
    }
    log.pass_to(1060);
    CHECK(log.written.size() == 1000);
    REQUIRE(log.summaries.size() == 1);
    CHECK(
        log.summaries[0] ==
        "Warning: 599000 detections within 60 seconds were not written, nor 0 ends of scans; more "
        "than 1000 per minute.");
    CHECK(log.budget.left_out() == 599000);
    CHECK_FALSE(log.budget.next_deadline(1060));
}

TEST_CASE(
    "detection_budget: a scan that continues is written within a second, whatever is forged") {
    Log log(1000);
    for (int i = 0; i < 60 * 10000; ++i) {
        log.now = 1000 + i / 10000;
        if (i == 305000) {  // 30 s after the budget for lines at once is used up
            CHECK(log.detect("real", 500) == Place::Waits);
        }
        log.detect("forged " + std::to_string(i), 10 + static_cast<std::uint64_t>(i) % 11);
    }
    log.pass_to(1060);
    REQUIRE(log.written.count("real") == 1);
    CHECK(log.written["real"] <= 1031);
}

TEST_CASE("detection_budget: forged scans take no line from a source that is proven") {
    Log log(100);
    for (int i = 0; i < 10000; ++i) {
        log.detect("forged " + std::to_string(i), 1000);
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(log.detect("proven " + std::to_string(i), 10, true) == Place::Now);
    }
    // Beyond that they are like all others, so that the log stays bounded.
    CHECK(log.detect("proven, quiet", 10, true) == Place::LeftOut);
    CHECK(log.detect("proven, loud", 5000, true) == Place::Waits);
    log.pass_to(1060);
    CHECK(log.written.size() == 200);
    log.detect("forged", 10);
    CHECK(log.detect("of the next minute", 10, true) == Place::Now);
}

TEST_CASE("detection_budget: of those beyond, the ones with the most packets are kept") {
    Log log(100);
    for (int i = 0; i < 90; ++i) {
        CHECK(log.detect("first " + std::to_string(i), 10) == Place::Now);
    }
    for (std::uint64_t i = 1; i <= 1000; ++i) {  // in one second, in any order
        const std::uint64_t packets = i * 7919 % 1009;
        log.detect(std::to_string(packets), packets);
    }
    log.pass_to(1060);
    CHECK(log.written.size() == 100);
    std::size_t loud = 0;
    for (const auto& [name, second] : log.written) {
        loud += name.rfind("first", 0) != 0 && std::stoi(name) > 990 ? 1 : 0;
    }
    CHECK(loud >= 8);
    CHECK(log.summaries.at(0).find("Warning: 990 detections") == 0);
}

TEST_CASE("detection_budget: ends of scans are bounded as well, and nothing is with a limit of 0") {
    Log log(10);
    int ends = 0;
    for (int i = 0; i < 25; ++i) {
        ends += log.budget.admit_and_count_end(1000) ? 1 : 0;
    }
    CHECK(ends == 10);
    CHECK(log.budget.next_deadline(1000) == 1060);
    log.pass_to(1060);
    CHECK(log.summaries.at(0).find("nor 15 ends of scans") != std::string::npos);

    Log any(0);
    for (int i = 0; i < 5000; ++i) {
        CHECK(any.detect(std::to_string(i), 1) == Place::Now);
        CHECK(any.budget.admit_and_count_end(1000));
    }
    CHECK_FALSE(any.budget.next_deadline(1000));
}

TEST_CASE("detection_budget: a clock that is set back begins a new minute") {
    Log log(10);
    for (int i = 0; i < 20; ++i) {
        log.detect(std::to_string(i), 10);
    }
    CHECK(log.budget.is_over(500));
    CHECK_FALSE(log.budget.is_over(1059));
}
