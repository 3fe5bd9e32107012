#include "engine/execd/journal.hpp"

#include <sys/stat.h>

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
        longer.until = kNever;
        CHECK(journal.put(longer));
        CHECK(journal.undone({"firewall-drop", "192.0.2.1", "-"}));
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
    CHECK(kept.timeout == seconds(600));
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
