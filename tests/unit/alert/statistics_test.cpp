#include "engine/alert/statistics.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::alert;
using test::content_of;

namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
// Tuesday 2026-11-24 09:00:00 UTC.
constexpr std::int64_t kNine = 1'795'510'800;

struct Home {
    Home() {
        setenv("TZ", "UTC", 1);
        tzset();
    }
    Statistics open() { return {folder.path(), {true, 1'000, 10, 150}, log}; }
    std::string read(const char* name) const { return content_of(folder / name); }

    test::TemporaryFolder folder;
    test::RecordingLog log;
};

// Counts `events` events at `second`; the first excess, if there was one.
std::optional<Statistics::Excess> feed(Statistics& statistics, std::int64_t second, int events,
                                       Statistics::Counted counted = {}) {
    std::optional<Statistics::Excess> first;
    for (int i = 0; i < events; ++i) {
        const auto excess =
            statistics.count(counted, base::Timestamp(std::chrono::seconds(second)));
        first = first ? first : excess;
    }
    return first;
}

}  // namespace

TEST_CASE("statistics: the totals of an hour are written when the next one begins") {
    Home home;
    auto statistics = home.open();
    feed(statistics, kNine + 5, 2, {100, 5, true, false});
    feed(statistics, kNine + 6, 1, {31, 0, false, true});
    feed(statistics, kNine + kHour - 1, 3);
    CHECK_FALSE(std::filesystem::exists(home.folder / "totals"));
    feed(statistics, kNine + kHour, 1);
    CHECK(home.read("totals/2026/Nov/ossec-totals-24.log") ==
          "9-31-0-1\n9-100-5-2\n9--2--6--0--1\n");
}

TEST_CASE("statistics: too many events are reported after three days, once an hour") {
    Home home;
    auto statistics = home.open();
    for (int day = 0; day < 3; ++day) {
        CHECK_FALSE(feed(statistics, kNine + day * kDay, day == 2 ? 400 : 100));
    }
    // The average is 200 now; 150 percent above it are more than 500.
    CHECK_FALSE(feed(statistics, kNine + 3 * kDay, 500));
    const auto excess = feed(statistics, kNine + 3 * kDay + 60, 300);
    REQUIRE(excess);
    CHECK(excess->hour == 9);
    CHECK(excess->average == 200);
    CHECK(excess->events == 501);
    CHECK_FALSE(feed(statistics, kNine + 3 * kDay + 120, 300));
}

TEST_CASE("statistics: at most three reports a day, none when nothing is watched") {
    Home home;
    auto statistics = home.open();
    for (int day = 0; day < 3; ++day) {
        for (int hour = 0; hour < 5; ++hour) {
            feed(statistics, kNine + day * kDay + hour * kHour, 1);
        }
    }
    int reports = 0;
    for (int hour = 0; hour < 5; ++hour) {
        reports += feed(statistics, kNine + 3 * kDay + hour * kHour, 100) ? 1 : 0;
    }
    CHECK(reports == Statistics::kMaxAlertsOfDay);
    statistics.set_unusual({false, 10, 10, 5});
    CHECK_FALSE(feed(statistics, kNine + 4 * kDay, 500));
}

TEST_CASE("statistics: a restart continues with the current hour and the averages") {
    Home home;
    {
        auto statistics = home.open();
        for (int day = 0; day < 3; ++day) {
            feed(statistics, kNine + day * kDay, 100, {100, 5, true, false});
        }
        feed(statistics, kNine + 3 * kDay, 200, {100, 5, true, false});
        statistics.save();
    }
    auto statistics = home.open();
    CHECK(feed(statistics, kNine + 3 * kDay + 60, 100));
    feed(statistics, kNine + 3 * kDay + kHour, 1);
    CHECK(home.read("totals/2026/Nov/ossec-totals-27.log") == "9-100-5-200\n9--200--300--0--0\n");
}

TEST_CASE("statistics: damaged files count as nothing, unwritable ones are reported once") {
    Home home;
    for (const char* name : {"hourly-average", "weekly-average", "current-hour"}) {
        std::ofstream(home.folder / name) << "-5 99999999999999999999999 x\n77 3 3 99\n\xff\xff";
    }
    auto statistics = home.open();
    CHECK_FALSE(feed(statistics, kNine, 50'000));
    Statistics nowhere("/nonexistent/stats", {}, home.log);
    for (int hour = 0; hour < 3; ++hour) {
        feed(nowhere, kNine + hour * kHour, 1);
    }
    CHECK(home.log.count("cannot be written") == 1);
}
