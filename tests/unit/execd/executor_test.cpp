#include "engine/execd/executor.hpp"

#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using execd_test::Bench;
using execd_test::test_config;
using execd_test::Texts;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("executor: a response is executed, recorded, and undone when its time is over") {
    Bench bench;
    bench.respond("firewall-drop", "::ffff:192.0.2.1");
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});
    CHECK(bench.records.take() == Texts{"192.0.2.1 executed: blocked for 600 s"});
    CHECK(bench.executor->next_due() == bench.clock.now() + seconds(600));
    bench.pass(milliseconds(599'999));
    CHECK(bench.runner.take().empty());
    bench.pass(milliseconds(1));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    CHECK(bench.records.take() == Texts{"192.0.2.1 undone: timeout is over"});
    CHECK(bench.executor->ban_count() == 0);
    CHECK_FALSE(bench.executor->next_due().has_value());
}

TEST_CASE("executor: a request without a binding or without an IP address is refused") {
    const struct {
        const char* command;
        const char* address;
        int timeout;
        const char* user;
        const char* reason;
    } rows[] = {
        {"reboot", "192.0.2.1", 600, "-", "the configuration has no command of this name"},
        {"firewall-drop", "192.0.2.1", 601, "-",
         "no active-response of the configuration has this command, timeout and block"},
        {"firewall-drop", "mail.example.org", 600, "-", "srcip is not an IP address"},
        {"firewall-drop", "-", 600, "-", "srcip is not an IP address"},
        {"firewall-drop", "192.0.2.1; reboot", 600, "-", "srcip is not an IP address"},
        {"firewall-drop", "fe80::1%eth0", 600, "-", "srcip is not an IP address"},
        {"disable-account", "-", 60, "-", "the user is missing or no plain user name"},
        {"disable-account", "-", 60, "--help", "the user is missing or no plain user name"},
        {"disable-account", "-", 60, "a b", "the user is missing or no plain user name"},
        {"look-at", "-", 0, "-", "the file name is missing or holds control characters"},
    };
    Bench bench;
    for (const auto& row : rows) {
        CAPTURE(row.command, row.address, row.user);
        bench.respond(row.command, row.address, row.timeout, row.user);
        CHECK(bench.runner.take().empty());
        CHECK(bench.records.take() == Texts{std::string(row.address) + " refused: " + row.reason});
    }
}

TEST_CASE("executor: log text becomes harmless arguments") {
    Bench bench;
    base::RespondRequest request;
    request.command = "script-drop";
    request.timeout = seconds(600);
    request.srcip = "192.0.2.1";
    request.alert_id = "1.2\n";
    request.location = "--x $(reboot)\x1b[2J`";
    bench.executor->respond(request, bench.clock.now());
    CHECK(bench.runner.last.location == "_-x _(reboot)__2J_");
    CHECK(bench.runner.last.alert_id == "1.2_");
}

TEST_CASE("executor: a protected address is spared, also from a ban by hand") {
    Bench bench;
    bench.protection.reasons["192.0.2.1"] = "next hop of a route";
    bench.respond("firewall-drop", "192.0.2.1");
    const auto reply = bench.ban("192.0.2.1", 60);
    CHECK(bench.runner.take().empty());
    CHECK(bench.records.take() == Texts{"192.0.2.1 spared: never blocked: next hop of a route",
                                        "192.0.2.1 spared: never blocked: next hop of a route"});
    CHECK_FALSE(reply.ok);
    CHECK(reply.text == "192.0.2.1: spared: never blocked: next hop of a route");
}

TEST_CASE("executor: a ban is lifted when its address becomes protected") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("firewall-drop", "192.0.2.2");
    bench.runner.take();
    bench.records.take();
    bench.protection.reasons["192.0.2.1"] = "own address";
    bench.executor->lift_protected(bench.clock.now());
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    CHECK(bench.records.take() ==
          Texts{"192.0.2.1 undone: protected from now on: released (own address)"});
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: a repeated request prolongs the ban and renews the kernel's entry") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.pass(seconds(500));
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600", "add 192.0.2.1 600"});
    CHECK(bench.records.take().back() == "192.0.2.1 executed: prolonged for 600 s");
    bench.pass(seconds(599));
    CHECK(bench.runner.take().empty());
    bench.pass(seconds(1));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: by hand a ban can be made shorter, and the record says so") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.records.take();
    bench.executor->ban({"192.0.2.1", seconds(60)}, bench.clock.now(), {});
    CHECK(bench.records.take().back() == "192.0.2.1 executed: shortened, now for 60 s");
    bench.pass(seconds(60));
    CHECK(bench.runner.take().back() == "delete 192.0.2.1");
}

TEST_CASE("executor: a script is not run twice, but renewed before its own timeout runs out") {
    Bench bench;
    bench.respond("script-drop", "192.0.2.1");
    bench.pass(seconds(500));
    bench.respond("script-drop", "192.0.2.1");
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});
    bench.pass(seconds(99));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1", "add 192.0.2.1 501"});
    bench.pass(seconds(501));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: each user has a ban, also if the command expects no address") {
    Bench bench;
    bench.respond("disable-account", "-", 60, "alice");
    bench.respond("disable-account", "-", 60, "bob");
    CHECK(bench.runner.take() == Texts{"add alice 60", "add bob 60"});
    CHECK(bench.executor->ban_count() == 2);
}

TEST_CASE("executor: a command about nobody and without timeout runs each time") {
    Bench bench;
    bench.respond("restart", "-", 0);
    bench.respond("restart", "-", 0);
    CHECK(bench.runner.take().size() == 2);
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: a ban without timeout stays until it is lifted by hand") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1", 0);
    bench.pass(std::chrono::hours(24 * 365 * 20));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 0"});
    CHECK(bench.unban("192.0.2.1").ok);
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: repeated offenders are banned by the steps, also after the ban is over") {
    auto config = test_config();
    config.repeated_offenders = {std::chrono::minutes(30), std::chrono::minutes(60)};
    Bench bench(config);
    for (const char* expected : {"600", "1800", "3600", "3600"}) {
        bench.respond("firewall-drop", "192.0.2.1");
        CHECK(bench.runner.take() == Texts{std::string("add 192.0.2.1 ") + expected});
        bench.pass(seconds(3600));
        bench.runner.take();
        bench.start();  // the history is on disk
    }
}

TEST_CASE("executor: a scan that continues prolongs its ban, and does not count as an offence") {
    auto config = test_config();
    config.repeated_offenders = {std::chrono::minutes(30), std::chrono::minutes(60)};
    config.max_bans_per_minute = 1;
    Bench bench(config);
    bench.respond("firewall-drop", "192.0.2.1");
    for (int i = 0; i < 100; ++i) {
        bench.pass(seconds(10));
        bench.respond("firewall-drop", "192.0.2.1");
    }
    const auto jobs = bench.runner.take();
    CHECK(jobs.size() == 101);
    CHECK(std::count(jobs.begin(), jobs.end(), "add 192.0.2.1 600") == 101);
    bench.pass(seconds(599));
    CHECK(bench.runner.take().empty());
    bench.pass(seconds(2));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    // What comes after the release is a new ban, and the second offence.
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 1800"});
    // The step stays while that continues.
    bench.pass(seconds(1000));
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 1800"});
}

TEST_CASE("executor: a ban with less than a second left is not renewed without an end") {
    Bench bench;
    bench.runner.is_slow = true;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("firewall-drop", "192.0.2.1");  // while the first is under way
    bench.clock.advance(std::chrono::milliseconds(599'500));
    const auto waiting = std::exchange(bench.runner.waiting, {});
    for (const auto& answer : waiting) {
        answer(JobResult{true, {}});
    }
    bench.pass(std::chrono::milliseconds(1));
    const auto jobs = bench.runner.take();
    CHECK(jobs.front() == "add 192.0.2.1 600");
    CHECK(std::count(jobs.begin(), jobs.end(), "add 192.0.2.1 0") == 0);
}

TEST_CASE("executor: after each kind of end the next request bans again") {
    const struct {
        const char* what;
        void (*end)(Bench&);
    } rows[] = {
        {"release", [](Bench& bench) { bench.pass(seconds(601)); }},
        {"unban", [](Bench& bench) { CHECK(bench.unban("192.0.2.1").ok); }},
        {"flush", [](Bench& bench) { CHECK(bench.flush().ok); }},
        {"kill -9, and the release while it was down",
         [](Bench& bench) {
             bench.executor.reset();
             bench.clock.advance(seconds(601));
             bench.start();
             bench.pass(seconds(1));
         }},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        Bench bench;
        bench.respond("firewall-drop", "192.0.2.1");
        row.end(bench);
        bench.runner.take();
        bench.respond("firewall-drop", "192.0.2.1");
        CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});
        CHECK(bench.executor->ban_count() == 1);
    }
}

TEST_CASE("executor: a network is banned beside its addresses, and spared if one of them must be") {
    Bench bench;
    bench.protection.reasons["2001:db8:1:3::/64"] = "own address";
    bench.respond("firewall-drop", "2001:db8:1:2::/64");
    bench.respond("firewall-drop", "2001:db8:1:2::7");
    bench.respond("firewall-drop", "2001:db8:1:3::7/64");
    bench.respond("firewall-drop", "2001:db8::/32");
    bench.respond("firewall-drop", "192.0.2.0/24");
    CHECK(bench.runner.take() == Texts{"add 2001:db8:1:2::/64 600", "add 2001:db8:1:2::7 600"});
    CHECK(bench.records.take() == Texts{"2001:db8:1:2::/64 executed: blocked for 600 s",
                                        "2001:db8:1:2::7 executed: blocked for 600 s",
                                        "2001:db8:1:3::/64 spared: never blocked: own address",
                                        "2001:db8::/32 refused: srcip is not an IP address",
                                        "192.0.2.0/24 refused: srcip is not an IP address"});
    bench.start();
    CHECK(bench.unban("2001:db8:1:2::/64").ok);
    CHECK(bench.executor->ban_count() == 1);
    bench.pass(seconds(601));
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE(
    "executor: a release of an address ends the ban of the network that a response made of it") {
    Bench bench;
    bench.respond("firewall-drop", "2001:db8:1:2::/64");
    bench.runner.take();
    CHECK(bench.unban("2001:db8:1:3::7").text ==
          "2001:db8:1:3::7: unchanged: nothing to do, there is no ban of this address");
    CHECK(bench.unban("2001:db8:1:2::7").text == "1 ban undone");
    CHECK(bench.runner.take() == Texts{"delete 2001:db8:1:2::/64"});
    CHECK(bench.executor->ban_count() == 0);
    // Who bans a network by hand releases the network.
    CHECK(bench.ban("192.0.2.0/24", 60).ok);
    bench.respond("firewall-drop", "192.0.2.7");
    auto reply = bench.unban("192.0.2.7");
    CHECK_FALSE(reply.ok);
    CHECK(reply.text == "1 ban undone, it is still blocked as part of 192.0.2.0/24: unban that");
    reply = bench.unban("192.0.2.7");
    CHECK_FALSE(reply.ok);
    CHECK(reply.text ==
          "192.0.2.7: failed: there is no ban of this address alone, but it is still blocked as "
          "part of 192.0.2.0/24: unban that");
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: a ban by hand beyond max_bans is refused, since nothing waits for it") {
    auto config = test_config();
    config.max_bans = 1;
    Bench bench(config);
    CHECK(bench.ban("192.0.2.1", 60).ok);
    CHECK(bench.ban("192.0.2.2", 60).text == "192.0.2.2: refused: max_bans (1) is reached");
    CHECK(bench.executor->deferred_count() == 0);
}

TEST_CASE("executor: beyond max_bans_per_minute bans wait, and there is one loud message") {
    auto config = test_config();
    config.max_bans_per_minute = 2;
    Bench bench(config);
    for (int i = 1; i <= 5; ++i) {
        bench.respond("firewall-drop", "192.0.2." + std::to_string(i));
    }
    CHECK(bench.runner.take().size() == 2);
    CHECK(bench.records.take() == Texts{"192.0.2.1 executed: blocked for 600 s",
                                        "192.0.2.2 executed: blocked for 600 s",
                                        "- alarm: max_bans_per_minute (2) is reached",
                                        "192.0.2.3 deferred: max_bans_per_minute (2) is reached",
                                        "192.0.2.4 deferred: max_bans_per_minute (2) is reached",
                                        "192.0.2.5 deferred: max_bans_per_minute (2) is reached"});
    CHECK(bench.ban("192.0.2.6", 60).ok);         // the administrator may
    bench.respond("firewall-drop", "192.0.2.1");  // no new ban
    CHECK(bench.runner.take().size() == 2);
    bench.records.take();
    bench.pass(seconds(60));
    CHECK(bench.runner.take() ==
          Texts{"delete 192.0.2.6", "add 192.0.2.5 540", "add 192.0.2.4 540"});
    bench.records.take();
    CHECK(bench.executor->deferred_count() == 1);
    bench.pass(seconds(60));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.3 480"});
}

TEST_CASE("executor: beyond max_bans no address is banned until one is released") {
    auto config = test_config();
    config.max_bans = 1;
    Bench bench(config);
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("firewall-drop", "192.0.2.2");
    CHECK(bench.records.take().back() == "192.0.2.2 deferred: max_bans (1) is reached");
    bench.unban("192.0.2.1");
    bench.pass(seconds(1));
    CHECK(bench.runner.take().back() == "add 192.0.2.2 599");
}

TEST_CASE("executor: a dry run records everything and runs nothing") {
    auto config = test_config();
    config.dry_run = true;
    Bench bench(config);
    bench.respond("firewall-drop", "192.0.2.1");
    bench.pass(seconds(600));
    CHECK(bench.runner.take().empty());
    CHECK(bench.records.take() ==
          Texts{"192.0.2.1 dry-run: would be blocked for 600 s (dry run: no command was run)",
                "192.0.2.1 dry-run: timeout is over (dry run: no command was run)"});
}

TEST_CASE("executor: a dry run still undoes real bans") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.take();
    bench.config.dry_run = true;
    bench.start();
    bench.executor->restore(bench.clock.now());
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.runner.take().empty());
    bench.pass(seconds(600));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: after kill -9 live bans are applied for the time left, dead ones undone") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("script-drop", "192.0.2.2");
    bench.pass(seconds(300));
    bench.respond("firewall-drop", "192.0.2.3");
    bench.runner.take();
    bench.records.take();

    bench.clock.advance(seconds(100));
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.runner.take() ==
          Texts{"delete 192.0.2.2", "add 192.0.2.2 200", "add 192.0.2.1 200", "add 192.0.2.3 500"});

    bench.clock.advance(seconds(200));
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.runner.take() ==
          Texts{"delete 192.0.2.2", "delete 192.0.2.1", "add 192.0.2.3 300"});
    CHECK(bench.records.take() ==
          Texts{"192.0.2.2 undone: its time was over while execd was not running",
                "192.0.2.1 undone: its time was over while execd was not running"});
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: an address that became protected meanwhile is not blocked at the start") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("firewall-drop", "192.0.2.2");
    bench.runner.take();
    bench.records.take();
    bench.protection.reasons["192.0.2.1"] = "own address";
    bench.runner.is_slow = true;  // the undo is under way while the other ban is applied again
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1", "add 192.0.2.2 600"});
    CHECK(bench.executor->ban_count() == 2);
}

TEST_CASE("executor: a crash between the journal and the command loses no ban") {
    Bench bench;
    bench.runner.is_slow = true;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.waiting.clear();  // its result never came
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.executor->ban_count() == 1);
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600", "add 192.0.2.1 600"});
}

TEST_CASE("executor: a clock that was set back does not make a ban longer than its timeout") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.clock.advance(-std::chrono::hours(24));
    bench.start();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.executor->next_due() == bench.clock.now() + seconds(600));
}

TEST_CASE("executor: a ban that the responder refuses is not listed") {
    Bench bench;
    bench.runner.result = {false, "no CAP_NET_ADMIN"};
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.records.take() == Texts{"192.0.2.1 failed: no CAP_NET_ADMIN"});
    CHECK(bench.executor->ban_count() == 0);
    bench.runner.result = {};
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: an undo that fails is tried again until it succeeds") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.records.take();
    bench.runner.result = {false, "busy"};
    bench.pass(seconds(600));
    bench.pass(seconds(1));
    bench.pass(seconds(2));
    CHECK(bench.executor->ban_count() == 1);
    bench.runner.result = {};
    bench.pass(seconds(4));
    CHECK(bench.records.take() ==
          Texts{"192.0.2.1 failed: cannot be undone yet, trying again: busy",
                "192.0.2.1 undone: timeout is over"});
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: an offence while the undo is under way begins a new ban") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.is_slow = true;
    bench.pass(seconds(600));
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.answer_all();
    CHECK(bench.runner.take() ==
          Texts{"add 192.0.2.1 600", "delete 192.0.2.1", "add 192.0.2.1 600"});
    CHECK(bench.executor->ban_count() == 1);
    bench.start();
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: the administrator's requests are carried out and answered") {
    Bench bench;
    CHECK(bench.ban("2001:DB8::1", 60).text == "2001:db8::1: executed: banned by hand for 60 s");
    CHECK(bench.ban("localhost", 60).text == "localhost: refused: not an IP address");
    const auto nothing = bench.unban("192.0.2.9");
    CHECK(nothing.ok);
    CHECK(nothing.text == "192.0.2.9: unchanged: nothing to do, there is no ban of this address");
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("script-drop", "192.0.2.1");
    bench.runner.take();
    CHECK(bench.unban("192.0.2.1").text == "2 bans undone");
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1", "delete 192.0.2.1"});
    CHECK(bench.flush().text == "1 ban undone");
    CHECK(bench.flush().text == "there are no bans");
}

TEST_CASE("executor: a flush is answered when the last undo is real") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("firewall-drop", "192.0.2.2");
    bench.runner.is_slow = true;
    base::Reply reply;
    bench.executor->flush(bench.clock.now(), [&](const base::Reply& got) { reply = got; });
    CHECK(reply.text.empty());
    bench.runner.answer_all();
    CHECK(reply.text == "2 bans undone");
}

TEST_CASE("executor: the list is paged and complete") {
    auto config = test_config();
    config.max_bans_per_minute = 1000;
    Bench bench(config);
    for (int i = 0; i < 200; ++i) {
        bench.respond("firewall-drop", "198.51.100." + std::to_string(i));
    }
    std::set<std::string> addresses;
    base::ListRequest request;
    int pages = 0;
    do {
        const auto reply = bench.executor->list(request);
        CHECK(base::encode(reply).size() <= base::kMaxMessageSize);
        for (const auto& row : reply.bans) {
            CHECK(row.until - row.since == 600);
            CHECK(addresses.insert(row.address).second);
        }
        request.after = reply.next;
        ++pages;
    } while (!request.after.empty() && pages < 100);
    CHECK(addresses.size() == 200);
    CHECK(pages > 3);
}

TEST_CASE("executor: a step of the clock leaves every ban the time that it had left") {
    const std::chrono::nanoseconds jumps[] = {std::chrono::hours(24 * 365 * 30),
                                              -std::chrono::hours(24 * 365)};
    for (const auto jump : jumps) {
        CAPTURE(jump.count());
        Bench bench;
        bench.respond("firewall-drop", "192.0.2.1");
        bench.respond("script-drop", "192.0.2.2");
        bench.respond("firewall-drop", "192.0.2.3", 0);
        bench.pass(seconds(100));
        bench.runner.take();
        bench.clock.advance(jump);
        bench.executor->clock_jumped(jump, bench.clock.now());
        bench.pass(seconds(499));
        CHECK(bench.runner.take().empty());
        bench.start();  // the journal has the new times
        bench.pass(seconds(1));
        CHECK(bench.runner.take() == Texts{"delete 192.0.2.2", "delete 192.0.2.1"});
        CHECK(bench.executor->ban_count() == 1);
    }
}

TEST_CASE("executor: however often a ban is prolonged, one request to the responder is under way") {
    Bench bench;
    bench.runner.is_slow = true;
    bench.respond("firewall-drop", "192.0.2.1");
    for (int i = 0; i < 1000; ++i) {
        bench.respond("firewall-drop", "192.0.2.1");
    }
    CHECK(bench.executor->jobs_under_way() == 1);
    bench.runner.is_slow = false;
    bench.clock.advance(seconds(5));
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.take();
    bench.runner.answer_all();
    bench.pass(milliseconds(500));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 599"});  // what came meanwhile, once
    bench.start();
    CHECK(bench.executor->next_due() == bench.clock.now() - milliseconds(500) + seconds(600));
}

TEST_CASE("executor: a ban that was prolonged during its add can be lifted and banned again") {
    Bench bench;
    bench.runner.is_slow = true;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.respond("firewall-drop", "192.0.2.1");
    bench.unban("192.0.2.1");
    bench.runner.answer_all();
    CHECK(bench.executor->ban_count() == 0);
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.answer_all();
    bench.runner.take();
    bench.pass(milliseconds(500));
    CHECK(bench.runner.take().empty());
}
