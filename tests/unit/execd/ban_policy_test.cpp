#include "engine/execd/ban_policy.hpp"

#include "base/ban_target.hpp"
#include "tests/support/executor_bench.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using base::BlockChoice;
using base::BlockKind;
using base::Evidence;
using base::Timestamp;
using execd_test::FakeProtection;
using execd_test::Texts;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const Timestamp kStart{seconds(1'700'000'000)};

struct Policy {
    explicit Policy(std::map<BanKey, Offender> offenders = {})
        : policy(config, protection, std::move(offenders)) {}

    ExecdConfig config;
    FakeProtection protection;
    BanPolicy policy;
};

CheckedRequest request_of(const std::string& address, Evidence evidence = Evidence::Proven,
                          seconds timeout = seconds(600), Timestamp time = kStart) {
    CheckedRequest request;
    request.target = base::parse_ban_target(address);
    request.ban.key = {"firewall-drop", address, "-"};
    request.ban.timeout = timeout;
    request.ban.evidence = evidence;
    request.ban.block = evidence == Evidence::Proven ? BlockKind::Hard : BlockKind::Soft;
    request.evidence_time = time;
    return request;
}

Ban ban_of(const CheckedRequest& request, Timestamp now = kStart) {
    Ban ban = request.ban;
    ban.since = now;
    ban.until = end_after(now, ban.timeout);
    return ban;
}

}  // namespace

TEST_CASE("ban_policy: the grade of the evidence and <block> decide the kind and the time") {
    const struct {
        BlockChoice block;
        Evidence evidence;
        Verdict verdict;
        BlockKind kind;
        int seconds;
    } rows[] = {
        {BlockChoice::Auto, Evidence::Proven, Verdict::Block, BlockKind::Hard, 600},
        {BlockChoice::Auto, Evidence::Forgeable, Verdict::Block, BlockKind::Soft, 120},
        {BlockChoice::Auto, Evidence::Doubtful, Verdict::Report, BlockKind::Hard, 120},
        {BlockChoice::Hard, Evidence::Forgeable, Verdict::Block, BlockKind::Hard, 120},
        {BlockChoice::Soft, Evidence::Proven, Verdict::Block, BlockKind::Soft, 600},
    };
    Policy world;
    for (const auto& row : rows) {
        CAPTURE(static_cast<int>(row.block), static_cast<int>(row.evidence));
        CheckedRequest checked = request_of("192.0.2.1");
        checked.binding = {"firewall-drop", seconds(600), row.block, seconds(120)};
        base::RespondRequest request;
        request.evidence = row.evidence;
        CHECK(world.policy.judge_evidence(checked, request, false, kStart) == row.verdict);
        CHECK(checked.ban.timeout == seconds(row.seconds));
        CHECK(checked.ban.block == row.kind);
    }
}

TEST_CASE("ban_policy: an open connection makes the block soft, unless a hard ban lasts") {
    Policy world;
    world.protection.connected.insert("192.0.2.1");
    base::RespondRequest request;
    request.of_packets = true;
    for (const bool has_hard_ban : {false, true}) {
        CheckedRequest checked = request_of("192.0.2.1");
        checked.binding = {"firewall-drop", seconds(600), BlockChoice::Auto, seconds(0)};
        CHECK(world.policy.judge_evidence(checked, request, has_hard_ban, kStart) ==
              Verdict::Block);
        CHECK(checked.ban.block == (has_hard_ban ? BlockKind::Hard : BlockKind::Soft));
    }
}

TEST_CASE("ban_policy: evidence is too old when its ban would be over within a second") {
    Policy world;
    base::RespondRequest request;
    request.evidence_time = 1'700'000'000;
    const auto judge = [&](seconds age) {
        CheckedRequest checked = request_of("192.0.2.1");
        checked.binding = {"firewall-drop", seconds(60), BlockChoice::Auto, seconds(0)};
        return world.policy.judge_evidence(checked, request, false, kStart + age);
    };
    CHECK(judge(seconds(60)) == Verdict::Block);
    CHECK(judge(seconds(61)) == Verdict::TooOld);
    CheckedRequest expired = request_of("192.0.2.1");
    CHECK(add_age_of_expired(expired, kStart + seconds(700)) == seconds(700));
    CHECK(expired.record.steps == Texts{"age: 700 s, too old"});
}

TEST_CASE("ban_policy: a protected address is spared, and the record says why") {
    Policy world;
    world.protection.reasons["192.0.2.1"] = "own address";
    CheckedRequest spared = request_of("192.0.2.1");
    CHECK(world.policy.reason_to_spare(spared) == "own address");
    CHECK(spared.record.steps == Texts{"protected: own address"});
    CheckedRequest other = request_of("192.0.2.2");
    CHECK_FALSE(world.policy.reason_to_spare(other).has_value());
    CHECK(other.record.steps == Texts{"protected: no"});
    CheckedRequest of_user;
    CHECK_FALSE(world.policy.reason_to_spare(of_user).has_value());
    CHECK(of_user.record.steps.empty());
    CHECK(world.policy.reason_to_lift(*spared.target) == "own address");
    CHECK_FALSE(world.policy.reason_to_lift(*other.target).has_value());
}

TEST_CASE("ban_policy: the limits of all bans and of bans in a minute are named") {
    Policy world;
    world.config.max_bans = 10;
    world.config.max_bans_per_minute = 1;
    CheckedRequest first = request_of("192.0.2.1");
    CHECK(world.policy.take_room(first, 10, kStart) == "max_bans (10) is reached");
    CHECK_FALSE(world.policy.take_room(first, 9, kStart).has_value());
    CHECK(first.record.steps == Texts{"limit: 1 of 1"});
    CheckedRequest second = request_of("192.0.2.2");
    CHECK(world.policy.take_room(second, 9, kStart) == "max_bans_per_minute (1) is reached");
    CheckedRequest forgeable = request_of("192.0.2.3", Evidence::Forgeable);
    CHECK(world.policy.take_room(forgeable, 9, kStart) ==
          "the share of forgeable evidence in max_bans_per_minute (1) is reached");
    CheckedRequest by_hand = request_of("192.0.2.4");
    by_hand.is_manual = true;
    CHECK_FALSE(world.policy.take_room(by_hand, 9, kStart).has_value());
    CHECK_FALSE(world.policy.take_room(second, 9, kStart + minutes(1)).has_value());
}

TEST_CASE("ban_policy: under pressure a ban for forgeable evidence gets a part of its time") {
    Policy world;
    world.config.max_bans_per_minute = 4;
    CheckedRequest first = request_of("192.0.2.1", Evidence::Forgeable);
    CHECK_FALSE(world.policy.take_room(first, 0, kStart).has_value());
    CHECK_FALSE(first.short_timeout.has_value());
    CheckedRequest second = request_of("192.0.2.2", Evidence::Forgeable);
    CHECK_FALSE(world.policy.take_room(second, 0, kStart).has_value());
    CHECK(second.short_timeout == seconds(150));
}

TEST_CASE("ban_policy: what waits is taken when there is room, the loudest first") {
    Policy world;
    world.config.max_bans = 1;
    CheckedRequest quiet = request_of("192.0.2.1", Evidence::Forgeable);
    CheckedRequest loud = request_of("192.0.2.2");
    for (const auto& request : {quiet, loud}) {
        CHECK_FALSE(world.policy.defer(request, kStart).has_value());
    }
    CHECK(world.policy.deferred_count() == 2);
    CHECK(world.policy.next_attempt() == kStart + std::chrono::milliseconds(500));
    CHECK_FALSE(world.policy.take_next(1, kStart).has_value());
    auto next = world.policy.take_next(0, kStart);
    REQUIRE(next.has_value());
    CHECK(next->ban.key.address == "192.0.2.2");
    CHECK(next->deferred_at == kStart);
    next = world.policy.take_next(0, kStart);
    REQUIRE(next.has_value());
    CHECK(next->ban.key.address == "192.0.2.1");
    CHECK_FALSE(world.policy.take_next(0, kStart).has_value());
}

TEST_CASE("ban_policy: what waits ends by its age, a release or another ban") {
    Policy world;
    world.policy.defer(request_of("192.0.2.1", Evidence::Proven, seconds(60)), kStart);
    for (const char* address : {"192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}) {
        world.policy.defer(request_of(address), kStart);
    }
    const auto expired = world.policy.take_expired(kStart + seconds(60));
    REQUIRE(expired.size() == 1);
    CHECK(expired[0].ban.key.address == "192.0.2.1");
    CHECK(world.policy.take_released("192.0.2.2").size() == 1);
    CHECK(world.policy.take_released("192.0.2.2").empty());
    world.policy.forget_deferred({"firewall-drop", "192.0.2.3", "-"});
    CHECK(world.policy.deferred_count() == 2);
    CHECK(world.policy.take_released("").size() == 2);
    CHECK(world.policy.deferred_count() == 0);
}

TEST_CASE("ban_policy: an episode of deferrals ends a minute after the last one") {
    Policy world;
    CHECK(world.policy.note_deferral(kStart));
    CHECK_FALSE(world.policy.note_deferral(kStart + seconds(59)));
    CHECK_FALSE(world.policy.note_deferral(kStart + seconds(118)));
    CHECK(world.policy.note_deferral(kStart + seconds(178)));
    world.policy.clock_jumped(-std::chrono::hours(1), kStart);
    CHECK_FALSE(world.policy.note_deferral(kStart + seconds(179) - std::chrono::hours(1)));
}

TEST_CASE("ban_policy: only what is proven is an offence, and its steps grow") {
    Policy world;
    world.config.repeated_offenders = {minutes(30), minutes(60)};
    const CheckedRequest proven = request_of("192.0.2.1");
    const seconds times[] = {seconds(600), minutes(30), minutes(60), minutes(60)};
    for (const seconds time : times) {
        const Offence offence = world.policy.count_offence(proven, kStart);
        CHECK(offence.timeout == time);
        REQUIRE(offence.entry.has_value());
        CHECK(offence.entry->key == proven.ban.key);
        CHECK(offence.forgotten.empty());
    }
    const Offence forged =
        world.policy.count_offence(request_of("192.0.2.1", Evidence::Forgeable), kStart);
    CHECK(forged.timeout == seconds(600));
    CHECK_FALSE(forged.entry.has_value());
    CheckedRequest by_hand = proven;
    by_hand.is_manual = true;
    CHECK_FALSE(world.policy.count_offence(by_hand, kStart).entry.has_value());
    CHECK(world.policy.offenders().size() == 1);
}

TEST_CASE("ban_policy: a full history of offenders forgets the oldest one, and says so") {
    std::map<BanKey, Offender> offenders;
    for (std::size_t i = 0; i < BanPolicy::kMaxOffenders; ++i) {
        const BanKey key{"firewall-drop", std::to_string(i), "-"};
        offenders[key] = {key, 1, kStart + seconds(i)};
    }
    Policy world(std::move(offenders));
    world.config.repeated_offenders = {minutes(30)};
    const Offence offence = world.policy.count_offence(request_of("192.0.2.1"), kStart);
    CHECK(offence.forgotten == "0");
    CHECK(world.policy.offenders().size() == BanPolicy::kMaxOffenders);
    world.policy.limit_offences_to(kStart);
    CHECK(std::all_of(world.policy.offenders().begin(), world.policy.offenders().end(),
                      [](const auto& entry) { return entry.second.last <= kStart; }));
}

TEST_CASE("ban_policy: what a request makes of a ban that lasts") {
    Policy world;
    world.config.repeated_offenders = {minutes(30)};
    const Timestamp later = kStart + seconds(100);

    Ban hard = ban_of(request_of("192.0.2.1"));
    CheckedRequest again = request_of("192.0.2.1", Evidence::Proven, seconds(600), later);
    SECTION("proof prolongs it, and does not count as an offence") {
        CHECK_FALSE(world.policy.change_ban(hard, again, later).has_value());
        CHECK(hard.until == later + seconds(600));
        CHECK(hard.since == later);
    }
    SECTION("forgeable packets make no hard ban longer, but a soft one follows") {
        const Ban before = hard;
        const CheckedRequest forged =
            request_of("192.0.2.1", Evidence::Forgeable, seconds(600), later);
        CHECK_FALSE(world.policy.change_ban(hard, forged, later).has_value());
        CHECK(hard.until == before.until);
        CHECK(hard.soft_until == later + seconds(600));
        const Ban soft = soft_ban_after(hard, hard.until);
        CHECK(soft.block == BlockKind::Soft);
        CHECK(soft.evidence == Evidence::Forgeable);
        CHECK(soft.until == later + seconds(600));
        CHECK(soft.timeout == seconds(100));
        CHECK_FALSE(soft.soft_until.has_value());
    }
    SECTION("proof after forgeable packets makes a soft one hard, and is an offence") {
        Ban soft = ban_of(request_of("192.0.2.1", Evidence::Forgeable));
        const auto offence = world.policy.change_ban(soft, again, later);
        REQUIRE(offence.has_value());
        CHECK(offence->entry.has_value());
        CHECK(soft.block == BlockKind::Hard);
        CHECK(soft.until == later + seconds(600));
        CHECK(soft.soft_until == kStart + seconds(600));
    }
    SECTION("by hand it can become shorter") {
        again.is_manual = true;
        again.ban.timeout = seconds(10);
        CHECK_FALSE(world.policy.change_ban(hard, again, later).has_value());
        CHECK(hard.until == later + seconds(10));
    }
}

TEST_CASE("ban_policy: a release ends bans of the address and of its IPv6 network by response") {
    Ban ban;
    ban.key.address = "192.0.2.1";
    CHECK(is_released_with(ban, "192.0.2.1"));
    CHECK_FALSE(is_released_with(ban, "192.0.2.2"));
    ban.key.address = "2001:db8::/64";
    CHECK_FALSE(is_released_with(ban, "2001:db8::1"));
    CHECK(is_released_with(ban, "2001:db8::/64"));
    ban.rule_id = 99990;
    CHECK(is_released_with(ban, "2001:db8::1"));
    CHECK_FALSE(is_released_with(ban, "2001:db8:1::1"));
}
