// Bench: an Executor with a real journal and fakes of everything around it.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ban_target.hpp"
#include "engine/execd/executor.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

namespace portcullis::execd_test {

using namespace execd;  // NOLINT(google-build-using-namespace)
using std::chrono::seconds;
using Texts = std::vector<std::string>;

// Remembers jobs as "add 192.0.2.1 600"; answers at once, or when the test says so.
class RecordingRunner final : public Runner {
  public:
    void run(const Job& job, std::function<void(const JobResult&)> on_done) override {
        std::string text =
            std::string(word_of(job.action)) + " " + (job.address != "-" ? job.address : job.user);
        if (job.action == Action::Add) {
            text += " " + std::to_string(job.timeout.count());
            text += job.block == base::BlockKind::Soft ? " soft" : "";
        }
        jobs.push_back(text);
        last = job;
        if (job.action != Action::Add && result.ok && !releases_nothing) {
            held.erase(std::remove_if(held.begin(), held.end(),
                                      [&](const Held& one) { return one.address == job.address; }),
                       held.end());
        }
        if (is_slow) {
            waiting.push_back(std::move(on_done));
        } else {
            on_done(result);
        }
    }
    // Answers what `held` holds, if it is a responder that can; a `delete` or `release` takes it
    // out.
    void list(const std::string& executable, const std::string& address,
              std::function<void(const Held&)> on_held,
              std::function<void(const HeldResult&)> on_done) override {
        questions.push_back(executable + " " + address);
        for (const auto& one : held) {
            if (answer.answer == HeldAnswer::Complete &&
                (address == "-" || address == one.address)) {
                on_held(one);
            }
        }
        if (const auto asked = std::exchange(on_asked, nullptr)) {
            asked();
        }
        on_done(answer);
    }
    std::vector<std::string> take() { return std::exchange(jobs, {}); }
    void answer_all() {
        for (const auto& on_done : std::exchange(waiting, {})) {
            on_done(result);
        }
    }

    std::vector<std::string> jobs;
    std::vector<std::string> questions;
    std::vector<Held> held;
    HeldResult answer;
    Job last;
    JobResult result;
    bool is_slow = false;
    bool releases_nothing = false;   // `delete` succeeds, and `held` stays
    std::function<void()> on_asked;  // called once, before the answer to a question ends
    std::vector<std::function<void(const JobResult&)>> waiting;
};

class FakeProtection final : public Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr& target) override {
        return standing_reason(target);
    }
    std::optional<std::string> standing_reason(const base::Cidr& target) override {
        const auto it = reasons.find(base::ban_target_text(target));
        return it == reasons.end() ? std::nullopt : std::optional(it->second);
    }
    bool has_connection(const base::Cidr& target) override {
        return connected.count(base::ban_target_text(target)) != 0;
    }
    std::map<std::string, std::string> reasons;
    std::set<std::string> connected;
};

class RecordingRecords final : public RecordSink {
  public:
    void write(const Record& record) override {
        texts.push_back(record.address + " " + std::string(word_of(record.outcome)) + ": " +
                        record.reason);
        last = record;
    }
    std::vector<std::string> take() { return std::exchange(texts, {}); }
    std::vector<std::string> texts;
    Record last;
};

inline ExecdConfig test_config() {
    ExecdConfig config;
    config.commands = {
        {"firewall-drop", "firewall-drop", true, false, false, true},
        {"script-drop", "drop.sh", true, false, false, false},
        {"disable-account", "disable.sh", false, true, false, false},
        {"restart", "restart.sh", false, false, false, false},
        {"both", "both.sh", true, true, false, false},
        {"look-at", "look.sh", false, false, true, false},
    };
    config.bindings = {{"firewall-drop", seconds(600)}, {"firewall-drop", seconds(0)},
                       {"script-drop", seconds(600)},   {"disable-account", seconds(60)},
                       {"restart", seconds(0)},         {"both", seconds(60)},
                       {"look-at", seconds(0)}};
    return config;
}

// With `<block>auto</block>` and `<forgeable_timeout>`.
inline ExecdConfig graded(ExecdConfig config = test_config()) {
    for (const char* command : {"firewall-drop", "script-drop"}) {
        config.bindings.push_back({command, seconds(600), base::BlockChoice::Auto, seconds(120)});
    }
    return config;
}

struct Bench {
    explicit Bench(ExecdConfig with = test_config()) : config(std::move(with)) { start(); }

    // As after kill -9 and a new start.
    void start() {
        executor.reset();
        journal.reset();
        JournalState state;
        auto opened = Journal::open(folder / "state", state);
        REQUIRE(opened.has_value());
        journal.emplace(std::move(*opened));
        executor = std::make_unique<Executor>(config, std::move(state), *journal, runner,
                                              protection, records, log);
    }
    void respond(const std::string& command, const std::string& address, int timeout = 600,
                 const std::string& user = "-") {
        base::RespondRequest request;
        request.command = command;
        request.timeout = seconds(timeout);
        request.srcip = address;
        request.user = user;
        request.alert_id = "1700000000.7";
        request.rule_id = 99990;
        request.location = "host->/var/log/iplog";
        executor->respond(request, clock.now());
    }
    // By the binding of graded() below.
    void report(const std::string& address, base::Evidence evidence, std::int64_t time = 0,
                const std::string& command = "firewall-drop", int ports = 0) {
        base::RespondRequest request;
        request.command = command;
        request.ports = ports;
        request.timeout = seconds(600);
        request.srcip = address;
        request.rule_id = 99990;
        request.evidence = evidence;
        request.evidence_time = time;
        request.block = base::BlockChoice::Auto;
        request.forgeable_timeout = seconds(120);
        executor->respond(request, clock.now());
    }
    base::Reply ban(const std::string& address, int timeout) {
        base::Reply reply;
        executor->ban({address, seconds(timeout)}, clock.now(),
                      [&](const base::Reply& got) { reply = got; });
        return reply;
    }
    base::Reply unban(const std::string& address) {
        base::Reply reply;
        executor->unban({address}, clock.now(), [&](const base::Reply& got) { reply = got; });
        return reply;
    }
    base::Reply flush() {
        base::Reply reply;
        executor->flush(clock.now(), [&](const base::Reply& got) { reply = got; });
        return reply;
    }
    void pass(std::chrono::nanoseconds time) {
        clock.advance(time);
        executor->tick(clock.now());
    }

    test::TemporaryFolder folder;
    test::FakeClock clock;
    test::RecordingLog log;
    RecordingRunner runner;
    FakeProtection protection;
    RecordingRecords records;
    ExecdConfig config;
    std::optional<Journal> journal;
    std::unique_ptr<Executor> executor;
};

}  // namespace portcullis::execd_test
