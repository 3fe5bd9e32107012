#include "engine/state/file_state_store.hpp"

#include <set>

#include "tests/support/file_size_limit.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

namespace portcullis::state {
namespace {

using test::content_of;
using test::overwrite;
using Text = std::optional<std::string>;

constexpr rules::LastLogs::Limits kLimits{.logs = 40, .bytes = 100'000};

void flush_all(LastLogFiles& files) {
    while (files.has_pending()) {
        REQUIRE(files.flush());
    }
}

std::size_t file_count(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
}

TEST_CASE("last_log_files: each host and rule has a file that holds its last log") {
    const test::TemporaryFolder folder;
    const std::string diff = folder / "diff";
    LastLogFiles files(diff, kLimits);
    REQUIRE(files.load());
    CHECK(files.exchange("gate", 533, "ports 22") == Text());
    CHECK(files.exchange("gate", 534, "users 1") == Text());
    CHECK(files.exchange("gate", 533, "ports 22,80") == Text("ports 22"));
    flush_all(files);
    CHECK(content_of(diff + "/gate/533/last-entry") == "ports 22,80");

    LastLogFiles next(diff, kLimits);
    REQUIRE(next.load());
    CHECK_FALSE(next.has_pending());
    CHECK(next.exchange("gate", 533, "ports 22,80") == Text("ports 22,80"));
    CHECK_FALSE(next.has_pending());  // equal: nothing is to be written
    CHECK(next.exchange("gate", 534, "users 2") == Text("users 1"));
    CHECK(next.has_pending());
}

TEST_CASE("last_log_files: host names of logs lead to no other folder and stay different") {
    const std::vector<std::string> hosts{"..",
                                         "../../etc",
                                         ".",
                                         "a/b",
                                         "a%2Fb",
                                         "",
                                         "%",
                                         ".hidden",
                                         std::string("a\0b", 3),
                                         "a b",
                                         "\xff",
                                         "%~",
                                         "a\n",
                                         std::string(300, 'h'),
                                         std::string(301, 'h'),
                                         std::string(100, '/')};
    std::set<std::string> names;
    for (const std::string& host : hosts) {
        const std::string name = folder_name_of(host);
        CAPTURE(host, name);
        CHECK(name.find('/') == std::string::npos);
        CHECK(name.find('\0') == std::string::npos);
        CHECK_FALSE(name.starts_with('.'));
        CHECK(name.size() < 255);
        CHECK(names.insert(name).second);
    }
    for (const std::string_view plain : {"gate", "mail.example.org", "fe80::1", "A_b-9"}) {
        CHECK(folder_name_of(plain) == plain);
    }
    const test::TemporaryFolder folder;
    LastLogFiles files(folder / "diff", {});
    for (const std::string& host : hosts) {
        files.exchange(host, 1, "log");
    }
    flush_all(files);
    CHECK(file_count(folder / "diff") == hosts.size());
    CHECK(file_count(folder.path()) == hosts.size());
}

TEST_CASE("last_log_files: files are bounded as the table is") {
    const test::TemporaryFolder folder;
    const std::string diff = folder / "diff";
    LastLogFiles files(diff, kLimits);
    REQUIRE(files.load());
    for (int i = 0; i < 500; ++i) {
        files.exchange("host" + std::to_string(i), 1, "log");
        if (i % 10 == 0) {
            REQUIRE(files.flush());
            CHECK(file_count(diff) <= 2 * kLimits.logs);
        }
    }
    files.exchange("host499", 1, "other");
    flush_all(files);
    CHECK(file_count(diff) == kLimits.logs);
    CHECK(files.logs().evicted() == 460);
    CHECK_FALSE(std::filesystem::exists(diff + "/host0"));

    std::filesystem::last_write_time(
        diff + "/host499/1/last-entry",
        std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
    // more than there is room for: the newest are kept, the others removed
    LastLogFiles fewer(diff, {.logs = 5, .bytes = 100'000});
    REQUIRE(fewer.load());
    CHECK(fewer.logs().size() == 5);
    flush_all(fewer);
    CHECK(file_count(diff) == 5);
    CHECK(fewer.exchange("host499", 1, "other") == Text("other"));
}

TEST_CASE("last_log_files: what comes back before its file was removed keeps it") {
    const test::TemporaryFolder folder;
    LastLogFiles files(folder / "diff", {.logs = 1, .bytes = 1'000});
    files.exchange("a", 1, "one");
    flush_all(files);
    files.exchange("b", 1, "two");
    files.exchange("a", 1, "three");  // b was never written
    flush_all(files);
    CHECK(file_count(folder / "diff") == 1);
    CHECK(content_of(folder / "diff/a/1/last-entry") == "three");
    files.exchange("b", 1, "two");
    flush_all(files);
    CHECK(file_count(folder / "diff") == 1);
    CHECK(content_of(folder / "diff/b/1/last-entry") == "two");
}

TEST_CASE("last_log_files: files of other kinds are skipped") {
    const test::TemporaryFolder folder;
    const std::string diff = folder / "diff";
    for (const char* name : {"gate/533", "gate/534", "gate/x", "gate/-1", "other"}) {
        std::filesystem::create_directories(diff + "/" + name);
    }
    overwrite(diff + "/gate/533/last-entry", "from OSSEC\n");
    overwrite(diff + "/gate/533/last-entry.new", "torn");
    overwrite(diff + "/gate/534/last-entry", std::string(LastLogFiles::kMaxLogBytes, 'x'));
    overwrite(diff + "/gate/x/last-entry", "log");
    overwrite(diff + "/gate/-1/last-entry", "log");
    overwrite(diff + "/plain-file", "log");
    std::filesystem::create_symlink("/etc", diff + "/link");
    LastLogFiles files(diff, kLimits);
    REQUIRE(files.load());
    CHECK(files.logs().size() == 1);
    CHECK(files.exchange("gate", 533, "now") == Text("from OSSEC"));
}

TEST_CASE("file_state_store: the next run knows what the last one remembered") {
    const test::TemporaryFolder folder;
    test::RecordingLog log;
    base::Diagnostics diagnostics;
    {
        FileStateStore store(folder.path());
        store.load(diagnostics);
        store.remember_first_time("first");
        store.ignore("ignored");
        store.exchange_last_log("gate", 1, "log");
        CHECK(store.has_pending());
        CHECK(store.sync(log));
        CHECK_FALSE(store.has_pending());
    }
    FileStateStore next(folder.path());
    next.load(diagnostics);
    CHECK(next.knows_first_time("first"));
    CHECK_FALSE(next.knows_first_time("ignored"));
    CHECK(next.is_ignored("ignored"));
    CHECK(next.exchange_last_log("gate", 1, "new") == Text("log"));
    CHECK(next.counters().first_time_keys == 1);
    next.clear();
    CHECK_FALSE(next.knows_first_time("first"));
    CHECK(diagnostics.all().empty());
    CHECK(log.messages.empty());
    CHECK(content_of(folder / "fts/ig-queue") == "ignored\n");
}

TEST_CASE("file_state_store: a full disk is said once, and so is its end") {
    const test::TemporaryFolder folder;
    test::RecordingLog log;
    FileStateStore store(folder.path());
    {
        const test::FileSizeLimit full(0);
        for (int i = 0; i < 5; ++i) {
            store.remember_first_time(std::to_string(i));
            store.exchange_last_log("gate", i + 1, "log");
            CHECK_FALSE(store.flush(log));
        }
        CHECK_FALSE(store.flush_keys(log));
    }
    CHECK(log.messages.size() == 1);
    CHECK(log.count("is kept in memory") == 1);
    CHECK(store.flush(log));
    CHECK(log.messages.size() == 2);
    CHECK(store.counters().write_failures == 6);
    CHECK(content_of(folder / "fts/fts-queue") == "0\n1\n2\n3\n4\n");
    CHECK(file_count(folder / "diff") == 5);
}

TEST_CASE("file_state_store: keys are written before last logs are all there") {
    const test::TemporaryFolder folder;
    test::RecordingLog log;
    FileStateStore store(folder.path());
    for (int i = 0; i < 1'000; ++i) {
        store.remember_first_time(std::string(200, 'k') + std::to_string(i));
        store.exchange_last_log("gate", i + 1, "log");
    }
    CHECK(store.flush_keys(log));
    FileStateStore next(folder.path());
    base::Diagnostics diagnostics;
    next.load(diagnostics);
    CHECK(next.counters().first_time_keys == 1'000);
    CHECK(store.has_pending());
}

TEST_CASE("file_state_store: what cannot be read is a warning, and begins empty") {
    const test::TemporaryFolder folder;
    std::filesystem::create_directories(folder / "fts/fts-queue");
    overwrite(folder / "diff", "no folder");
    FileStateStore store(folder.path());
    base::Diagnostics diagnostics;
    store.load(diagnostics);
    CHECK(diagnostics.all().size() == 2);
    CHECK_FALSE(diagnostics.has_errors());
    CHECK(store.counters().first_time_keys == 0);
}

}  // namespace
}  // namespace portcullis::state
