// Executor against a naive model of what the kernel blocks: random sequences of requests, answers,
// failures, lost answers, restarts of the responder and of execd, and steps of the clock.
//
// The model believes what execd records ("executed", "undone") and compares it with the kernel of a
// fake responder. Whenever the responder has been well for long enough, kernel = records = table =
// journal. At any other time no ban that was acknowledged is missing in the kernel, and none is
// there for longer, or without an end, than somebody asked for. Others block an address beside it,
// and the responder reports it while requests are under way.
//
// Requests carry graded evidence of some age, and with half of the seeds there is room for few bans
// a minute. Evidence that is too old changes nothing, and forgeable packets make no hard ban
// longer.
//
// Seeds: tests/support/seed.hpp.
#include "engine/execd/executor.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <random>

#include "tests/support/fake_clock.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace {

// Time since the start, which no clock step changes.
using Moment = nanoseconds;
constexpr Moment kForever = Moment::max();
// Kernel timeouts are whole seconds, rounded down, and a late request loses what it was late.
constexpr seconds kSlack{2};
constexpr seconds kOutlast{1};
constexpr int kMaxAttempts = 3;

bool is_near(Moment a, Moment b) {
    if (a == kForever || b == kForever) {
        return a == b;
    }
    return a - b <= kSlack && b - a <= kSlack;
}

struct Kernel {
    std::map<std::string, Moment> ends;
    std::map<std::string, base::BlockKind> kinds;
    std::set<std::string> foreign;  // of these, put there by others

    void expire(Moment now) {
        for (auto it = ends.begin(); it != ends.end();) {
            it = it->second <= now ? ends.erase(it) : std::next(it);
        }
    }
    void put(const std::string& address, Moment end, base::BlockKind kind) {
        ends[address] = end;
        kinds[address] = kind;
        foreign.erase(address);
    }
    void remove(const std::string& address) {
        ends.erase(address);
        foreign.erase(address);
    }
};

// The responder and what lies between it and execd, as PersistentResponder keeps it.
class FakeResponder final : public Runner {
  public:
    explicit FakeResponder(Kernel& kernel) : kernel_(kernel) {}

    void run(const Job& job, std::function<void(const JobResult&)> on_done) override {
        if (is_restarting && job.action == Action::Add) {
            for (const auto& other : pending_) {
                is_asked_twice = is_asked_twice || (other.job.address == job.address &&
                                                    !is_followed_by_delete(other));
            }
        }
        pending_.push_back({job, std::move(on_done), now, 1});
    }
    bool is_asking_for(const std::string& address) const {
        return std::any_of(pending_.begin(), pending_.end(),
                           [&](const Pending& each) { return each.job.address == address; });
    }
    std::set<std::string> addresses_asked_for() const {
        std::set<std::string> addresses;
        for (const auto& each : pending_) {
            addresses.insert(each.job.address);
        }
        return addresses;
    }
    bool is_idle() const { return pending_.empty() && questions_.empty(); }

    void list(const std::string& /*executable*/, const std::string& address,
              std::function<void(const Held&)> on_held,
              std::function<void(const HeldResult&)> on_done) override {
        questions_.push_back({address, std::move(on_held), std::move(on_done), {}, 0});
    }
    // The oldest question, in three steps: the kernel is read, its elements are reported, and the
    // answer ends. Requests may be answered between them.
    void answer_question() {
        if (questions_.empty()) {
            return;
        }
        Question& question = questions_.front();
        switch (question.steps++) {
            case 0:
                for (const auto& [address, end] : kernel_.ends) {
                    if (question.address == "-" || question.address == address) {
                        question.seen.push_back(address);
                    }
                }
                break;
            case 1:
                for (const auto& address : question.seen) {
                    question.on_held({address, std::nullopt});
                }
                break;
            default:
                const auto on_done = std::move(question.on_done);
                questions_.pop_front();
                on_done({HeldAnswer::Complete, {}});
        }
    }

    // Answers the oldest request.
    void answer(bool fails) {
        if (pending_.empty()) {
            return;
        }
        Pending next = std::move(pending_.front());
        pending_.pop_front();
        JobResult result;
        result.ok = !fails;
        if (fails) {
            result.reason = "busy";
            result.may_have_happened = next.attempts > 1;
            if (next.attempts > 1) {
                uncertain.insert(next.job.address);
            }
        } else {
            carry_out(next);
        }
        next.on_done(result);
    }
    // The process ends after it has carried out `count` requests whose answers are lost. Requests
    // that were asked too often are given up, the others asked again.
    void die(std::size_t count) {
        for (std::size_t i = 0; i < std::min(count, pending_.size()); ++i) {
            carry_out(pending_[i]);
        }
        std::vector<Pending> lost;
        for (auto it = pending_.begin(); it != pending_.end();) {
            if (it->attempts >= kMaxAttempts) {
                uncertain.insert(it->job.address);
                lost.push_back(std::move(*it));
                it = pending_.erase(it);
            } else {
                ++it->attempts;
                ++it;
            }
        }
        for (const auto& each : lost) {
            each.on_done(lost_result());
        }
        for (const auto& each : std::exchange(questions_, {})) {
            each.on_done({HeldAnswer::Failed, "the responder ended"});
        }
    }
    // execd ends: the process carries out `count` more requests and hears no more.
    void be_left(std::size_t count) {
        for (std::size_t i = 0; i < std::min(count, pending_.size()); ++i) {
            carry_out(pending_[i]);
        }
        pending_.clear();
        questions_.clear();
    }

    Moment now{0};
    bool is_restarting = false;
    bool is_asked_twice = false;
    // Whose answer was lost: nobody can know until the responder has answered again.
    std::set<std::string> uncertain;

  private:
    struct Pending {
        Job job;
        std::function<void(const JobResult&)> on_done;
        Moment asked{0};
        int attempts = 0;
    };
    struct Question {
        std::string address;
        std::function<void(const Held&)> on_held;
        std::function<void(const HeldResult&)> on_done;
        std::vector<std::string> seen;
        int steps = 0;
    };

    static JobResult lost_result() {
        JobResult result;
        result.ok = false;
        result.reason = "the responder ended";
        result.may_have_happened = true;
        return result;
    }
    bool is_followed_by_delete(const Pending& add) const {
        bool is_behind = false;
        for (const auto& each : pending_) {
            if (is_behind && each.job.address == add.job.address &&
                each.job.action == Action::Delete) {
                return true;
            }
            is_behind = is_behind || &each == &add;
        }
        return add.job.action == Action::Delete;
    }
    void carry_out(const Pending& pending) {
        const Job& job = pending.job;
        if (job.action == Action::Delete) {
            kernel_.remove(job.address);
            return;
        }
        auto timeout = job.timeout;
        const auto age = now - pending.asked;
        if (timeout > seconds(0) && (pending.attempts > 1 || age >= seconds(1))) {
            timeout -= std::chrono::ceil<seconds>(age);
            timeout = std::max(timeout, seconds(1));
        }
        kernel_.put(job.address, timeout == seconds(0) ? kForever : now + timeout, job.block);
    }

    Kernel& kernel_;
    std::deque<Pending> pending_;
    std::deque<Question> questions_;
};

class NobodyIsProtected final : public Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr&) override { return {}; }
    std::optional<std::string> standing_reason(const base::Cidr&) override { return {}; }
};

constexpr seconds kForgeableTimeout{90};

ExecdConfig test_config(int max_bans_per_minute) {
    ExecdConfig config;
    config.commands = {{"firewall-drop", "firewall-drop", true, false, false, true}};
    for (const int timeout : {0, 2, 60, 600}) {
        config.bindings.push_back({"firewall-drop", seconds(timeout)});
        config.bindings.push_back(
            {"firewall-drop", seconds(timeout), base::BlockChoice::Auto, kForgeableTimeout});
    }
    config.max_bans_per_minute = max_bans_per_minute;
    return config;
}

// Listed in the order of preference for the address that a permanent ban may have.
constexpr const char* kAddresses[] = {"192.0.2.1", "192.0.2.2", "2001:db8::3", "2001:db8:1:2::/64",
                                      "203.0.113.5"};
constexpr const char* kForeign = kAddresses[4];  // others block it, too

class World final : public RecordSink {
  public:
    explicit World(std::uint32_t seed)
        : random_(seed), responder_(kernel_), max_bans_per_minute_(seed % 2 == 0 ? 1'000'000 : 6) {
        start_execd();
    }

    void run() {
        for (int i = 0; i < 400 && problem.empty(); ++i) {
            step();
            check_always();
            if (problem.empty() && chance(40)) {
                settle();
            }
        }
        if (problem.empty()) {
            settle();
        }
    }

    std::string problem;
    std::string story;  // what was done, the latest last

    // What execd says.
    void write(const Record& record) override {
        tell(fmt::format("    record {} {}: {}", record.address, word_of(record.outcome),
                         record.reason));
        auto& said = said_[record.address];
        const Moment asked = now_ - (clock_.now() - record.time) + stepped_since(record.time);
        if (record.action == Action::Delete && record.outcome == Outcome::Failed) {
            failed_undos_.insert(record.address);
        }
        if (record.outcome == Outcome::Undone) {
            failed_undos_.erase(record.address);
            said.end.reset();
            if (said.joined_at <= asked) {
                said.joined.reset();
            }
        } else if (record.action != Action::Add) {
            return;
        } else if (record.reason.find(", then softly") != std::string::npos) {
            return;  // nothing changes before the hard one is over
        } else if (record.outcome == Outcome::Executed) {
            const Moment end = record.timeout == seconds(0) ? kForever : asked + record.timeout;
            if (record.reason.find("the hard block is over") == 0) {
                said.end = end;  // asked for, and not answered yet
                said.joined.reset();
                responder_.uncertain.insert(record.address);
            } else if (is_requesting_) {
                said.joined = end;  // counts with the request that is under way
                said.joined_at = asked;
            } else {
                failed_undos_.erase(record.address);
                said.end = end;
                if (said.joined && said.joined_at <= asked) {
                    said.joined.reset();
                } else if (said.joined && !responder_.is_asking_for(record.address)) {
                    said.end = std::exchange(said.joined, {});  // asked for once more, soon
                    responder_.uncertain.insert(record.address);
                }
            }
        } else if (record.outcome == Outcome::Failed && said.joined &&
                   (said.joined_at <= asked ||
                    record.reason.find("meanwhile") != std::string::npos)) {
            if (record.reason.find("meanwhile") == std::string::npos) {
                said.end = said.joined;  // it has been carried out, or else nobody said so
            }
            said.joined.reset();
        }
    }

  private:
    struct Said {
        std::optional<Moment> end;
        std::optional<Moment> joined;
        Moment joined_at{0};
    };

    std::size_t pick(std::size_t below) {
        return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
    }
    bool chance(std::size_t one_in) { return pick(one_in) == 0; }
    void tell(const std::string& what) {
        story += fmt::format("{:>10.3f} {}\n", std::chrono::duration<double>(now_).count(), what);
        if (story.size() > 20000) {
            story.erase(0, 10000);
        }
    }
    void fail(const std::string& what) {
        if (problem.empty()) {
            problem = fmt::format("after {:.3f} s: {}", std::chrono::duration<double>(now_).count(),
                                  what);
        }
    }
    // Clock steps after `time` was read from the clock of requests.
    Moment stepped_since(base::Timestamp time) const {
        const auto it = steps_at_.find(time);
        return steps_ - (it == steps_at_.end() ? steps_ : it->second);
    }

    void start_execd() {
        executor_.reset();
        journal_.reset();
        JournalState state;
        auto opened = Journal::open(folder_ / "state", state);
        REQUIRE(opened.has_value());
        journal_.emplace(std::move(*opened));
        executor_ = std::make_unique<Executor>(test_config(max_bans_per_minute_), std::move(state),
                                               *journal_, responder_, protection_, *this, log_);
    }
    void restart_execd() {
        const auto unanswered = responder_.addresses_asked_for();
        tell(fmt::format("execd ends, {} addresses are asked for", unanswered.size()));
        executor_.reset();
        responder_.be_left(pick(4));
        steps_seen_ = 0;
        start_execd();
        // What had no record may have happened or not: the journal decides.
        const auto table = table_of();
        for (const auto& address : unanswered) {
            Said& said = said_[address];
            const auto it = table.find(address);
            said = {};
            if (it != table.end()) {
                said.end = it->second;
            }
            responder_.uncertain.insert(address);
        }
        executor_->restore(clock_.now());
    }
    void restart_responder() {
        const auto count = pick(4);
        tell(fmt::format("the responder ends after {} more", count));
        responder_.die(count);
        responder_.is_restarting = true;
        executor_->apply_again("firewall-drop", clock_.now());
        responder_.is_restarting = false;
        if (responder_.is_asked_twice) {
            fail("an add that is under way was asked twice");
        }
    }
    void pass(nanoseconds time) {
        now_ += time;
        responder_.now = now_;
        clock_.advance(time);
        kernel_.expire(now_);
        const bool was_requesting = std::exchange(is_requesting_, true);  // what was deferred
        executor_->tick(clock_.now());
        is_requesting_ = was_requesting;
    }
    void step_clock(nanoseconds by) {
        tell(fmt::format("the clock is set by {} s", by.count() / 1'000'000'000));
        steps_ += by;
        clock_steps_.emplace_back(now_, by);
        ++steps_seen_;
        clock_.advance(by);
        executor_->clock_jumped(by, clock_.now());
    }

    void want(const std::string& address, seconds timeout) {
        // A further offence prolongs a ban by the longest timeout that it had before.
        auto& most = longest_timeout_[address];
        most = std::max(most, timeout);
        auto& longest = longest_[address];
        longest = timeout == seconds(0) || longest == kForever ? kForever : now_ + most;
    }
    void respond(const std::string& address, seconds timeout) {
        tell(fmt::format("respond {} {}", address, timeout.count()));
        want(address, timeout);
        base::RespondRequest request;
        request.command = "firewall-drop";
        request.timeout = timeout;
        request.srcip = address;
        request.alert_id = "1700000000.7";
        request.rule_id = 99990;
        request.location = "host->/var/log/iplog";
        executor_->respond(request, clock_.now());
    }
    // By <block>auto</block>.
    void respond_graded(const std::string& address, seconds timeout) {
        base::RespondRequest request;
        request.command = "firewall-drop";
        request.timeout = timeout;
        request.srcip = address;
        request.alert_id = "1700000000.8";
        request.rule_id = 99990;
        request.location = "host->/var/log/iplog";
        request.block = base::BlockChoice::Auto;
        request.forgeable_timeout = kForgeableTimeout;
        request.evidence = static_cast<base::Evidence>(pick(3));
        const int ages[] = {0, 0, 1, 40, 80, 1000};
        seconds age(ages[pick(6)]);
        // What the clock showed then.
        auto read_at = clock_.now() - age;
        std::size_t steps_since = 0;
        for (const auto& [moment, by] : clock_steps_) {
            if (moment > now_ - age) {
                read_at -= by;
                ++steps_since;
            }
        }
        if (steps_since > std::min<std::size_t>(steps_seen_, 4)) {  // execd does not know them all
            age = seconds(0);
            read_at = clock_.now();
        }
        request.evidence_time = std::chrono::floor<seconds>(read_at.time_since_epoch()).count();
        tell(fmt::format("respond {} {} {}, {} s old", address, timeout.count(),
                         base::word_of(request.evidence), age.count()));
        const bool is_proven = request.evidence == base::Evidence::Proven;
        const seconds time = is_proven ? timeout : kForgeableTimeout;
        const bool is_moot = request.evidence == base::Evidence::Doubtful || age > time;
        if (!is_moot) {
            want(address, time);
        }
        const auto before = row_of(address);
        const bool is_settled =
            !responder_.is_asking_for(address) && failed_undos_.count(address) == 0;
        executor_->respond(request, clock_.now());
        const auto after = row_of(address);
        if (is_moot && after != before) {
            fail(address + ": evidence that is too old or doubtful changed something");
        }
        if (!is_proven && is_settled && before && before->block == base::BlockKind::Hard &&
            before->until != 0 && before->until > unix_now() &&
            (!after || after->until != before->until || after->block != before->block)) {
            fail(address + ": packets that can be forged changed a hard ban");
        }
        if (is_proven && !is_moot && after && after->block != base::BlockKind::Hard &&
            after->until > unix_now() && !executor_deferred()) {
            fail(address + ": there is proof, and the ban is soft");
        }
    }
    bool executor_deferred() const { return executor_->deferred_count() > 0; }
    std::int64_t unix_now() const {
        return std::chrono::floor<seconds>(clock_.now().time_since_epoch()).count();
    }
    std::optional<base::BanRow> row_of(const std::string& address) const {
        for (const auto& row : executor_->list({}).bans) {
            if (row.address == address) {
                return row;
            }
        }
        return std::nullopt;
    }
    void ban(const std::string& address, seconds timeout) {
        tell(fmt::format("ban {} {}", address, timeout.count()));
        want(address, timeout);
        executor_->ban({address, timeout}, clock_.now(), {});
    }
    void unban(const std::string& address) {
        tell("unban " + address);
        executor_->unban({address}, clock_.now(), [this, address](const base::Reply& reply) {
            if (reply.ok && table_of().count(address) == 0 && kernel_.ends.count(address) != 0 &&
                kernel_.foreign.count(address) == 0) {
                fail(address + " was unbanned and is blocked");
            }
        });
    }

    void step() {
        const std::string address = kAddresses[pick(std::size(kAddresses))];
        pass(std::chrono::microseconds(1));  // each request has a time of its own
        steps_at_[clock_.now()] = steps_;
        is_requesting_ = true;
        switch (pick(18)) {
            case 17:
                is_requesting_ = false;
                block_foreign();
                break;
            case 16:
                is_requesting_ = false;
                tell("the responder continues its list");
                responder_.answer_question();
                break;
            case 0:
            case 1:
            case 2:
            case 3: {
                const int timeouts[] = {2, 60, 600};
                const seconds timeout(timeouts[pick(3)]);
                if (chance(2)) {
                    respond(address, timeout);
                } else {
                    respond_graded(address, timeout);
                }
                break;
            }
            case 4: {
                const int timeouts[] = {3, 30, 1200};
                ban(address, seconds(timeouts[pick(3)]));
                break;
            }
            case 5:
                if (chance(4)) {
                    respond(kAddresses[0], seconds(0));
                } else {
                    unban(address);
                }
                break;
            case 6:
                if (chance(4)) {
                    tell("flush");
                    executor_->flush(clock_.now(), [](const base::Reply&) {});
                }
                break;
            case 7:
                is_requesting_ = false;
                restart_responder();
                break;
            case 8:
                is_requesting_ = false;
                if (chance(3)) {
                    restart_execd();
                }
                break;
            case 9:
                is_requesting_ = false;
                if (chance(3)) {
                    const int hours[] = {24, -24, 100'000, -1};
                    step_clock(std::chrono::hours(hours[pick(4)]));
                }
                break;
            case 10: {
                is_requesting_ = false;
                const int times[] = {1, 300, 700, 1500, 20'000, 61'000};
                pass(milliseconds(times[pick(6)]));
                break;
            }
            case 11:
            case 12: {
                is_requesting_ = false;
                const bool fails = chance(2);
                tell(fails ? "the responder fails once" : "the responder answers once");
                responder_.answer(fails);
                break;
            }
            default:
                is_requesting_ = false;
                tell("the responder answers all");
                answer_all();
        }
        if (chance(128)) {  // it waits for the disk
            executor_->sync_journal();
        }
    }
    void block_foreign() {
        if (table_of().count(kForeign) == 0 && !responder_.is_asking_for(kForeign)) {
            tell(std::string("others block ") + kForeign);
            kernel_.put(kForeign, kForever, base::BlockKind::Hard);
            kernel_.foreign.insert(kForeign);
            longest_[kForeign] = kForever;
        }
    }
    void answer_all() {
        while (!responder_.is_idle()) {
            responder_.answer(false);
            responder_.answer_question();
        }
    }

    // All is well for longer than the longest pause between two attempts.
    void settle() {
        tell("all is well");
        is_requesting_ = false;
        answer_all();
        for (int i = 0; i < 310; ++i) {
            pass(seconds(1));
            answer_all();
        }
        responder_.uncertain.clear();
        failed_undos_.clear();
        check_settled();
    }

    std::map<std::string, Moment> table_of() const {
        std::map<std::string, Moment> table;
        for (const auto& row : executor_->list({}).bans) {
            table[row.address] = row.until == 0
                                     ? kForever
                                     : now_ + (base::Timestamp(seconds(row.until)) - clock_.now());
        }
        return table;
    }

    void check_always() {
        for (const auto& [address, end] : kernel_.ends) {
            const auto it = longest_.find(address);
            const Moment longest = it == longest_.end() ? Moment(0) : it->second;
            if (longest == kForever) {
                continue;
            }
            if (end == kForever) {
                fail(address + " is blocked without an end that nobody asked for");
            } else if (now_ > longest + kOutlast && !responder_.is_asking_for(address) &&
                       failed_undos_.count(address) == 0) {
                // A request that waited in the pipe counts from then on: execd undoes it in time.
                fail(address + " is blocked for longer than anybody asked for");
            }
        }
        for (const auto& [address, said] : said_) {
            // Of two undos the first may have succeeded, and the second failed.
            if (!said.end || failed_undos_.count(address) != 0 ||
                responder_.uncertain.count(address) != 0 || responder_.is_asking_for(address)) {
                continue;
            }
            if ((*said.end == kForever || *said.end - kSlack > now_) &&
                kernel_.ends.count(address) == 0) {
                fail(address + " was banned and is not blocked");
            }
        }
    }
    void check_settled() {
        const auto table = table_of();
        const auto journal = replay_journal(test::content_of(folder_ / "state/bans.journal")).bans;
        for (const auto& [key, ban] : journal) {
            if (table.count(key.address) == 0) {
                fail(key.address + " is in the journal only");
            }
        }
        if (journal.size() != table.size()) {
            fail("journal and table differ");
        }
        for (const auto& [address, end] : table) {
            const auto& said = said_[address];
            const auto held = kernel_.ends.find(address);
            if (!said.end) {
                fail(address + " is in the table, and no record says so");
            } else if (!is_near(end, std::max(*said.end, said.joined.value_or(*said.end)))) {
                fail(address + " has another end than its record says");
            } else if (held == kernel_.ends.end() && (end == kForever || end - kSlack > now_)) {
                fail(address + " is in the table and not blocked");
            } else if (held != kernel_.ends.end() && !is_near(held->second, end)) {
                fail(address + " has another end in the kernel than in the table");
            } else if (held != kernel_.ends.end() &&
                       kernel_.kinds.at(address) != row_of(address)->block) {
                fail(address + " is blocked in another way than the table says");
            }
        }
        for (const auto& [address, end] : kernel_.ends) {
            if (table.count(address) == 0 && kernel_.foreign.count(address) == 0) {
                fail(address + " is blocked and not in the table");
            }
        }
        for (const auto& [address, said] : said_) {
            if (said.end && (*said.end == kForever || *said.end > now_) &&
                table.count(address) == 0) {
                fail(address + " was banned and is not in the table");
            }
        }
    }

    std::mt19937 random_;
    test::TemporaryFolder folder_;
    test::FakeClock clock_;
    test::RecordingLog log_;
    NobodyIsProtected protection_;
    Kernel kernel_;
    FakeResponder responder_;
    int max_bans_per_minute_;
    std::optional<Journal> journal_;
    std::unique_ptr<Executor> executor_;
    Moment now_{0};
    Moment steps_{0};
    std::map<base::Timestamp, Moment> steps_at_;
    std::vector<std::pair<Moment, nanoseconds>> clock_steps_;
    std::size_t steps_seen_ = 0;  // by the execd that runs
    bool is_requesting_ = false;
    std::map<std::string, Said> said_;
    std::map<std::string, seconds> longest_timeout_;
    std::map<std::string, Moment> longest_;
    std::set<std::string> failed_undos_;
};

}  // namespace

TEST_CASE("executor: what is recorded, listed, on disk and in the kernel are the same bans") {
    const auto first = test::first_seed();
    for (std::uint32_t seed = first; seed < first + test::rounds(60); ++seed) {
        World world(seed);
        world.run();
        INFO("seed " << seed << "\n" << world.story << world.problem);
        REQUIRE(world.problem.empty());
    }
}
