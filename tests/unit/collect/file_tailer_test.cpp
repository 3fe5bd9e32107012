#include "engine/collect/file_tailer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/fake_clock.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::collect;
using namespace std::chrono_literals;
using test::append_to;
using test::overwrite;
using Lines = std::vector<std::string>;

namespace {

// A folder, a log file in it, and a tailer on it that is asked as the collector would.
struct Tail {
    test::TemporaryFolder folder;
    std::string path = folder / "log";
    test::RecordingLog log;
    test::FakeClock clock;
    TailerCounters counters;
    FileTailer tailer{path, *find_log_format("syslog"), StartAt::End, log, counters};
    Lines events;  // of the collector itself

    // A tailer on the same path, as after a restart.
    void restart(const TailedPath& saved) {
        std::destroy_at(&tailer);
        std::construct_at(&tailer, path, *find_log_format("syslog"), StartAt::End, log, counters);
        tailer.resume_from(saved, clock.now());
    }

    Lines read() {
        Lines lines;
        const LineHandler handler = [&](std::string_view line, std::string_view location) {
            (location == kCollectorLocation ? events : lines).emplace_back(line);
        };
        tailer.close_quiet_files(clock.now(), handler);
        tailer.look_at_path(clock.now(), nullptr);
        while (tailer.read_available(handler, 100) == ReadOutcome::More) {
        }
        return lines;
    }
    void rename_log(const char* to) { std::filesystem::rename(path, folder / to); }
};

}  // namespace

TEST_CASE("file_tailer: content at the start is skipped, and added content is read") {
    Tail tail;
    append_to(tail.path, "old\n");
    CHECK(tail.read().empty());
    append_to(tail.path, "new\n");
    CHECK(tail.read() == Lines{"new"});
    CHECK(tail.read().empty());
    CHECK(tail.counters.lines == 1);
    CHECK(tail.counters.bytes == 4);
}

TEST_CASE("file_tailer: a file that is missing at the start is read from its first line") {
    Tail tail;
    CHECK(tail.read().empty());
    CHECK(tail.read().empty());
    CHECK(tail.log.count("no such file") == 1);
    append_to(tail.path, "first\n");
    CHECK(tail.read() == Lines{"first"});
}

TEST_CASE("file_tailer: a line without a newline waits for its rest") {
    Tail tail;
    append_to(tail.path, "x\n");
    tail.read();
    append_to(tail.path, "par");
    CHECK(tail.read().empty());
    append_to(tail.path, "tial\nnext");
    CHECK(tail.read() == Lines{"partial"});
}

TEST_CASE("file_tailer: a line that is unfinished at the start is read whole") {
    Tail tail;
    append_to(tail.path, "old\nunfin");
    CHECK(tail.read().empty());
    append_to(tail.path, "ished\n");
    CHECK(tail.read() == Lines{"unfinished"});
}

TEST_CASE("file_tailer: a rotated file is read to its end before the new one") {
    Tail tail;
    tail.read();
    append_to(tail.path, "1\n");
    CHECK(tail.read() == Lines{"1"});
    append_to(tail.path, "2\n");
    tail.rename_log("log.1");
    append_to(tail.path, "3\n");
    CHECK(tail.read() == Lines{"2", "3"});
    CHECK(tail.events == Lines{"ossec: File rotated (inode changed): '" + tail.path + "'."});
    CHECK(tail.counters.rotations == 1);
}

TEST_CASE("file_tailer: a writer that still has the rotated file open loses nothing") {
    Tail tail;
    tail.read();
    append_to(tail.path, "1\n");
    CHECK(tail.read() == Lines{"1"});
    tail.rename_log("log.1");
    CHECK(tail.read().empty());
    append_to(tail.folder / "log.1", "2\n");
    CHECK(tail.read() == Lines{"2"});
    append_to(tail.path, "3\n");
    CHECK(tail.read() == Lines{"3"});
    tail.clock.advance(50s);
    append_to(tail.folder / "log.1", "late\n");
    CHECK(tail.read() == Lines{"late"});
    tail.clock.advance(50s);
    append_to(tail.folder / "log.1", "later, no newline");
    CHECK(tail.read().empty());
    CHECK(tail.tailer.has_previous());
    tail.clock.advance(61s);
    CHECK(tail.read() == Lines{"later, no newline"});
    CHECK_FALSE(tail.tailer.has_previous());
}

TEST_CASE("file_tailer: many rotations at once keep a bounded number of files open") {
    Tail tail;
    tail.read();
    Lines expected;
    Lines lines;
    for (int i = 0; i < 20; ++i) {
        append_to(tail.path, std::to_string(i) + "\n");
        expected.push_back(std::to_string(i));
        const Lines more = tail.read();
        lines.insert(lines.end(), more.begin(), more.end());
        tail.rename_log(("log." + std::to_string(i)).c_str());
        CHECK(tail.tailer.descriptors().size() <= FileTailer::kMaxPrevious + 1);
    }
    CHECK(lines == expected);
}

TEST_CASE("file_tailer: a truncated file is read from the start of its new content") {
    struct Row {
        const char* what;
        std::string before;
        std::string after;
        Lines lines;
    };
    const std::string head(100, 'a');
    const Row rows[] = {
        {"shorter", "1\n2\n3\n", "4\n", {"4"}},
        {"of the same size", "1\n2\n", "3\n4\n", {"3", "4"}},
        {"longer", "1\n", "2\n3\n4\n", {"2", "3", "4"}},
        {"empty", "1\n", "", {}},
        {"an unfinished line is given out first", "1\nunfi", "2\n", {"unfi", "2"}},
        {"same head, other tail", head + "\n1\n", head + "\n2\n3\n", {head, "2", "3"}},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Tail tail;
        tail.read();
        append_to(tail.path, row.before);
        tail.read();
        overwrite(tail.path, row.after);
        CHECK(tail.read() == row.lines);
        CHECK(tail.counters.truncations == 1);
        CHECK(tail.events ==
              Lines{"ossec: File size reduced (inode remained): '" + tail.path + "'."});
        append_to(tail.path, "more\n");
        CHECK(tail.read() == Lines{"more"});
    }
}

TEST_CASE("file_tailer: a file that cannot be read is reported once and tried again") {
    Tail tail;
    std::filesystem::create_directory(tail.path);
    for (int i = 0; i < 3; ++i) {
        CHECK(tail.read().empty());
        CHECK(tail.tailer.is_failing());
    }
    CHECK(tail.log.count("it is a directory, not a file") == 1);
    std::filesystem::remove(tail.path);
    tail.read();
    CHECK_FALSE(tail.tailer.is_failing());
    append_to(tail.path, "a line\n");
    CHECK(tail.read() == Lines{"a line"});
}

TEST_CASE("file_tailer: a named pipe is read as it comes") {
    Tail tail;
    REQUIRE(mkfifo(tail.path.c_str(), 0600) == 0);
    CHECK(tail.read().empty());
    append_to(tail.path, "1\n2");
    CHECK(tail.read() == Lines{"1"});
    append_to(tail.path, "3\n");
    CHECK(tail.read() == Lines{"23"});
    CHECK_FALSE(tail.tailer.position().current);
}

TEST_CASE("file_tailer: after a restart reading continues at its position") {
    Tail tail;
    tail.read();
    append_to(tail.path, "1\nunfi");
    CHECK(tail.read() == Lines{"1"});
    const TailedPath saved = tail.tailer.position();

    SECTION("the same file") {
        append_to(tail.path, "nished\n2\n");
        tail.restart(saved);
        CHECK(tail.read() == Lines{"unfinished", "2"});
    }
    SECTION("rotated in between: the old one first, then all of the new one") {
        append_to(tail.path, "nished\n2\n");
        tail.rename_log("log.1");
        append_to(tail.path, "3\n");
        tail.restart(saved);
        CHECK(tail.read() == Lines{"unfinished", "2", "3"});
    }
    SECTION("rotated in between, and there is no new one yet") {
        append_to(tail.path, "nished\n");
        tail.rename_log("log.1");
        tail.restart(saved);
        CHECK(tail.read() == Lines{"unfinished"});
        append_to(tail.path, "2\n");
        CHECK(tail.read() == Lines{"2"});
    }
    SECTION("replaced in between") {
        std::filesystem::remove(tail.path);
        append_to(tail.path, "other content\n");
        tail.restart(saved);
        CHECK(tail.read() == Lines{"other content"});
    }
    SECTION("truncated in between, and grown beyond the position") {
        overwrite(tail.path, "2\n3\n4\n5\n6\n7\n");
        tail.restart(saved);
        CHECK(tail.read() == Lines{"2", "3", "4", "5", "6", "7"});
    }
    SECTION("rotated before, and still written to") {
        tail.rename_log("log.1");
        append_to(tail.path, "2\n");
        CHECK(tail.read() == Lines{"2"});
        const TailedPath later = tail.tailer.position();
        REQUIRE(later.previous.size() == 1);
        append_to(tail.folder / "log.1", "nished\n");
        append_to(tail.path, "3\n");
        tail.restart(later);
        CHECK(tail.read() == Lines{"unfinished", "3"});
    }
}

// A user who may write to a followed log could otherwise hold up all the others: by a file of
// holes, or by writing faster than the lines are analysed.
TEST_CASE("file_tailer: a huge rotated file is given up in small steps, none of which is endless") {
    constexpr std::uint64_t kHole = std::uint64_t{1} << 40;
    constexpr std::uint64_t kMostPerStep = std::uint64_t{2} << 20;
    Tail tail;
    const LineHandler ignore = [](std::string_view, std::string_view) {};
    tail.read();
    const auto step = [&](std::size_t budget) {
        const std::uint64_t before = tail.counters.bytes;
        tail.tailer.close_quiet_files(tail.clock.now(), ignore);
        tail.tailer.look_at_path(tail.clock.now(), nullptr);
        tail.tailer.read_available(ignore, budget);
        return tail.counters.bytes - before;
    };
    const std::size_t rotations = FileTailer::kMaxPrevious + FileTailer::kMaxClosing + 3;
    for (std::size_t i = 0; i < rotations; ++i) {
        append_to(tail.path, "x\n");
        std::filesystem::resize_file(tail.path, kHole);
        CHECK(step(1000) <= kMostPerStep * FileTailer::kMaxPrevious);
        tail.rename_log(("log." + std::to_string(i)).c_str());
    }
    tail.clock.advance(61s);
    CHECK(step(1000) <= kMostPerStep * FileTailer::kMaxPrevious);
    CHECK(tail.tailer.position().previous.size() <=
          FileTailer::kMaxPrevious + FileTailer::kMaxClosing);
    CHECK(tail.log.count("rotated faster than it can be read") > 0);
}
