// What fails, what is lost, and what nobody explains.
#include "engine/execd/executor.hpp"

#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using execd_test::Bench;
using execd_test::Texts;
using std::chrono::seconds;

TEST_CASE("executor: a prolongation that fails leaves the ban with its old end") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    const auto end = bench.executor->next_due();
    bench.pass(seconds(100));
    bench.runner.result = {false, "the set is full"};
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.records.take().back() == "192.0.2.1 failed: the set is full");
    CHECK(bench.executor->next_due() == end);
    bench.start();  // so says the journal
    CHECK(bench.executor->next_due() == end);
    bench.runner.result = {};
    bench.runner.take();
    bench.pass(seconds(500));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
}

TEST_CASE("executor: an undo that fails is not forgotten when the ban that follows it fails too") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.result = {false, "busy"};
    bench.pass(seconds(600));
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.executor->ban_count() == 1);
    bench.runner.result = {};
    bench.runner.take();
    bench.pass(seconds(2));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: a restart does not renew a ban whose undo has failed") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1", 0);
    bench.runner.result = {false, "busy"};
    CHECK_FALSE(bench.unban("192.0.2.1").ok);
    bench.start();
    bench.runner.result = {};
    bench.runner.take();
    bench.executor->restore(bench.clock.now());
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: an add under way is not asked again when its responder was started again") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.is_slow = true;
    bench.respond("firewall-drop", "192.0.2.2");
    bench.runner.take();
    bench.executor->apply_again("firewall-drop", bench.clock.now());
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 600"});
}

TEST_CASE("executor: a renewal that fails is tried again") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.start();
    bench.runner.result = {false, "busy"};
    bench.executor->restore(bench.clock.now());
    bench.pass(seconds(1));
    CHECK(bench.log.count("cannot renew the ban of 192.0.2.1 yet, trying again: busy") == 1);
    bench.runner.result = {};
    bench.runner.take();
    bench.pass(seconds(2));
    CHECK(bench.runner.take() == Texts{"add 192.0.2.1 597"});
    CHECK(bench.executor->next_due() == bench.clock.now() + seconds(597));
}

TEST_CASE("executor: a ban whose answer was lost is undone, and listed until then") {
    Bench bench;
    bench.runner.result = {false, "the responder ended", true};
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.executor->ban_count() == 1);
    bench.runner.result = {};
    bench.pass(seconds(1));
    CHECK(bench.runner.take().back() == "delete 192.0.2.1");
    CHECK(bench.executor->ban_count() == 0);
}

TEST_CASE("executor: a block that no ban explains is listed, logged and released") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    bench.runner.held = {{"192.0.2.1", seconds(600)},
                         {"203.0.113.77", seconds(3600)},
                         {"2001:db8:1:2::/64", std::nullopt}};
    bench.respond("script-drop", "192.0.2.1");  // a ban of another command explains it, too
    bench.runner.take();
    bench.executor->log_unexplained();
    CHECK(bench.log.count("WARNING: 2 addresses are blocked that no ban of this home explains: "
                          "2001:db8:1:2::/64 (no end), 203.0.113.77 (3600 s left). ") == 1);
    base::Reply reply;
    const auto keep = [&](const base::Reply& got) { reply = got; };
    bench.executor->list_unexplained({}, keep);
    CHECK(reply.ok);
    CHECK(reply.blocks == std::vector<base::BlockRow>{{"firewall-drop", "2001:db8:1:2::/64", -1},
                                                      {"firewall-drop", "203.0.113.77", 3600}});
    CHECK(bench.unban("192.0.2.9").text ==
          "192.0.2.9: unchanged: nothing to do, there is no ban of this address");
    bench.records.take();
    bench.runner.questions.clear();
    reply = bench.unban("2001:DB8:1:2::7/64");
    CHECK(reply.ok);
    CHECK(reply.text == "1 address released that no ban explained");
    CHECK(bench.runner.questions == Texts{"firewall-drop 2001:db8:1:2::/64"});
    CHECK(bench.records.take() ==
          Texts{"2001:db8:1:2::/64 undone: released by hand: no ban explained it"});
    reply = bench.flush();
    CHECK(reply.ok);
    CHECK(reply.text == "1 ban undone, 1 address released that no ban explained");
    CHECK(bench.runner.held.empty());
    bench.executor->log_unexplained();
    CHECK(bench.log.count("INFO: the responders block only addresses of bans of this home") == 1);
}

TEST_CASE("executor: a hold is released as a hold, so that no ban ends with it") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    bench.runner.held = {{"192.0.2.1", seconds(2), base::BlockKind::Hard, true}};
    const auto reply = bench.unban("192.0.2.1");
    CHECK(reply.ok);
    CHECK(reply.text == "1 hold ended");
    CHECK(bench.runner.take() == Texts{"release 192.0.2.1"});
    CHECK(bench.records.take() == Texts{"192.0.2.1 undone: the kernel's hold was ended by hand"});
}

TEST_CASE("executor: an address that is held beside a ban of another command is released, too") {
    Bench bench;
    bench.respond("script-drop", "192.0.2.1");
    bench.runner.take();
    bench.runner.answer = {HeldAnswer::Complete, {}};
    bench.runner.held = {{"192.0.2.1", std::nullopt}};
    bench.runner.releases_nothing = true;  // as a script that has another firewall
    CHECK(bench.unban("192.0.2.1").text ==
          "1 ban undone, 1 address released that no ban explained");
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1", "delete 192.0.2.1"});
}

TEST_CASE(
    "executor: of very many unexplained blocks the list is bounded, and a flush releases all") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    for (int i = 0; i < 12'000; ++i) {
        bench.runner.held.push_back(
            {"198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250), std::nullopt});
    }
    std::set<std::string> addresses;
    base::UnexplainedRequest request;
    base::Reply reply;
    do {
        bench.executor->list_unexplained(request, [&](const base::Reply& got) { reply = got; });
        CHECK(base::encode(reply).size() <= base::kMaxMessageSize);
        for (const auto& row : reply.blocks) {
            CHECK(addresses.insert(row.address).second);
        }
        request.after = reply.next;
    } while (!request.after.empty());
    CHECK(addresses.size() == 1000);
    CHECK(reply.text == "and 11000 more");
    CHECK(bench.runner.questions.size() == 1);  // for all pages
    CHECK(bench.flush().text == "12000 addresses released that no ban explained");
    CHECK(bench.runner.held.empty());
}

TEST_CASE("executor: a responder without lists is not asked, and a failure is reported") {
    Bench bench;
    bench.runner.held = {{"203.0.113.77", std::nullopt}};
    base::Reply reply;
    const auto keep = [&](const base::Reply& got) { reply = got; };
    bench.executor->list_unexplained({}, keep);
    CHECK(reply == base::Reply{});
    bench.executor->log_unexplained();
    CHECK(bench.log.messages.empty());
    CHECK(bench.flush().text == "there are no bans");

    bench.runner.answer = {HeldAnswer::Failed, "it ended"};
    const std::string problem = "firewall-drop does not answer what it blocks: it ended";
    bench.executor->list_unexplained({}, keep);
    CHECK_FALSE(reply.ok);
    CHECK(reply.text == problem);
    bench.executor->log_unexplained();
    CHECK(bench.log.count("WARNING: " + problem) == 1);
    reply = bench.flush();
    CHECK_FALSE(reply.ok);
    CHECK(reply.text == "there are no bans, but " + problem);
    CHECK(bench.unban("192.0.2.9").text ==
          "192.0.2.9: failed: nothing to do, there is no ban of this address, but " + problem);

    bench.config.dry_run = true;
    bench.start();
    bench.runner.questions.clear();
    bench.executor->list_unexplained({}, keep);
    CHECK(bench.runner.questions.empty());
}

TEST_CASE("executor: an address that is banned while a flush asks what is blocked stays banned") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    bench.runner.held = {{"203.0.113.77", seconds(3600)}, {"203.0.113.78", seconds(3600)}};
    bench.runner.on_asked = [&] { bench.respond("firewall-drop", "203.0.113.77"); };
    const auto reply = bench.flush();
    CHECK(reply.text == "1 address released that no ban explained");
    CHECK(bench.runner.take() == Texts{"add 203.0.113.77 600", "delete 203.0.113.78"});
    CHECK(bench.executor->ban_count() == 1);

    bench.runner.held = {{"203.0.113.79", seconds(3600)}};
    bench.runner.on_asked = [&] { bench.respond("firewall-drop", "203.0.113.79"); };
    CHECK(bench.unban("203.0.113.79").ok);
    CHECK(bench.runner.take() == Texts{"add 203.0.113.79 600"});
}

TEST_CASE("executor: responders are asked what they block once the bans are undone") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.is_slow = true;
    bool is_answered = false;
    bench.executor->flush(bench.clock.now(), [&](const base::Reply&) { is_answered = true; });
    CHECK(bench.runner.questions.empty());
    bench.runner.answer_all();
    CHECK(bench.runner.questions == Texts{"firewall-drop -"});
    CHECK(is_answered);
}

TEST_CASE("executor: a responder whose command is no longer configured is asked, too") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.config = {};
    bench.start();
    bench.flush();
    CHECK(bench.runner.questions == Texts{"firewall-drop -"});
}

TEST_CASE("executor: a flush of very many bans does not delay other requests") {
    auto config = execd_test::test_config();
    config.max_bans_per_minute = 1'000'000;
    Bench bench(config);
    for (int i = 0; i < 1000; ++i) {
        bench.respond("firewall-drop",
                      "198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250));
    }
    bench.runner.take();
    bench.runner.is_slow = true;
    base::Reply reply;
    bench.executor->flush(bench.clock.now(), [&](const base::Reply& got) { reply = got; });
    bench.respond("firewall-drop", "192.0.2.1");
    CHECK(bench.runner.take().size() == 201);
    for (int i = 0; i < 5; ++i) {
        bench.runner.answer_all();
    }
    CHECK(reply.text == "1000 bans undone");
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: a flush ends, also if released addresses are blocked again") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    bench.runner.releases_nothing = true;
    for (int i = 0; i < 6000; ++i) {
        bench.runner.held.push_back(
            {"198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250), std::nullopt});
    }
    const auto reply = bench.flush();
    CHECK_FALSE(reply.ok);
    CHECK(reply.text.find("1000 more are still blocked") != std::string::npos);
}

TEST_CASE("executor: a list continues, also if another client has asked in the meantime") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    for (int i = 100; i < 200; ++i) {
        bench.runner.held.push_back({"198.18.0." + std::to_string(i), std::nullopt});
    }
    base::Reply reply;
    const auto keep = [&](const base::Reply& got) { reply = got; };
    bench.executor->list_unexplained({}, keep);
    const auto last = reply.blocks.back().address;
    const auto next = reply.next;
    bench.runner.held.erase(bench.runner.held.begin(), bench.runner.held.begin() + 50);
    bench.executor->list_unexplained({}, [](const base::Reply&) {});
    bench.executor->list_unexplained({next}, keep);
    REQUIRE_FALSE(reply.blocks.empty());
    CHECK(reply.blocks.front().address > last);
}

TEST_CASE("executor: an address that a responder reports twice counts once") {
    Bench bench;
    bench.runner.answer = {HeldAnswer::Complete, {}};
    for (int i = 0; i < 2400; ++i) {
        const int address = i % 1200;
        bench.runner.held.push_back(
            {"198.18." + std::to_string(address / 250) + "." + std::to_string(address % 250),
             std::nullopt});
    }
    bench.executor->log_unexplained();
    CHECK(bench.log.count("WARNING: 1200 addresses are blocked") == 1);
}

TEST_CASE("executor: an answer to an older request does not hide a newer ban") {
    Bench bench;
    bench.respond("firewall-drop", "192.0.2.1");
    bench.runner.is_slow = true;
    bench.executor->unban({"192.0.2.1"}, bench.clock.now(), [](const base::Reply&) {});
    bench.respond("firewall-drop", "192.0.2.1");
    REQUIRE(bench.runner.waiting.size() == 2);
    auto waiting = std::exchange(bench.runner.waiting, {});
    waiting[1]({});  // a responder may answer in any order
    waiting[0]({});
    bench.runner.is_slow = false;
    bench.runner.result = {false, "the set is full"};
    bench.respond("firewall-drop", "192.0.2.1");  // a prolongation that fails
    CHECK(bench.executor->ban_count() == 1);
}

TEST_CASE("executor: a ban that fails does not become the dry run that was there before") {
    auto config = execd_test::test_config();
    config.dry_run = true;
    Bench bench(config);
    bench.respond("firewall-drop", "192.0.2.1");
    bench.executor->set_config(execd_test::test_config());
    bench.runner.result = {false, "the responder ended", true};
    bench.respond("firewall-drop", "192.0.2.1", 0);
    bench.runner.take();
    bench.runner.result = {};
    bench.pass(seconds(2));
    CHECK(bench.runner.take() == Texts{"delete 192.0.2.1"});
    CHECK(bench.executor->ban_count() == 0);
}
