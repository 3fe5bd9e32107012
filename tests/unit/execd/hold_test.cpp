#include "engine/execd/hold.hpp"

#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using base::HoldMode;
using execd_test::FakeProtection;
using execd_test::RecordingRecords;
using execd_test::RecordingRunner;
using execd_test::test_config;
using execd_test::Texts;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

class HoldRunner final : public Runner {
  public:
    void run(const Job& job, std::function<void(const JobResult&)> on_done) override {
        jobs.push_back(std::string(word_of(job.action)) + " " + job.address);
        on_done({});
    }
    void hold(const std::string& executable, const HoldRequest& request,
              std::function<void(const JobResult&)> on_done) override {
        CHECK(executable == "firewall-drop");
        requests.push_back(request);
        on_done(result);
    }
    std::vector<HoldRequest> take() { return std::exchange(requests, {}); }
    Texts jobs;
    std::vector<HoldRequest> requests;
    JobResult result;
};

class Listed final : public Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr& target) override {
        return standing_reason(target);
    }
    std::optional<std::string> standing_reason(const base::Cidr& target) override {
        for (const auto& entry : entries) {
            if (entry.network.overlaps(target)) {
                return entry.reason;
            }
        }
        return std::nullopt;
    }
    std::vector<ProtectedEntry> all_protected() override {
        return hides_list ? std::vector<ProtectedEntry>() : entries;
    }
    std::vector<base::Cidr> on_link_networks() override {
        return {*base::Cidr::parse("2001:db8:1::/64")};
    }
    std::vector<ProtectedEntry> entries = {{*base::Cidr::parse("192.0.2.1"), "own address"}};
    bool hides_list = false;
};

struct Bench {
    base::EventLoop loop;
    test::FakeClock clock;
    test::RecordingLog log;
    HoldRunner runner;
    Listed protection;
    RecordingRecords records;
    Hold hold{{loop, clock, log, runner, protection, records, ""}};

    static ExecdConfig config(HoldMode mode) {
        auto config = test_config();
        config.hold.mode = mode;
        return config;
    }
    // Runs the loop until the responder was asked.
    std::vector<HoldRequest> wait() {
        const auto deadline = std::chrono::steady_clock::now() + seconds(20);
        while (runner.requests.empty() && std::chrono::steady_clock::now() < deadline) {
            loop.run_once(milliseconds(100));
        }
        return runner.take();
    }
};

}  // namespace

TEST_CASE(
    "hold: the responder is asked at the start, when something changed, and after its own start") {
    Bench bench;
    bench.hold.apply(Bench::config(HoldMode::Yes));
    auto requests = bench.runner.take();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].config.mode == HoldMode::Yes);
    CHECK_FALSE(requests[0].is_dry);
    REQUIRE(requests[0].spared.size() == 1);
    CHECK(requests[0].spared[0].to_string() == "192.0.2.1/32");
    CHECK(requests[0].on_link.size() == 1);

    bench.hold.apply(Bench::config(HoldMode::Yes));  // a reload that changes nothing
    CHECK(bench.runner.take().empty());
    bench.hold.on_restarted("another");
    CHECK(bench.runner.take().empty());
    bench.hold.on_restarted("firewall-drop");
    CHECK(bench.runner.take().size() == 1);

    bench.protection.entries.push_back({*base::Cidr::parse("198.51.100.0/24"), "white_list"});
    bench.hold.on_protection_changed();
    bench.hold.on_protection_changed();  // once for both
    requests = bench.wait();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].spared.size() == 2);

    auto config = Bench::config(HoldMode::Yes);
    config.hold.ports = 20;
    bench.hold.apply(config);
    requests = bench.runner.take();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].config.ports == 20);
    bench.hold.apply(Bench::config(HoldMode::No));
    requests = bench.runner.take();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].config.mode == HoldMode::No);
    CHECK(requests[0].spared.empty());
    bench.hold.on_protection_changed();
    bench.loop.run_once(milliseconds(1));
    CHECK(bench.runner.take().empty());
}

TEST_CASE(
    "hold: without a persistent firewall-drop nothing is asked, and earlier holds are removed") {
    auto config = Bench::config(HoldMode::Yes);
    config.commands[0].is_persistent = false;
    Bench bench;
    bench.hold.apply(config);
    bench.hold.on_protection_changed();
    bench.hold.on_restarted("firewall-drop");
    CHECK(bench.runner.take().empty());

    bench.hold.apply(Bench::config(HoldMode::Refused));
    CHECK(bench.runner.take().at(0).config.mode == HoldMode::Refused);
    bench.hold.apply(config);
    CHECK(bench.runner.take().at(0).config.mode == HoldMode::No);
}

TEST_CASE("hold: a dry run counts; without <hold> it starts no responder") {
    auto config = Bench::config(HoldMode::No);
    config.dry_run = true;
    Bench bench;
    bench.hold.apply(config);
    CHECK(bench.runner.take().empty());
    config.hold.mode = HoldMode::Yes;
    bench.hold.apply(config);
    CHECK(bench.runner.take().at(0).is_dry);
    bench.hold.on_event({*base::Cidr::parse("198.51.100.1"), 0});
    CHECK(bench.records.take() ==
          Texts{"198.51.100.1 dry-run: would be held by the kernel for 2 s"});
    CHECK(bench.hold.reports().counters() == HoldCounters{0, 0, 0, 1});
}

TEST_CASE("hold: a responder that cannot is warned about once") {
    Bench bench;
    bench.runner.result = {false, "this kernel cannot hold scans", false};
    bench.hold.apply(Bench::config(HoldMode::Yes));
    bench.hold.on_restarted("firewall-drop");
    CHECK(bench.log.count("scans are not held: this kernel cannot hold scans") == 1);
}

TEST_CASE("hold: a responder that failed is asked again") {
    Bench bench;
    bench.runner.result = {false, "somebody changed the table", false};
    bench.hold.apply(Bench::config(HoldMode::Yes));
    const auto asked = bench.runner.take();
    REQUIRE(asked.size() == 1);
    bench.runner.result = {};
    CHECK(bench.wait() == asked);
    CHECK(bench.log.count("scans are held again") == 1);
    // A reload asks again after a failure, although nothing has changed.
    bench.runner.result = {false, "somebody changed the table", false};
    bench.hold.on_restarted("firewall-drop");
    bench.hold.apply(Bench::config(HoldMode::Yes));
    CHECK(bench.runner.take().size() == 2);
    bench.runner.result = {};
    bench.hold.apply(Bench::config(HoldMode::Yes));
    CHECK(bench.runner.take().size() == 1);
    // Once it has worked, it is not asked any more.
    bench.hold.apply(Bench::config(HoldMode::No));
    CHECK(bench.runner.take().size() == 1);
}

TEST_CASE("hold: a hold that could not be ended is ended later") {
    Bench bench;
    bench.hold.apply(Bench::config(HoldMode::Yes));
    bench.runner.take();
    bench.runner.result = {false, "nft failed", false};
    bench.hold.apply(Bench::config(HoldMode::No));
    CHECK(bench.log.count("the kernel may still hold scans: nft failed") == 1);
    CHECK(bench.runner.take().size() == 1);
    bench.runner.result = {};
    const auto asked = bench.wait();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].config.mode == HoldMode::No);
    bench.hold.on_restarted("firewall-drop");  // there is nothing to end any more
    CHECK(bench.runner.take().empty());
}

TEST_CASE("hold: what an earlier execd left is ended later if that fails at the start") {
    Bench bench;
    bench.runner.result = {false, "nft failed", false};
    bench.hold.apply(Bench::config(HoldMode::No));
    CHECK(bench.runner.take().size() == 1);
    bench.runner.result = {};
    const auto asked = bench.wait();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].config.mode == HoldMode::No);
}

TEST_CASE("hold: executed bans pass on and confirm holds, other records do not") {
    Bench bench;
    bench.hold.apply(Bench::config(HoldMode::Yes));
    bench.hold.on_event({*base::Cidr::parse("198.51.100.1"), 0});
    bench.records.take();
    Record record;
    record.time = bench.clock.now();
    record.address = "198.51.100.1";
    record.outcome = Outcome::Deferred;
    record.reason = "later";
    bench.hold.write(record);
    CHECK(bench.records.take() == Texts{"198.51.100.1 deferred: later"});
    record.outcome = Outcome::Executed;
    record.reason = "blocked";
    bench.hold.write(record);
    CHECK(bench.records.take() == Texts{"198.51.100.1 executed: blocked",
                                        "198.51.100.1 confirmed: a ban followed: 198.51.100.1"});
}

TEST_CASE("hold: a source that became protected without a word is released at once") {
    Bench bench;
    bench.protection.hides_list = true;
    bench.hold.apply(Bench::config(HoldMode::Yes));
    CHECK(bench.runner.take().at(0).spared.empty());
    bench.protection.hides_list = false;
    bench.hold.on_event({*base::Cidr::parse("192.0.2.1"), 0});
    CHECK(bench.runner.jobs == Texts{"release 192.0.2.1"});
    CHECK(bench.records.take() ==
          Texts{"192.0.2.1 lifted: released from the kernel's hold: never blocked: own address"});
    // And is on the list soon.
    const auto requests = bench.wait();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].spared.size() == 1);
}
