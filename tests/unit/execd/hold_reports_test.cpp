#include "engine/execd/hold_reports.hpp"

#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using execd_test::RecordingRecords;
using execd_test::Texts;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

base::Cidr target(const char* text) { return *base::parse_ban_target(text); }

struct Reports {
    RecordingRecords records;
    HoldReports reports{records};
    base::Timestamp now{seconds(1'700'000'000)};

    void pass(std::chrono::nanoseconds time) {
        now += time;
        reports.tick(now);
    }
};

const std::string kHeld = "held: the kernel stopped its scan: new connections are dropped for 2 s";
const std::string kLifted = "lifted: the hold ran out: no ban followed";

}  // namespace

TEST_CASE("hold_reports: a hold that a ban follows is confirmed, another one is lifted in time") {
    Reports bench;
    bench.reports.take_held(target("192.0.2.1"), bench.now);
    bench.reports.take_held(target("192.0.2.2"), bench.now);
    CHECK(bench.records.take() == Texts{"192.0.2.1 " + kHeld, "192.0.2.2 " + kHeld});
    CHECK(bench.reports.current() == 2);
    CHECK(bench.reports.next_due() == bench.now + seconds(2));
    bench.reports.note_ban(target("192.0.2.1"), bench.now + milliseconds(3));
    CHECK(bench.records.take() == Texts{"192.0.2.1 confirmed: a ban followed: 192.0.2.1"});
    bench.pass(milliseconds(1999));
    CHECK(bench.records.take().empty());
    bench.pass(milliseconds(1));
    CHECK(bench.records.take() == Texts{"192.0.2.2 " + kLifted});
    CHECK(bench.reports.current() == 0);
    CHECK_FALSE(bench.reports.next_due().has_value());
    CHECK(bench.reports.counters() == HoldCounters{2, 1, 1, 0});
    // A ban that comes later confirms nothing.
    bench.reports.note_ban(target("192.0.2.2"), bench.now);
    CHECK(bench.records.take().empty());
}

TEST_CASE("hold_reports: the ban may be reported before the hold, and be of another size") {
    Reports bench;
    bench.reports.note_ban(target("2001:db8::7"), bench.now);
    bench.pass(milliseconds(1500));
    bench.reports.take_held(target("2001:db8::/64"), bench.now);
    CHECK(bench.records.take() ==
          Texts{"2001:db8::/64 " + kHeld, "2001:db8::/64 confirmed: a ban followed: 2001:db8::7"});
    // But not long before.
    bench.pass(milliseconds(500));
    bench.reports.take_held(target("2001:db8::/64"), bench.now);
    CHECK(bench.records.take() == Texts{"2001:db8::/64 " + kHeld});
    bench.pass(seconds(2));
    CHECK(bench.records.take() == Texts{"2001:db8::/64 " + kLifted});
}

TEST_CASE("hold_reports: beyond the limit of a minute there is one sum") {
    Reports bench;
    const auto source = [](int i) {
        return base::Cidr(base::IpAddress::v4(
            {198, 51, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250)}));
    };
    for (int i = 0; i < 1000; ++i) {
        bench.reports.take_held(source(i), bench.now);
    }
    bench.reports.take_more(234, bench.now);
    CHECK(bench.records.take().size() == HoldReports::kMaxRecorded);
    bench.reports.note_ban(source(999), bench.now);
    bench.pass(seconds(2));
    // Each that has a record has one of its end.
    CHECK(bench.records.take().size() == HoldReports::kMaxRecorded);
    CHECK(bench.reports.counters() == HoldCounters{1234, 1, 999, 0});
    CHECK(bench.reports.next_due() == base::Timestamp(seconds(1'700'000'060)));
    bench.pass(seconds(58));
    CHECK(bench.records.take() ==
          Texts{"- held: 1174 more were held within a minute; 1 were confirmed, 939 were lifted"});
    CHECK_FALSE(bench.reports.next_due().has_value());
    bench.reports.take_held(source(1), bench.now);
    CHECK(bench.records.take().size() == 1);
}

TEST_CASE("hold_reports: holds beyond the table are counted, too") {
    Reports bench;
    for (std::uint32_t i = 0; i < HoldReports::kMaxKnown + 100; ++i) {
        bench.reports.take_held(
            base::Cidr(base::IpAddress::v4({10, static_cast<std::uint8_t>(i >> 16),
                                            static_cast<std::uint8_t>(i >> 8),
                                            static_cast<std::uint8_t>(i)})),
            bench.now);
    }
    CHECK(bench.reports.current() == HoldReports::kMaxKnown);
    CHECK(bench.reports.counters().held == HoldReports::kMaxKnown + 100);
}

TEST_CASE("hold_reports: a dry run says what would be held, and waits for nothing") {
    Reports bench;
    bench.reports.set({seconds(5), true});
    bench.reports.take_held(target("192.0.2.1"), bench.now);
    CHECK(bench.records.take() == Texts{"192.0.2.1 dry-run: would be held by the kernel for 5 s"});
    CHECK_FALSE(bench.reports.next_due().has_value());
    CHECK(bench.reports.counters() == HoldCounters{0, 0, 0, 1});
}

TEST_CASE("hold_reports: a spared source is recorded with the reason") {
    Reports bench;
    bench.reports.take_spared(target("192.0.2.1"), "nameserver", bench.now);
    CHECK(bench.records.take() ==
          Texts{"192.0.2.1 lifted: released from the kernel's hold: never blocked: nameserver"});
    CHECK(bench.reports.current() == 0);
}

TEST_CASE("hold_reports: a clock that is set back keeps no hold") {
    Reports bench;
    bench.reports.take_held(target("192.0.2.1"), bench.now);
    bench.records.take();
    bench.pass(-std::chrono::hours(1));
    CHECK(bench.records.take() == Texts{"192.0.2.1 " + kLifted});
}
