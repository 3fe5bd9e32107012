#include "sensor/track/source_table.hpp"

using namespace portcullis::sensor_track;
using portcullis::base::IpAddress;

namespace {

constexpr Second kStart = 1'700'000'000;

SourceIndex make(SourceTable& table, PairKey pair, Second second = kStart) {
    return table.make(pair, IpAddress(), IpAddress(), second);
}

// The pairs whose counters end at `second`, in order.
std::vector<PairKey> expire(SourceTable& table, Second second) {
    std::vector<PairKey> pairs;
    while (const auto ended = table.take_expired(second)) {
        pairs.push_back(ended->state.pair);
    }
    return pairs;
}

}  // namespace

TEST_CASE("source_table: a counter ends at its time, and its pair is dropped later") {
    SourceTable table(10);
    const SourceIndex one = make(table, 1);
    table.obtain_counter(one, ScanKind::PortScan, kStart + 50);
    table.obtain_counter(one, ScanKind::SynScan, kStart + 70);
    CHECK(expire(table, kStart + 49).empty());
    CHECK(expire(table, kStart + 50) == std::vector<PairKey>{1});
    CHECK(table.find_counter(one, ScanKind::PortScan) == nullptr);
    CHECK(table.find_counter(one, ScanKind::SynScan) != nullptr);
    CHECK(expire(table, kStart + 1000) == std::vector<PairKey>{1});
    CHECK(table.size() == 0);
    CHECK(table.find(1) == kNoIndex);
}

TEST_CASE("source_table: times beyond the wheel are kept, and a counter is prolonged") {
    SourceTable table(10);
    const SourceIndex one = make(table, 1);
    table.obtain_counter(one, ScanKind::SlowScan, kStart + 3600);
    CHECK(expire(table, kStart + 3599).empty());
    table.obtain_counter(one, ScanKind::SlowScan, kStart + 4000);
    CHECK(expire(table, kStart + 3999).empty());
    CHECK(expire(table, kStart + 4000) == std::vector<PairKey>{1});
}

TEST_CASE("source_table: the pair that was quiet longest is the victim, one that scans the last") {
    SourceTable table(3);
    const SourceIndex one = make(table, 1);
    const SourceIndex two = make(table, 2, kStart + 1);
    const SourceIndex three = make(table, 3, kStart + 2);
    CHECK_FALSE(table.has_room());
    CHECK(table.next_victim() == one);
    CHECK(table.next_victim(one) == two);
    table.mark_scanning(one);
    table.mark_seen(two, kStart + 3);
    CHECK(table.next_victim() == three);
    table.evict(three);
    CHECK(table.has_room());
    CHECK(table.next_victim(two) == one);
    table.evict(one);
    CHECK(table.evictions() == 2);
    CHECK(table.scan_evictions() == 1);
    CHECK(table.find(2) == two);
}

TEST_CASE("source_table: take_any ends every counter once and empties the table") {
    SourceTable table(10);
    for (PairKey pair = 1; pair <= 3; ++pair) {
        const SourceIndex index = make(table, pair);
        table.obtain_counter(index, ScanKind::PortScan, kStart + 50);
        table.obtain_counter(index, ScanKind::SynScan, kStart + 60);
    }
    std::size_t ended = 0;
    while (table.take_any()) {
        ++ended;
    }
    CHECK(ended == 6);
    CHECK(table.size() == 0);
    CHECK(table.next_sweep() == std::nullopt);
}

TEST_CASE("source_table: a dropped pair gives its extent back") {
    Extents extents(1);
    SourceTable table(10, &extents);
    const SourceIndex one = make(table, 1);
    table.at(one).extent = extents.take().value();
    CHECK_FALSE(extents.take());
    table.evict(one);
    CHECK(extents.take());
}
