#include "engine/execd/record_limit.hpp"

#include "tests/support/fake_clock.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using std::chrono::seconds;

namespace {

struct Sink final : RecordSink {
    void write(const Record& record) override {
        bytes += to_log_line(record).size() + to_json_line(record).size() + 2;
        records.push_back(record);
    }
    std::size_t count(Outcome outcome) const {
        std::size_t found = 0;
        for (const auto& record : records) {
            found += record.outcome == outcome ? 1 : 0;
        }
        return found;
    }
    std::vector<Record> records;
    std::size_t bytes = 0;
};

Record record_of(Outcome outcome, base::Timestamp now) {
    Record record;
    record.time = now;
    record.outcome = outcome;
    return record;
}

}  // namespace

TEST_CASE("record_limit: a flood without effect is bounded, and one summary a minute counts it") {
    const test::FakeClock clock;
    Sink sink;
    RecordLimit limit(sink);
    for (int i = 0; i < 100'000; ++i) {
        limit.write(record_of(i % 2 == 0 ? Outcome::Deferred : Outcome::Refused, clock.now()));
    }
    CHECK(sink.records.size() == 600);
    CHECK(limit.next_due() == clock.now() + seconds(60));
    limit.tick(clock.now() + seconds(59));
    CHECK(sink.count(Outcome::Summary) == 0);
    limit.tick(clock.now() + seconds(60));
    REQUIRE(sink.count(Outcome::Summary) == 1);
    CHECK(
        sink.records.back().counts ==
        std::map<Outcome, std::uint64_t>{{Outcome::Refused, 49'700}, {Outcome::Deferred, 49'700}});
    CHECK(sink.records.back().reason ==
          "records that were left out within a minute, beyond the limit: 49700 refused, 49700 "
          "deferred");
    CHECK_FALSE(limit.next_due());
    limit.write(record_of(Outcome::Spared, clock.now() + seconds(61)));
    CHECK(sink.records.back().outcome == Outcome::Spared);
}

TEST_CASE("record_limit: long texts are bounded by bytes") {
    const test::FakeClock clock;
    Sink sink;
    RecordLimit limit(sink);
    for (int i = 0; i < 600; ++i) {
        auto record = record_of(Outcome::Refused, clock.now());
        record.filename = std::string(2000, '\x01');
        limit.write(record);
    }
    CHECK(sink.bytes <= RecordLimit::Limits().bytes);
    CHECK(sink.bytes > RecordLimit::Limits().bytes * 9 / 10);
}

TEST_CASE("record_limit: what has an effect is always written, a repeated one within the limit") {
    const test::FakeClock clock;
    Sink sink;
    RecordLimit limit(sink, {5, 100'000, 1, 1, 1000});
    for (const auto outcome :
         {Outcome::Executed, Outcome::Undone, Outcome::Failed, Outcome::DryRun, Outcome::Alarm}) {
        for (int i = 0; i < 10; ++i) {
            limit.write(record_of(outcome, clock.now()));
        }
    }
    CHECK(sink.records.size() == 50);
    for (int i = 0; i < 10; ++i) {
        auto record = record_of(Outcome::Executed, clock.now());
        record.is_repeat = true;
        limit.write(record);
    }
    CHECK(sink.records.size() == 55);
    for (int i = 0; i < 10; ++i) {
        auto record = record_of(Outcome::Spared, clock.now());
        record.asker = uid_t{0};
        limit.write(record);
    }
    CHECK(sink.records.size() == 65);
    // Messages of root that are none are bounded like those of other users.
    for (int i = 0; i < 1000; ++i) {
        auto record = record_of(Outcome::Refused, clock.now());
        record.asker = uid_t{0};
        limit.write(record);
    }
    CHECK(sink.records.size() == 66);
}

TEST_CASE("record_limit: one uid takes no room of another one or of the engine") {
    const test::FakeClock clock;
    Sink sink;
    RecordLimit limit(sink, {2, 100'000, 3, 5, 100'000});
    const auto write = [&](std::optional<uid_t> uid) {
        auto record = record_of(Outcome::Refused, clock.now());
        record.asker = uid;
        limit.write(record);
    };
    for (int i = 0; i < 1000; ++i) {
        write(uid_t{1000});
    }
    CHECK(sink.records.size() == 3);
    write(uid_t{1001});
    write(std::nullopt);
    CHECK(sink.records.size() == 5);
    for (uid_t uid = 2000; uid < 3000; ++uid) {
        write(uid);
    }
    CHECK(sink.records.size() == 6);  // five of all uids together
    limit.tick(clock.now() + seconds(60));
    CHECK(sink.records.back().reason.find("997 about uid 1000") != std::string::npos);
    CHECK(sink.records.back().reason.size() < 300);
}

TEST_CASE("record_limit: a clock that is set back ends the minute, a late record does not") {
    const test::FakeClock clock;
    Sink sink;
    RecordLimit limit(sink, {1, 100'000, 1, 1, 1000});
    limit.write(record_of(Outcome::Refused, clock.now()));
    limit.write(record_of(Outcome::Refused, clock.now() - seconds(30)));
    CHECK(sink.records.size() == 1);
    limit.tick(clock.now() - seconds(3600));
    CHECK(sink.count(Outcome::Summary) == 1);
    limit.write(record_of(Outcome::Refused, clock.now() - seconds(3600)));
    CHECK(sink.count(Outcome::Refused) == 2);
}

TEST_CASE("record_limit: the end of a limit writes the counts of missing records") {
    const test::FakeClock clock;
    Sink sink;
    {
        RecordLimit limit(sink, {1, 100'000, 1, 1, 1000});
        limit.write(record_of(Outcome::Refused, clock.now()));
        limit.write(record_of(Outcome::Refused, clock.now()));
    }
    CHECK(sink.count(Outcome::Summary) == 1);
}
