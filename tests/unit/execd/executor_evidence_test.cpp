// Graded evidence: soft and hard bans, the age of evidence, and what waits for room.
#include "engine/execd/executor.hpp"
#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using base::BlockChoice;
using base::BlockKind;
using base::Evidence;
using execd_test::Bench;
using execd_test::graded;
using execd_test::test_config;
using execd_test::Texts;
using std::chrono::seconds;

namespace {

std::int64_t unix_seconds(const Bench& bench) {
    return std::chrono::floor<seconds>(bench.clock.now().time_since_epoch()).count();
}

std::string address_of(int number) {
    return "198.18." + std::to_string(number / 250) + "." + std::to_string(number % 250);
}

base::BanRow only_row(const Bench& bench) {
    const auto rows = bench.executor->list({}).bans;
    REQUIRE(rows.size() == 1);
    return rows.front();
}

}  // namespace

TEST_CASE("executor: the kind of block and its time follow the grade and <block>") {
    const struct {
        BlockChoice block;
        int forgeable_timeout;
        Evidence evidence;
        const char* job;  // nullptr = none
    } rows[] = {
        {BlockChoice::Auto, 120, Evidence::Proven, "add 192.0.2.1 600"},
        {BlockChoice::Auto, 120, Evidence::Forgeable, "add 192.0.2.1 120 soft"},
        {BlockChoice::Auto, 0, Evidence::Forgeable, "add 192.0.2.1 600 soft"},
        {BlockChoice::Auto, 120, Evidence::Doubtful, nullptr},
        {BlockChoice::Hard, 0, Evidence::Forgeable, "add 192.0.2.1 600"},
        {BlockChoice::Hard, 120, Evidence::Forgeable, "add 192.0.2.1 120"},
        {BlockChoice::Hard, 120, Evidence::Doubtful, "add 192.0.2.1 120"},
        {BlockChoice::Soft, 120, Evidence::Proven, "add 192.0.2.1 600 soft"},
        {BlockChoice::Soft, 120, Evidence::Forgeable, "add 192.0.2.1 120 soft"},
    };
    for (const auto& row : rows) {
        CAPTURE(base::word_of(row.block), row.forgeable_timeout, base::word_of(row.evidence));
        auto config = test_config();
        config.bindings = {
            {"firewall-drop", seconds(600), row.block, seconds(row.forgeable_timeout)}};
        Bench bench(config);
        base::RespondRequest request;
        request.command = "firewall-drop";
        request.timeout = seconds(600);
        request.srcip = "192.0.2.1";
        request.evidence = row.evidence;
        request.block = row.block;
        request.forgeable_timeout = seconds(row.forgeable_timeout);
        bench.executor->respond(request, bench.clock.now());
        const bool is_banned = row.job != nullptr;
        CHECK(bench.runner.take() == (is_banned ? Texts{row.job} : Texts{}));
        CHECK(bench.executor->ban_count() == (is_banned ? 1 : 0));
        CHECK(bench.records.texts.size() == 1);
        CHECK(bench.records.last.outcome == (is_banned ? Outcome::Executed : Outcome::Reported));
        CHECK(bench.records.last.evidence == row.evidence);
    }
}

TEST_CASE("executor: a request that differs from its binding in <block> or its time is refused") {
    auto config = test_config();
    config.bindings = {{"firewall-drop", seconds(600), BlockChoice::Auto, seconds(120)}};
    Bench bench(config);
    bench.respond("firewall-drop", "192.0.2.1");  // hard, and no time for what is forgeable
    CHECK(bench.executor->ban_count() == 0);
    CHECK(bench.records.last.outcome == Outcome::Refused);
    CHECK(bench.records.last.steps == Texts{"configured: no"});
}

TEST_CASE("executor: a scan of a source with an open connection does not cut that connection") {
    const struct {
        BlockChoice block;
        bool of_packets;
        bool is_connected;
        const char* job;
    } rows[] = {
        {BlockChoice::Auto, true, true, "add 192.0.2.1 600 soft"},
        {BlockChoice::Auto, true, false, "add 192.0.2.1 600"},
        {BlockChoice::Auto, false, true, "add 192.0.2.1 600"},  // what a service logged
        {BlockChoice::Hard, true, true, "add 192.0.2.1 600"},
    };
    for (const auto& row : rows) {
        CAPTURE(base::word_of(row.block), row.of_packets, row.is_connected);
        auto config = test_config();
        config.bindings = {{"firewall-drop", seconds(600), row.block, seconds(120)}};
        Bench bench(config);
        if (row.is_connected) {
            bench.protection.connected.insert("192.0.2.1");
        }
        base::RespondRequest request;
        request.command = "firewall-drop";
        request.timeout = seconds(600);
        request.srcip = "192.0.2.1";
        request.evidence = Evidence::Proven;
        request.of_packets = row.of_packets;
        request.block = row.block;
        request.forgeable_timeout = seconds(120);
        bench.executor->respond(request, bench.clock.now());
        CHECK(bench.runner.take() == Texts{row.job});
    }
    // The connection of a source that is blocked hard is dead, however long it is remembered.
    Bench bench(graded());
    base::RespondRequest request;
    request.command = "firewall-drop";
    request.timeout = seconds(600);
    request.srcip = "192.0.2.1";
    request.of_packets = true;
    request.block = BlockChoice::Auto;
    request.forgeable_timeout = seconds(120);
    bench.executor->respond(request, bench.clock.now());
    bench.protection.connected.insert("192.0.2.1");
    bench.pass(seconds(300));
    bench.runner.take();
    bench.executor->respond(request, bench.clock.now());
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});
}

TEST_CASE("executor: doubtful evidence neither bans nor prolongs") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.pass(seconds(100));
    bench.report("192.0.2.1", Evidence::Doubtful);
    CHECK(bench.records.take().back() ==
          "192.0.2.1 reported: the evidence is doubtful, so nothing is blocked");
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 120 soft"});
    bench.pass(seconds(20));
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: a soft ban is renewed while the scan continues, and ends after it") {
    Bench bench(graded());
    for (int i = 0; i < 30; ++i) {
        bench.report("192.0.2.1", Evidence::Forgeable);
        CHECK(bench.runner.take() == Texts{"add 192.0.2.1 120 soft"});
        bench.pass(seconds(10));
    }
    bench.pass(seconds(109));
    CHECK(bench.executor->ban_count() == 1);
    bench.pass(seconds(1));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: a soft ban becomes hard when proof comes, and not the other way round") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.pass(seconds(10));
    bench.report("192.0.2.1", Evidence::Proven);
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 120 soft", "add 192.0.2.1 600"});
    CHECK(bench.records.take().back() == "192.0.2.1 executed: blocked hard now for 600 s");
    CHECK(only_row(bench).block == BlockKind::Hard);
    CHECK(only_row(bench).evidence == Evidence::Proven);
    bench.pass(seconds(10));
    bench.report("192.0.2.1", Evidence::Forgeable);
    CHECK(bench.runner.take().empty());
    CHECK(bench.records.take() == Texts{"192.0.2.1 unchanged: blocked already, for 590 s more"});
    CHECK(only_row(bench).block == BlockKind::Hard);
    CHECK(only_row(bench).evidence == Evidence::Proven);
}

TEST_CASE("executor: forgeable packets do not make a hard ban longer, but a soft one follows it") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Proven);
    for (int i = 0; i < 59; ++i) {
        bench.pass(seconds(10));
        bench.report("192.0.2.1", Evidence::Forgeable);
    }
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});
    CHECK(bench.records.take().back() ==
          "192.0.2.1 executed: blocked hard for 10 s more, then softly for 110 s");
    bench.start();  // so says the journal
    bench.pass(seconds(10));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 110 soft"});
    CHECK(bench.records.take() == Texts{"192.0.2.1 executed: the hard block is over, a soft one "
                                        "follows for 110 s"});
    CHECK(only_row(bench).block == BlockKind::Soft);
    bench.report("192.0.2.1", Evidence::Forgeable);  // the scan continues
    bench.pass(seconds(110));
    CHECK(bench.executor->ban_count() == 1);
    bench.pass(seconds(10));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 120 soft", "delete 192.0.2.1"});
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: a hard ban that ended while execd was down is followed by its soft one") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Proven);
    bench.pass(seconds(590));
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.runner.take();
    bench.clock.advance(seconds(20));
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 100 soft"});
    bench.clock.advance(seconds(100));
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: a script's soft ban becomes hard by delete and add at once") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Forgeable, 0, "script-drop");
    bench.pass(seconds(10));
    bench.report("192.0.2.1", Evidence::Proven, 0, "script-drop");
    bench.pass(seconds(0));
    CHECK(bench.runner.take() ==
          Texts{"add 192.0.2.1 120 soft", "delete 192.0.2.1", "add 192.0.2.1 600"});
}

TEST_CASE("executor: a hardening that fails leaves the soft ban with its end") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.runner.result = {false, "the set is full"};
    bench.report("192.0.2.1", Evidence::Proven);
    CHECK(bench.records.take().back() == "192.0.2.1 failed: the set is full");
    CHECK(only_row(bench).block == BlockKind::Soft);
    bench.start();
    CHECK(only_row(bench).block == BlockKind::Soft);
    CHECK(bench.executor->next_due() == bench.clock.now() + seconds(120));
}

TEST_CASE("executor: by hand a soft ban becomes hard, and nothing follows it") {
    Bench bench(graded());
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.ban("192.0.2.1", 60);
    CHECK(bench.runner.take().back() == "add 192.0.2.1 60");
    bench.pass(seconds(60));
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: a responder that knows no soft block is given one, and the record is true") {
    Bench bench(graded());
    bench.runner.result.block = BlockKind::Hard;
    bench.report("192.0.2.1", Evidence::Forgeable);
    CHECK(bench.records.last.block == BlockKind::Hard);
    CHECK(bench.records.last.steps.back() == "responder: knows no soft block");
    CHECK(only_row(bench).block == BlockKind::Hard);
    bench.start();
    CHECK(only_row(bench).block == BlockKind::Hard);
}

TEST_CASE("executor: only proven offences are steps, and forged ones get none") {
    auto config = graded();
    config.repeated_offenders = {std::chrono::minutes(30), std::chrono::minutes(60)};
    Bench bench(config);
    for (int i = 0; i < 3; ++i) {
        bench.report("192.0.2.1", Evidence::Forgeable);
        bench.pass(seconds(121));
    }
    bench.runner.take();
    bench.report("192.0.2.1", Evidence::Proven);
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});  // the first offence
    bench.pass(seconds(600));
    bench.runner.take();
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.report("192.0.2.1", Evidence::Proven);
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 120 soft", "add 192.0.2.1 1800"});
    bench.pass(seconds(1000));
    bench.report("192.0.2.1", Evidence::Forgeable);
    CHECK(bench.runner.take().empty());
    bench.pass(seconds(800));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: a ban counts from its evidence, and old evidence blocks nothing") {
    const struct {
        int age;
        Evidence evidence;
        const char* job;  // nullptr = none
    } rows[] = {
        {0, Evidence::Proven, "add 192.0.2.1 600"},
        {100, Evidence::Proven, "add 192.0.2.1 501"},
        {600, Evidence::Proven, "add 192.0.2.1 1"},
        {601, Evidence::Proven, nullptr},
        {100, Evidence::Forgeable, "add 192.0.2.1 21 soft"},
        {121, Evidence::Forgeable, nullptr},
        {-3600, Evidence::Proven, "add 192.0.2.1 600"},
        {1'000'000, Evidence::Proven, nullptr},
    };
    for (const auto& row : rows) {
        CAPTURE(row.age, base::word_of(row.evidence));
        Bench bench(graded());
        bench.report("192.0.2.1", row.evidence, unix_seconds(bench) - row.age);
        CHECK(bench.runner.take() == (row.job != nullptr ? Texts{row.job} : Texts{}));
        CHECK(bench.records.last.outcome ==
              (row.job != nullptr ? Outcome::Executed : Outcome::Expired));
    }
}

TEST_CASE("executor: requests that waited for too long neither ban nor prolong") {
    Bench bench(graded());
    const auto read_at = unix_seconds(bench);
    bench.report("192.0.2.1", Evidence::Proven, read_at);
    bench.clock.advance(seconds(300));
    bench.report("192.0.2.1", Evidence::Proven, read_at);
    bench.pass(seconds(301));
    CHECK(bench.executor->ban_count() == 0);
    bench.report("192.0.2.1", Evidence::Proven, read_at);
    CHECK(bench.executor->ban_count() == 0);
    CHECK(bench.records.take().back() ==
          "192.0.2.1 expired: the evidence is 600 s old, and the ban would be over after 600 s: "
          "nothing is blocked");
}

TEST_CASE("executor: a step of the clock does not change the age of evidence") {
    for (const auto jump : {seconds(86400), seconds(-86400)}) {
        CAPTURE(jump.count());
        Bench bench(graded());
        const auto before = unix_seconds(bench);
        bench.clock.advance(seconds(100));
        bench.clock.advance(jump);
        bench.executor->clock_jumped(jump, bench.clock.now());
        bench.clock.advance(seconds(60));
        bench.report("192.0.2.1", Evidence::Proven, before);
        bench.report("192.0.2.2", Evidence::Proven, unix_seconds(bench) - 50);
        bench.report("192.0.2.3", Evidence::Proven, before - 600);
        bench.report("192.0.2.4", Evidence::Proven, unix_seconds(bench));
        CHECK(bench.runner.take() ==
              Texts{"add 192.0.2.1 441", "add 192.0.2.2 551", "add 192.0.2.4 600"});
    }
}

TEST_CASE("executor: a record holds the steps, and the last one decided") {
    auto config = graded();
    config.max_bans_per_minute = 4;
    Bench bench(config);
    bench.report("192.0.2.1", Evidence::Forgeable, unix_seconds(bench) - 31);
    CHECK(bench.records.last.steps == Texts{"configured: firewall-drop, 600 s",
                                            "address: 192.0.2.1",
                                            "grade: forgeable \u2192 soft, 120 s", "age: 30 s",
                                            "protected: no", "limit: 1 of 4"});
    bench.report("192.0.2.1", Evidence::Proven);
    CHECK(bench.records.last.steps.back() == "banned: softly, and now there is proof");
    bench.protection.reasons["192.0.2.2"] = "own address";
    bench.report("192.0.2.2", Evidence::Proven);
    CHECK(bench.records.last.steps.back() == "protected: own address");
    bench.report("192.0.2.3", Evidence::Doubtful);
    CHECK(bench.records.last.steps.back() == "grade: doubtful \u2192 no block");
    bench.report("192.0.2.4", Evidence::Proven, 1000);
    CHECK(bench.records.last.steps.back().find("too old") != std::string::npos);
    for (int i = 0; i < 20; ++i) {
        bench.report(address_of(i), Evidence::Forgeable);
    }
    CHECK(bench.records.last.steps.back() ==
          "deferred: the share of forgeable evidence in max_bans_per_minute (4) is reached");
}

TEST_CASE("executor: forgeable evidence cannot use up the room of proven evidence") {
    auto config = graded();
    config.max_bans_per_minute = 40;
    Bench bench(config);
    for (int i = 0; i < 1000; ++i) {
        bench.report(address_of(i), Evidence::Forgeable);
    }
    // 10 for 120 s, and 40 for the price of 10 and a quarter of the time.
    auto jobs = bench.runner.take();
    CHECK(jobs.size() == 50);
    CHECK(jobs[9] == "add " + address_of(9) + " 120 soft");
    CHECK(jobs[10] == "add " + address_of(10) + " 30 soft");
    bench.records.take();
    for (int i = 0; i < 21; ++i) {
        bench.report("192.0.2." + std::to_string(i), Evidence::Proven);
    }
    jobs = bench.runner.take();
    REQUIRE(jobs.size() == 20);  // half of the budget
    CHECK(jobs.back() == "add 192.0.2.19 600");
    CHECK(bench.records.take().back() ==
          "192.0.2.20 deferred: max_bans_per_minute (40) is reached");
}

TEST_CASE("executor: an address that is reported again is blocked before others") {
    auto config = graded();
    config.max_bans_per_minute = 40;
    Bench bench(config);
    int number = 0;
    const auto flood = [&](int count) {
        for (int i = 0; i < count; ++i) {
            bench.report(address_of(number++ % 60'000), Evidence::Forgeable);
        }
    };
    flood(100);
    bench.report("192.0.2.1", Evidence::Forgeable);
    CHECK(bench.records.last.outcome == Outcome::Deferred);
    flood(20'000);  // more than are remembered by name
    bench.runner.take();
    bench.pass(seconds(10));
    bench.report("192.0.2.1", Evidence::Forgeable);
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 30 soft"});
    bench.pass(seconds(10));
    bench.report("192.0.2.1", Evidence::Forgeable);
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 120 soft"});  // renewed for its whole time
}

TEST_CASE("executor: deferred requests are banned when there is room, the loudest first") {
    auto config = graded();
    config.max_bans_per_minute = 1;
    Bench bench(config);
    bench.report("192.0.2.9", Evidence::Proven);
    bench.report("192.0.2.1", Evidence::Forgeable);
    bench.report("192.0.2.2", Evidence::Forgeable);
    bench.report("192.0.2.2", Evidence::Forgeable);
    bench.report("192.0.2.3", Evidence::Proven);
    bench.report("192.0.2.4", Evidence::Doubtful);
    CHECK(bench.executor->deferred_count() == 3);
    bench.runner.take();
    Texts order;
    for (int i = 0; i < 400; ++i) {
        bench.pass(seconds(1));
        for (const auto& job : bench.runner.take()) {
            if (job.substr(0, 3) == "add") {
                order.push_back(job);
            }
        }
    }
    // 192.0.2.3 takes the whole budget of the second minute; its ban counts from its evidence.
    CHECK(order == Texts{"add 192.0.2.3 540"});
    const auto texts = bench.records.take();
    CHECK(std::count(texts.begin(), texts.end(),
                     "192.0.2.1 expired: the evidence is 120 s old, and the ban would be over "
                     "after 120 s: nothing is blocked") == 1);
    CHECK(bench.executor->deferred_count() == 0);
    CHECK(bench.executor->next_due() == bench.clock.now() + seconds(200));
}

TEST_CASE("executor: of deferred requests, more ports are louder than more reports") {
    auto config = graded();
    config.max_bans_per_minute = 0;
    Bench bench(config);
    const auto report = [&](const char* address, Evidence evidence, int ports) {
        bench.report(address, evidence, 0, "firewall-drop", ports);
    };
    report("192.0.2.1", Evidence::Forgeable, 10);
    report("192.0.2.2", Evidence::Forgeable, 5);
    report("192.0.2.2", Evidence::Forgeable, 4);
    report("192.0.2.3", Evidence::Forgeable, 6);
    report("192.0.2.3", Evidence::Forgeable, 6);
    report("192.0.2.4", Evidence::Proven, 1);
    CHECK(bench.executor->deferred_count() == 4);
    bench.config.max_bans_per_minute = 8;
    bench.executor->set_config(bench.config);
    bench.pass(seconds(1));
    Texts order;
    for (const auto& job : bench.runner.take()) {
        order.push_back(job.substr(0, 13));
    }
    CHECK(order == Texts{"add 192.0.2.4", "add 192.0.2.3", "add 192.0.2.1", "add 192.0.2.2"});
}

TEST_CASE("executor: one deferred request is kept for each address, and their number is bounded") {
    auto config = graded();
    config.max_bans_per_minute = 0;
    Bench bench(config);
    for (int i = 0; i < 100; ++i) {
        bench.report("192.0.2.1", Evidence::Forgeable);
    }
    CHECK(bench.executor->deferred_count() == 1);
    for (int i = 0; i < 10'000; ++i) {
        bench.report(address_of(i), Evidence::Forgeable);
    }
    CHECK(bench.executor->deferred_count() == DeferredRequests::kMost);
    bench.config.max_bans_per_minute = 1;
    bench.executor->set_config(bench.config);
    bench.pass(seconds(1));
    CHECK(bench.runner.take().front() == "add 192.0.2.1 30 soft");  // the loudest is still there
}

TEST_CASE("executor: a deferred request is checked again before it is banned") {
    auto config = graded();
    config.max_bans_per_minute = 1;
    Bench bench(config);
    for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}) {
        bench.report(address, Evidence::Proven);
    }
    bench.runner.take();
    bench.protection.reasons["192.0.2.4"] = "own address";
    CHECK(bench.unban("192.0.2.3").text == "1 deferred request dropped");
    bench.pass(seconds(60));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.2 540"});
    CHECK(bench.records.last.steps[bench.records.last.steps.size() - 3] ==
          "made up for after 60 s");
    bench.report("192.0.2.5", Evidence::Proven);
    bench.config.bindings.clear();
    bench.executor->set_config(bench.config);
    bench.pass(seconds(60));
    CHECK(bench.runner.take().empty());
    CHECK(bench.records.last.outcome == Outcome::Refused);
    CHECK(bench.executor->deferred_count() == 0);
}

TEST_CASE("executor: a flush drops deferred requests") {
    auto config = graded();
    config.max_bans_per_minute = 1;
    Bench bench(config);
    bench.report("192.0.2.1", Evidence::Proven);
    bench.report("192.0.2.2", Evidence::Proven);
    CHECK(bench.flush().text == "1 ban undone, 1 deferred request dropped");
    bench.runner.take();
    bench.pass(seconds(60));
    CHECK(bench.runner.take().empty());
}
