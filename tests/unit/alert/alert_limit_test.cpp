#include "engine/alert/alert_limit.hpp"

using namespace portcullis;
using alert::Alert;
using alert::AlertLimit;
using base::Evidence;
using std::chrono::seconds;

namespace {

constexpr base::Timestamp kStart{seconds(1'795'511'134)};

Alert alert_of(int rule, std::optional<Evidence> evidence, base::Timestamp time = kStart) {
    Alert alert;
    alert.rule.id = rule;
    alert.evidence = evidence;
    alert.time = time;
    return alert;
}

int written_of(AlertLimit& limit, const Alert& alert, int count) {
    int written = 0;
    for (int i = 0; i < count; ++i) {
        written += limit.admit_and_count(alert) ? 1 : 0;
    }
    return written;
}

}  // namespace

TEST_CASE(
    "alert_limit: bounds alerts with forgeable evidence, for each rule separately, and no others") {
    AlertLimit limit;
    limit.set_limit(3);
    CHECK(written_of(limit, alert_of(99990, Evidence::Forgeable), 10) == 3);
    CHECK(written_of(limit, alert_of(99980, Evidence::Forgeable), 10) == 3);
    CHECK(written_of(limit, alert_of(99996, Evidence::Doubtful), 10) == 3);
    // Of the rule that is over its limit, too.
    CHECK(written_of(limit, alert_of(99990, Evidence::Proven), 10) == 10);
    CHECK(written_of(limit, alert_of(5716, std::nullopt), 10) == 10);
    CHECK(limit.left_out() == 21);
}

TEST_CASE("alert_limit: 0 means that there is no limit") {
    AlertLimit limit;
    CHECK(written_of(limit, alert_of(99990, Evidence::Forgeable), 5000) == 5000);
    CHECK_FALSE(limit.summary_time());
    CHECK_FALSE(limit.take_summary("host", kStart));
}

TEST_CASE("alert_limit: a minute later, or with the clock set back, alerts are written again") {
    AlertLimit limit;
    limit.set_limit(2);
    CHECK(written_of(limit, alert_of(1, Evidence::Forgeable), 5) == 2);
    CHECK(written_of(limit, alert_of(1, Evidence::Forgeable, kStart + seconds(59)), 5) == 0);
    CHECK(written_of(limit, alert_of(1, Evidence::Forgeable, kStart + seconds(60)), 5) == 2);
    CHECK(written_of(limit, alert_of(1, Evidence::Forgeable, kStart - seconds(3600)), 5) == 2);
}

TEST_CASE(
    "alert_limit: one summary a minute counts the alerts left out, the largest number first") {
    AlertLimit limit;
    limit.set_limit(1);
    written_of(limit, alert_of(99980, Evidence::Forgeable), 3);
    written_of(limit, alert_of(99990, Evidence::Forgeable), 11);
    REQUIRE(limit.summary_time() == kStart + seconds(60));
    // It covers the alerts left out until it is taken, also in the next minute.
    written_of(limit, alert_of(99990, Evidence::Forgeable, kStart + seconds(61)), 2);
    const auto summary = limit.take_summary("host", kStart + seconds(62));
    REQUIRE(summary);
    CHECK(summary->full_log ==
          "13 alerts were not written, more than 1 of a rule in a minute: 11 of rule 99990, 2 of "
          "rule 99980.");
    CHECK(summary->rule.id == AlertLimit::kAlertRule);
    CHECK(summary->time == kStart + seconds(62));
    CHECK(limit.admit_and_count(*summary));
    CHECK_FALSE(limit.take_summary("host", kStart + seconds(63)));
    CHECK_FALSE(limit.summary_time());
    CHECK(limit.left_out() == 13);
}

TEST_CASE("alert_limit: a summary of many rules stays short") {
    AlertLimit limit;
    limit.set_limit(1);
    for (int rule = 1; rule <= 500; ++rule) {
        written_of(limit, alert_of(rule, Evidence::Forgeable), 2);
    }
    const auto summary = limit.take_summary("host", kStart);
    REQUIRE(summary);
    CHECK(summary->full_log.ends_with(", and of 490 more rules."));
    CHECK(summary->full_log.size() < 400);
}
