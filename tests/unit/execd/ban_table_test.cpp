#include "engine/execd/ban_table.hpp"

#include <catch2/catch.hpp>

using namespace portcullis;
using namespace portcullis::execd;
using base::Timestamp;
using std::chrono::seconds;

namespace {

const Timestamp kStart{seconds(1'700'000'000)};

Ban ban_of(const std::string& address, Timestamp until,
           const std::string& executable = "firewall-drop") {
    Ban ban;
    ban.key = {executable, address, "-"};
    ban.is_persistent = true;
    ban.since = kStart;
    ban.until = until;
    return ban;
}

BanEntry& put(BanTable& table, const Ban& ban) {
    BanEntry& entry = table.find_or_add(ban.key);
    entry.ban = ban;
    table.set_due(entry, ban.until);
    return entry;
}

}  // namespace

TEST_CASE("ban_table: bans of the journal are due at their end, and their effect is uncertain") {
    const Ban timed = ban_of("192.0.2.1", kStart + seconds(60));
    const Ban permanent = ban_of("192.0.2.2", kNever);
    const std::map<BanKey, Ban> bans{{timed.key, timed}, {permanent.key, permanent}};
    BanTable table(bans);
    CHECK(table.size() == 2);
    CHECK(table.bans() == bans);
    CHECK(table.next_due() == timed.until);
    const BanEntry& entry = table.find(timed.key)->second;
    CHECK(entry.state == BanState::Kept);
    CHECK(entry.effect.ban == timed);
    CHECK(entry.effect.is_uncertain);
}

TEST_CASE("ban_table: the entry that has been due for the longest time comes first") {
    BanTable table({});
    put(table, ban_of("192.0.2.1", kStart + seconds(60)));
    put(table, ban_of("192.0.2.2", kStart + seconds(30)));
    put(table, ban_of("192.0.2.3", kNever));
    CHECK(table.first_due(kStart + seconds(29)) == table.end());
    const auto first = table.first_due(kStart + seconds(60));
    REQUIRE(first != table.end());
    CHECK(first->first.address == "192.0.2.2");
    table.set_due(first->second, kStart + seconds(90));
    CHECK(table.first_due(kStart + seconds(60))->first.address == "192.0.2.1");
    table.erase(table.first_due(kStart + seconds(60)));
    CHECK(table.first_due(kStart + seconds(60)) == table.end());
    CHECK(table.next_due() == kStart + seconds(90));
    table.set_due(table.first_due(kStart + seconds(90))->second, kNever);
    CHECK_FALSE(table.next_due().has_value());
}

TEST_CASE("ban_table: a step of the clock leaves every ban the time that it had left") {
    const seconds step(-3600);
    BanTable table({});
    Ban ban = ban_of("192.0.2.1", kStart + seconds(60));
    ban.soft_until = kStart + seconds(120);
    BanEntry& entry = put(table, ban);
    entry.effect.ban = ban;
    entry.applied_until = ban.until;
    put(table, ban_of("192.0.2.2", kNever));
    table.clock_jumped(step);
    CHECK(table.clock_steps() == step);
    CHECK(entry.ban == moved(ban, step));
    CHECK(entry.ban.until == kStart + seconds(60) + step);
    CHECK(entry.ban.soft_until == kStart + seconds(120) + step);
    CHECK(entry.effect.ban == entry.ban);
    CHECK(entry.applied_until == entry.ban.until);
    CHECK(table.next_due() == entry.ban.until);
    CHECK(table.find(BanKey{"firewall-drop", "192.0.2.2", "-"})->second.ban.until == kNever);
    CHECK(table.first_due(entry.ban.until)->second.ban == entry.ban);
}

TEST_CASE("ban_table: jobs are numbered across all bans, and set the state") {
    BanTable table({});
    BanEntry& one = put(table, ban_of("192.0.2.1", kNever));
    BanEntry& other = put(table, ban_of("192.0.2.2", kNever));
    const auto first = table.begin_job(one, BanState::Adding);
    const auto second = table.begin_job(other, BanState::Undoing);
    CHECK(first < second);
    CHECK(one.last_job == first);
    CHECK(one.state == BanState::Adding);
    CHECK_FALSE(one.is_being_undone());
    CHECK(other.is_being_undone());
    other.state = BanState::UndoFailed;
    CHECK(other.is_being_undone());
}

TEST_CASE("ban_table: an answer says what the kernel holds, unless a newer answer is known") {
    BanTable table({});
    const Ban ban = ban_of("192.0.2.1", kStart + seconds(60));
    BanEntry& entry = put(table, ban);
    entry.failed_attempts = 3;
    entry.interrupted_undo = "unbanned by hand";
    JobResult lost;
    lost.ok = false;
    lost.may_have_happened = true;

    entry.note_answer(table.begin_job(entry, BanState::Adding), ban, lost);
    CHECK_FALSE(entry.effect.ban.has_value());
    CHECK(entry.effect.is_uncertain);
    CHECK(entry.interrupted_undo.has_value());

    const auto add = table.begin_job(entry, BanState::Adding);
    const auto undo = table.begin_job(entry, BanState::Undoing);
    entry.note_answer(undo, std::nullopt, {});
    CHECK_FALSE(entry.effect.ban.has_value());
    CHECK_FALSE(entry.effect.is_uncertain);
    CHECK(entry.failed_attempts == 0);
    CHECK_FALSE(entry.interrupted_undo.has_value());
    entry.note_answer(add, ban, {});
    CHECK_FALSE(entry.effect.ban.has_value());

    entry.note_answer(table.begin_job(entry, BanState::Adding), ban, {});
    CHECK(entry.effect.ban == ban);
    JobResult refused;
    refused.ok = false;
    entry.note_answer(table.begin_job(entry, BanState::Adding), ban, refused);
    CHECK(entry.effect.ban == ban);
    CHECK_FALSE(entry.effect.is_uncertain);
}

TEST_CASE("ban_table: a soft block follows a hard one if a second of it is left") {
    BanEntry entry;
    entry.ban = ban_of("192.0.2.1", kStart);
    CHECK_FALSE(entry.is_followed_by_soft_block(kStart));
    entry.ban.soft_until = kStart + seconds(1);
    CHECK(entry.is_followed_by_soft_block(kStart));
    CHECK_FALSE(entry.is_followed_by_soft_block(kStart - seconds(1)));
    CHECK_FALSE(entry.is_followed_by_soft_block(kStart + std::chrono::milliseconds(1)));
    entry.state = BanState::UndoFailed;
    CHECK_FALSE(entry.is_followed_by_soft_block(kStart));
}

TEST_CASE("ban_table: what a ban explains depends on its responder, its undo and dry runs") {
    BanTable table({});
    BanEntry& entry = put(table, ban_of("192.0.2.1", kNever));
    put(table, ban_of("192.0.2.2", kNever, "other"));
    put(table, ban_of("192.0.2.3", kNever)).ban.is_dry = true;
    CHECK(table.has_ban("firewall-drop", "192.0.2.1", BanFilter::Kept));
    CHECK_FALSE(table.has_ban("other", "192.0.2.1", BanFilter::All));
    CHECK(table.is_explained("192.0.2.1", BanFilter::Kept));
    CHECK(table.is_explained("192.0.2.2", BanFilter::Kept));
    CHECK_FALSE(table.is_explained("192.0.2.3", BanFilter::All));
    CHECK_FALSE(table.is_explained("192.0.2.4", BanFilter::All));
    CHECK(table.has_hard_ban(entry.ban.key));
    CHECK(table.responders() == std::set<std::string>{"firewall-drop", "other"});
    table.begin_job(entry, BanState::Undoing);
    CHECK(table.has_ban("firewall-drop", "192.0.2.1", BanFilter::All));
    CHECK_FALSE(table.has_ban("firewall-drop", "192.0.2.1", BanFilter::Kept));
    CHECK_FALSE(table.is_explained("192.0.2.1", BanFilter::Kept));
    CHECK_FALSE(table.has_hard_ban(entry.ban.key));
}
