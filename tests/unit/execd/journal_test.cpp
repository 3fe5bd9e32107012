#include "engine/execd/journal.hpp"

#include <sys/stat.h>

#include "base/response_message.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using std::chrono::seconds;

namespace {

Ban ban_of(const std::string& address) {
    Ban ban;
    ban.key = {"firewall-drop", address, "-"};
    ban.command = "firewall-drop";
    ban.is_persistent = true;
    ban.location = "host->\xff\n";
    ban.timeout = seconds(600);
    ban.since = base::Timestamp(seconds(1'700'000'000));
    ban.until = ban.since + ban.timeout;
    return ban;
}

Journal open_journal(const test::TemporaryFolder& folder, JournalState& state) {
    auto journal = Journal::open(folder / "execd", state);
    REQUIRE(journal.has_value());
    return std::move(*journal);
}

}  // namespace

TEST_CASE("journal: what was put is there at the next start, what was undone is not") {
    const test::TemporaryFolder folder;
    JournalState state;
    {
        auto journal = open_journal(folder, state);
        CHECK(journal.put(ban_of("192.0.2.1")));
        CHECK(journal.put(ban_of("192.0.2.2")));
        auto longer = ban_of("192.0.2.2");
        longer.timeout = seconds(0);
        longer.until = kNever;
        CHECK(journal.put(longer));
        CHECK(journal.put_undone({"firewall-drop", "192.0.2.1", "-"}));
        CHECK(journal.put(Offender{{"firewall-drop", "192.0.2.1", "-"}, 2, longer.since}));
        CHECK(journal.needs_sync());
        journal.sync();
        CHECK_FALSE(journal.needs_sync());
    }
    open_journal(folder, state);
    REQUIRE(state.bans.size() == 1);
    const Ban& kept = state.bans.begin()->second;
    CHECK(kept.key.address == "192.0.2.2");
    CHECK(kept.until == kNever);
    CHECK(kept.timeout == seconds(0));
    CHECK(state.offenders.begin()->second.offences == 2);
    CHECK(state.damaged == 0);
}

TEST_CASE("journal: file and folder are for root alone, and a symbolic link is not followed") {
    const test::TemporaryFolder folder;
    JournalState state;
    open_journal(folder, state);
    struct stat status {};
    REQUIRE(::stat((folder / "execd").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    REQUIRE(::stat((folder / "execd/bans.journal").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    std::filesystem::remove(folder / "execd/bans.journal");
    std::filesystem::create_symlink(folder / "elsewhere", folder / "execd/bans.journal");
    CHECK_FALSE(Journal::open(folder / "execd", state).has_value());
}

TEST_CASE("journal: cut at any byte, it holds every whole record before the cut") {
    const test::TemporaryFolder folder;
    JournalState state;
    auto journal = open_journal(folder, state);
    std::vector<std::size_t> ends;
    for (int i = 1; i <= 3; ++i) {
        journal.put(ban_of("192.0.2." + std::to_string(i)));
        ends.push_back(test::content_of(folder / "execd/bans.journal").size());
    }
    const std::string bytes = test::content_of(folder / "execd/bans.journal");
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        const auto whole = static_cast<std::size_t>(
            std::count_if(ends.begin(), ends.end(), [&](std::size_t end) { return end <= cut; }));
        const auto replayed = replay_journal(std::string_view(bytes).substr(0, cut));
        CAPTURE(cut);
        CHECK(replayed.bans.size() == whole);
        CHECK(replayed.damaged <= 1);
    }
}

TEST_CASE("journal: after a torn record the next one counts") {
    const test::TemporaryFolder folder;
    JournalState state;
    open_journal(folder, state).put(ban_of("192.0.2.1"));
    const std::string path = folder / "execd/bans.journal";
    const std::string line = test::content_of(path);
    test::append_to(path, line.substr(0, line.size() / 2));
    open_journal(folder, state).put(ban_of("192.0.2.2"));
    open_journal(folder, state);
    CHECK(state.bans.size() == 2);
    CHECK(state.damaged == 1);
}

TEST_CASE("journal: one flipped bit costs one record, never another") {
    const test::TemporaryFolder folder;
    JournalState state;
    auto journal = open_journal(folder, state);
    for (int i = 1; i <= 3; ++i) {
        journal.put(ban_of("192.0.2." + std::to_string(i)));
    }
    const std::string bytes = test::content_of(folder / "execd/bans.journal");
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ 1);
        CAPTURE(i);
        CHECK(replay_journal(flipped).bans.size() >= 1);  // a lost line feed joins two lines
        CHECK(replay_journal(flipped).bans.size() <= 3);
    }
}

TEST_CASE("journal: compaction keeps the state and drops the history") {
    const test::TemporaryFolder folder;
    JournalState state;
    auto journal = open_journal(folder, state);
    for (int i = 0; i < 5000; ++i) {
        journal.put(ban_of("192.0.2.1"));
    }
    CHECK(journal.wants_compaction(1));
    JournalState live;
    live.bans[ban_of("192.0.2.1").key] = ban_of("192.0.2.1");
    REQUIRE(journal.compact(live).has_value());
    CHECK_FALSE(journal.wants_compaction(1));
    journal.put(ban_of("192.0.2.2"));
    open_journal(folder, state);
    CHECK(state.records == 2);
    CHECK(state.bans.size() == 2);
}

TEST_CASE("journal: grade, kind and the soft block that follows are kept") {
    const test::TemporaryFolder folder;
    JournalState state;
    Ban ban = ban_of("192.0.2.1");
    ban.evidence = base::Evidence::Forgeable;
    ban.block = base::BlockKind::Soft;
    ban.soft_until = ban.until + seconds(120);
    open_journal(folder, state).put(ban);
    open_journal(folder, state);
    REQUIRE(state.bans.size() == 1);
    const Ban& kept = state.bans.begin()->second;
    CHECK(kept.evidence == ban.evidence);
    CHECK(kept.block == ban.block);
    CHECK(kept.soft_until == ban.soft_until);
}

TEST_CASE("journal: lines of earlier versions are read as hard bans for what is proven") {
    const auto state = replay_journal(
        "9435e54e {\"ban\":{\"address\":\"192.0.2.1\",\"alert_id\":\"-\",\"command\":"
        "\"firewall-drop\",\"dry\":false,\"executable\":\"firewall-drop\",\"filename\":\"-\","
        "\"location\":\"-\",\"persistent\":true,\"rule_id\":0,\"since\":1700000000000000000,"
        "\"timeout\":600,\"until\":1700000600000000000,\"user\":\"-\"}}\n");
    CHECK(state.damaged == 0);
    REQUIRE(state.bans.size() == 1);
    const Ban& ban = state.bans.begin()->second;
    CHECK(ban.evidence == base::Evidence::Proven);
    CHECK(ban.block == base::BlockKind::Hard);
    CHECK(ban.until == base::Timestamp(seconds(1'700'000'600)));
}

TEST_CASE("journal: absurd records make no ban") {
    const auto year = seconds(366 * 24 * 3600);
    const struct {
        const char* what;
        void (*spoil)(Ban&);
        bool is_kept;  // as one that is over, so that the start undoes it
    } rows[] = {
        {"until before since", [](Ban& ban) { ban.until = ban.since - seconds(1000); }, true},
        {"a negative timeout", [](Ban& ban) { ban.timeout = seconds(-1); }, true},
        {"more than ten years",
         [](Ban& ban) {
             ban.timeout = base::kMaxBanTime + seconds(1);
             ban.until = ban.since + ban.timeout;
         },
         true},
        {"no end", [](Ban& ban) { ban.until = kNever; }, true},
        {"an end that its timeout does not say", [](Ban& ban) { ban.until += seconds(3600); },
         true},
        {"since before 1970",
         [](Ban& ban) {
             ban.since = base::Timestamp(seconds(-5));
             ban.until = ban.since + ban.timeout;
         },
         true},
        {"since in the far future",
         [](Ban& ban) {
             ban.since = base::Timestamp(seconds(9'000'000'000));
             ban.until = ban.since + ban.timeout;
         },
         true},
        {"an endless soft block", [](Ban& ban) { ban.soft_until = kNever - seconds(1); }, true},
        {"reserved", [](Ban& ban) { ban.key.address = "240.0.0.1"; }, true},
        {"unspecified", [](Ban& ban) { ban.key.address = "0.0.0.0"; }, true},
        {"loopback", [](Ban& ban) { ban.key.address = "127.0.0.1"; }, true},
        {"multicast", [](Ban& ban) { ban.key.address = "ff02::1"; }, true},
        {"no address", [](Ban& ban) { ban.key.address = "all"; }, false},
        {"not canonical", [](Ban& ban) { ban.key.address = "2001:DB8::1"; }, false},
        {"a path", [](Ban& ban) { ban.key.executable = "../sh"; }, false},
        {"an option", [](Ban& ban) { ban.key.user = "--all"; }, false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        const test::TemporaryFolder folder;
        JournalState state;
        Ban ban = ban_of("192.0.2.1");
        row.spoil(ban);
        open_journal(folder, state).put(ban);
        open_journal(folder, state);
        CHECK(state.damaged == 0);
        CHECK(state.absurdities.size() == 1);
        CHECK(state.bans.size() == (row.is_kept ? 1 : 0));
        for (const auto& [key, kept] : state.bans) {
            CHECK(kept.until < ban_of("192.0.2.1").since - year);
        }
    }
}

TEST_CASE("journal: of an offender only what is possible counts") {
    const test::TemporaryFolder folder;
    JournalState state;
    {
        auto journal = open_journal(folder, state);
        const base::Timestamp now(seconds(1'700'000'000));
        journal.put(Offender{{"firewall-drop", "192.0.2.1", "-"}, 2'000'000'000, now});
        journal.put(Offender{{"firewall-drop", "192.0.2.2", "-"}, 1, kNever});
        journal.put(Offender{{"firewall-drop", "all", "-"}, 1, now});
    }
    open_journal(folder, state);
    CHECK(state.offenders.size() == 1);
    CHECK(state.offenders.begin()->second.offences == 1000);
    CHECK(state.absurdities.size() == 2);
}
