#include "engine/collect/collector.hpp"

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>

#include "engine/collect/checkpoint.hpp"
#include "engine/collect/location.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::collect;
using namespace std::chrono_literals;
using test::append_to;
using Lines = std::vector<std::string>;

namespace {

// A collector in a folder of its own, on a real event loop.
struct Collecting {
    explicit Collecting(CollectorOptions with = {}, const base::Clock& at = system_clock())
        : options(std::move(with)), clock(at) {
        options.checkpoint_path = folder / "checkpoint.json";
        start();
    }
    static const base::Clock& system_clock() {
        static const base::SystemClock clock;
        return clock;
    }
    void start() {
        collector.reset();
        collector = std::make_unique<Collector>(
            loop, log, clock, options, [this](std::string_view line, std::string_view location) {
                if (location != kCollectorLocation) {
                    lines.emplace_back(line);
                    locations.emplace_back(location);
                }
            });
    }
    void follow(const Lines& names) {
        std::vector<LocalFileConfig> files;
        for (const std::string& name : names) {
            files.push_back({name, "syslog", {}});
        }
        collector->set_files(std::move(files));
    }
    // Runs the loop until `lines` are these, or a deadline.
    bool comes(const Lines& expected) {
        return until([&] { return lines == expected; });
    }
    bool until(const std::function<bool()>& holds) {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > deadline) {
                return false;
            }
            loop.run_once(100ms);
        }
        return true;
    }

    test::TemporaryFolder folder;
    std::string path = folder / "log";
    CollectorOptions options;
    base::EventLoop loop;
    test::RecordingLog log;
    const base::Clock& clock;
    Lines lines;
    Lines locations;
    std::unique_ptr<Collector> collector;
};

// The local zone, until it is destroyed.
struct Zone {
    explicit Zone(const std::string& name) {
        ::setenv("TZ", name.c_str(), 1);
        ::tzset();
    }
    ~Zone() {
        ::unsetenv("TZ");
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;
};

// A collector of FOLDER/%Y-%m-%d-%H/app.log, 10 ms before that name changes.
struct Dated {
    // The first change after `from`.
    explicit Dated(std::int64_t from) {
        auto time = base::Timestamp(std::chrono::seconds(from));
        const std::string first = with_date(location, time);
        while (with_date(location, time) == first) {
            time += 1s;
        }
        clock.set(time - 10ms);
        before = with_date(location, clock.now());
        after = with_date(location, time);
        std::filesystem::create_directory(std::filesystem::path(before).parent_path());
    }
    void change_date() { clock.advance(10ms); }
    // Creates the folder, too.
    static void write(const std::string& path, std::string_view text) {
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        append_to(path, std::string(text));
    }

    test::FakeClock clock;
    Collecting test{{}, clock};
    std::string location = test.folder / "%Y-%m-%d-%H/app.log";
    std::string before;
    std::string after;
};

}  // namespace

TEST_CASE("collector: lines come as they are written, with inotify and without") {
    for (const bool use_inotify : {true, false}) {
        CollectorOptions options;
        options.use_inotify = use_inotify;
        Collecting test(options);
        append_to(test.path, "old\n");
        test.follow({test.path});
        append_to(test.path, "1\n");
        CHECK(test.comes({"1"}));
        append_to(test.path, "2\n3");
        CHECK(test.comes({"1", "2"}));
        append_to(test.path, "\n");
        CHECK(test.comes({"1", "2", "3"}));
        CHECK(test.log.count("250 ms") == (use_inotify ? 0 : 1));
    }
}

TEST_CASE("collector: a byte order mark at the beginning of a file belongs to no line") {
    const std::string mark = "\xef\xbb\xbf";
    Collecting test;
    test.follow({test.path});
    append_to(test.path, mark + "1\n" + mark + "2\n3");
    CHECK(test.comes({"1", mark + "2"}));
    // The unfinished line is read again, and no mark is looked for there.
    test.collector->save_positions();
    test.start();
    test.follow({test.path});
    append_to(test.path, "\n");
    CHECK(test.comes({"1", mark + "2", "3"}));
    // After a rotation, and after a truncation.
    std::filesystem::rename(test.path, test.path + ".1");
    append_to(test.path, mark + "4\n");
    CHECK(test.comes({"1", mark + "2", "3", "4"}));
    test::overwrite(test.path, mark + "5\n");
    CHECK(test.comes({"1", mark + "2", "3", "4", "5"}));
}

TEST_CASE("collector: a byte order mark may come in parts, and what only begins like one is text") {
    struct Row {
        const char* what;
        Lines parts;
        std::string line;
    };
    const Row rows[] = {
        {"byte by byte", {"\xef", "\xbb", "\xbf", "x\n"}, "x"},
        {"not the last byte", {"\xef", "\xbb", "x\n"}, "\xef\xbbx"},
        {"only the first byte", {"\xef", "\n"}, "\xef"},
        {"a second mark", {"\xef\xbb", "\xbf\xef\xbb\xbf\n"}, "\xef\xbb\xbf"},
    };
    for (const Row& row : rows) {
        for (const bool restarts : {false, true}) {
            INFO(row.what << (restarts ? ", with restarts" : ""));
            Collecting test;
            test.follow({test.path});
            for (const std::string& part : row.parts) {
                append_to(test.path, part);
                test.until([&] { return test.collector->counters().bytes > 0; });
                test.loop.run_once(0s);
                if (restarts) {
                    test.collector->save_positions();
                    test.start();
                    test.follow({test.path});
                }
            }
            CHECK(test.comes({row.line}));
        }
    }
}

TEST_CASE("collector: without a watch on the folder, open files report lines and renaming alike") {
    CollectorOptions options;
    options.can_watch_folders = false;
    Collecting test(options);
    append_to(test.path, "old\n");
    test.follow({test.path});
    CHECK_FALSE(test.collector->is_polling());
    append_to(test.path, "1\n");
    CHECK(test.comes({"1"}));
    CHECK_FALSE(test.collector->is_polling());

    // Renamed away, and no new file yet: one is looked for until it is there.
    std::filesystem::rename(test.path, test.path + ".1");
    CHECK(test.until([&] { return test.collector->is_polling(); }));
    append_to(test.path + ".1", "2\n");
    CHECK(test.comes({"1", "2"}));
    append_to(test.path, "3\n");
    CHECK(test.comes({"1", "2", "3"}));
    CHECK(test.until([&] { return !test.collector->is_polling(); }));

    // Another file takes its name.
    append_to(test.folder / "other", "4\n");
    std::filesystem::rename(test.folder / "other", test.path);
    CHECK(test.comes({"1", "2", "3", "4"}));
    CHECK(test.log.count("cannot be watched") == 1);
}

TEST_CASE("collector: without a watch on the folder, files that may appear are looked for") {
    CollectorOptions options;
    options.can_watch_folders = false;
    Collecting test(options);
    SECTION("a missing one") {
        test.follow({test.path});
        CHECK(test.collector->is_polling());
        append_to(test.path, "1\n");
        CHECK(test.comes({"1"}));
        CHECK_FALSE(test.collector->is_polling());
    }
    SECTION("those of a glob, always") {
        append_to(test.path, "old\n");
        test.follow({test.path + "*"});
        append_to(test.path + ".2", "1\n");
        CHECK(test.comes({"1"}));
        CHECK(test.collector->is_polling());
    }
}

TEST_CASE("collector: a file, and even its folder, may come later and go again") {
    Collecting test;
    const std::string path = test.folder / "a/b/log";
    test.follow({path});
    std::filesystem::create_directories(test.folder / "a/b");
    append_to(path, "1\n");
    CHECK(test.comes({"1"}));
    std::filesystem::rename(path, test.folder / "a/b/log.1");
    append_to(path, "2\n");
    CHECK(test.comes({"1", "2"}));
    std::filesystem::remove_all(test.folder / "a");
    std::filesystem::create_directories(test.folder / "a/b");
    append_to(path, "3\n");
    CHECK(test.comes({"1", "2", "3"}));
}

TEST_CASE("collector: a glob takes files that appear later, from their first lines") {
    Collecting test;
    append_to(test.folder / "x-1.log", "old\n");
    test.follow({test.folder / "x-*.log"});
    CHECK(test.collector->file_count() == 1);
    append_to(test.folder / "x-2.log", "new\n");
    CHECK(test.comes({"new"}));
    CHECK(test.locations.back() == test.folder / "x-2.log");
    append_to(test.folder / "x-1.log", "also\n");
    CHECK(test.comes({"new", "also"}));
}

TEST_CASE("collector: rotation within one glob reads no line twice") {
    Collecting test;
    append_to(test.path, "");
    test.follow({test.path + "*"});
    Lines expected;
    for (int i = 0; i < 6; ++i) {
        append_to(test.path, std::to_string(i) + "\n");
        expected.push_back(std::to_string(i));
        REQUIRE(test.comes(expected));
        for (int n = 4; n >= 0; --n) {
            const std::string from = n == 0 ? test.path : test.path + "." + std::to_string(n);
            if (std::filesystem::exists(from)) {
                std::filesystem::rename(from, test.path + "." + std::to_string(n + 1));
            }
        }
    }
    append_to(test.path, "end\n");
    expected.emplace_back("end");
    CHECK(test.comes(expected));
}

TEST_CASE("collector: a file named twice, and by another link, is read once") {
    Collecting test;
    append_to(test.path, "old\n");
    std::filesystem::create_symlink(test.path, test.folder / "link");
    test.follow({test.path, test.path, test.folder / "link", test.folder / "l*"});
    append_to(test.path, "1\n");
    append_to(test.path, "2\n");
    CHECK(test.comes({"1", "2"}));
    CHECK(test.collector->file_count() == 1);
}

TEST_CASE("collector: after a stop and after a kill reading continues at its position") {
    Collecting test;
    append_to(test.path, "old\n");
    test.follow({test.path});
    append_to(test.path, "1\n");
    REQUIRE(test.comes({"1"}));

    SECTION("a clean stop repeats nothing") {
        test.collector->save_positions();
        append_to(test.path, "2\n");
        test.start();
        test.follow({test.path});
        CHECK(test.comes({"1", "2"}));
    }
    SECTION("positions wait for what must not be behind them") {
        bool is_written = false;
        test.options.before_checkpoint = [&] { return is_written; };
        test.start();
        test.follow({test.path});
        append_to(test.path, "2\n");
        REQUIRE(test.comes({"1", "1", "2"}));
        test.collector->save_positions();
        test.start();
        test.follow({test.path});
        REQUIRE(test.comes({"1", "1", "2", "1", "2"}));
        is_written = true;
        test.collector->save_positions();
        test.start();
        test.follow({test.path});
        append_to(test.path, "3\n");
        CHECK(test.comes({"1", "1", "2", "1", "2", "3"}));
    }
    SECTION("a kill repeats what the last second brought, and loses nothing") {
        append_to(test.path, "2\n");
        test.start();
        test.follow({test.path});
        CHECK(test.comes({"1", "1", "2"}));
    }
    SECTION("the position is kept a second after it changed") {
        const std::string before = test::content_of(test.folder / "checkpoint.json");
        CHECK(test.until(
            [&] { return test::content_of(test.folder / "checkpoint.json") != before; }));
        append_to(test.path, "2\n");
        test.start();
        test.follow({test.path});
        CHECK(test.comes({"1", "2"}));
    }
}

TEST_CASE("collector: a damaged checkpoint is reported and files are read from their ends") {
    Collecting test;
    test::overwrite(test.folder / "checkpoint.json", "{");
    test.start();
    CHECK(test.log.count("damaged") == 1);
    append_to(test.path, "old\n");
    test.follow({test.path});
    append_to(test.path, "1\n");
    CHECK(test.comes({"1"}));
}

TEST_CASE("collector: other files are followed after a reload, the same ones without a gap") {
    Collecting test;
    append_to(test.path, "old\n");
    append_to(test.folder / "other", "old\n");
    test.follow({test.path});
    append_to(test.path, "1\n");
    REQUIRE(test.comes({"1"}));
    append_to(test.path, "2\n");
    test.follow({test.path, test.folder / "other"});
    append_to(test.folder / "other", "3\n");
    CHECK(test.comes({"1", "2", "3"}));
    test.follow({test.folder / "other"});
    append_to(test.folder / "other", "4\n");
    CHECK(test.comes({"1", "2", "3", "4"}));
}

TEST_CASE("collector: a large file is read in turns, so that a small one does not wait for it") {
    CollectorOptions options;
    options.first_start = StartAt::Beginning;
    Collecting test(options);
    constexpr std::size_t kCount = 40'000;
    std::string large;
    for (std::size_t i = 0; i < kCount; ++i) {
        large += "a large file\n";
    }
    append_to(test.path, large);
    append_to(test.folder / "small", "small\n");
    test.follow({test.path, test.folder / "small"});
    CHECK(test.until([&] { return test.lines.size() == kCount + 1; }));
    const auto small = std::find(test.lines.begin(), test.lines.end(), "small");
    CHECK(small - test.lines.begin() <= static_cast<std::ptrdiff_t>(Collector::kBudget / 13 + 1));
}

TEST_CASE("collector: a dated name is followed at whatever second of UTC it changes") {
    struct Row {
        const char* what;
        const char* zone;
        std::int64_t from;
    };
    const Row rows[] = {
        {"UTC", "UTC0", 1'790'000'000},
        {"India", "IST-5:30", 1'790'000'000},
        {"Nepal", "NPT-5:45", 1'790'000'000},
        {"Newfoundland", "NST3:30NDT,M3.2.0,M11.1.0", 1'790'000'000},
        {"local mean time", "LMT-0:17:23", 1'790'000'000},
        {"Lord Howe, where 02:00 becomes 02:30", "LHST-10:30LHDT-11,M10.1.0,M4.1.0", 1'791'041'390},
        {"Lord Howe, where 02:00 becomes 01:30", "LHST-10:30LHDT-11,M10.1.0,M4.1.0", 1'775'314'790},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        const Zone zone(row.zone);
        Dated dated(row.from);
        Dated::write(dated.before, "old\n");
        dated.test.follow({dated.location});
        Dated::write(dated.before, "1\n");
        CHECK(dated.test.comes({"1"}));
        dated.change_date();
        Dated::write(dated.after, "2\n");
        CHECK(dated.test.comes({"1", "2"}));
        CHECK(dated.test.locations.back() == dated.after);
        Dated::write(dated.before, "3\n");
        CHECK(dated.test.comes({"1", "2", "3"}));
    }
}

TEST_CASE("collector: a file of the old name may appear for an hour after the change") {
    const Zone zone("IST-5:30");
    Dated dated(1'790'000'000);
    dated.test.follow({dated.location});
    dated.change_date();
    Dated::write(dated.after, "1\n");
    REQUIRE(dated.test.comes({"1"}));
    Dated::write(dated.before, "2\n");
    CHECK(dated.test.comes({"1", "2"}));
    CHECK(dated.test.collector->file_count() == 2);
    // It is followed for longer if it is still written to.
    dated.clock.advance(Collector::kOldNameTime - 10ms);
    dated.test.loop.run_once(2s);
    Dated::write(dated.before, "3\n");
    CHECK(dated.test.comes({"1", "2", "3"}));
}

TEST_CASE("collector: after a stop over the change of a dated name nothing is missing") {
    const Zone zone("IST-5:30");
    Dated dated(1'790'000'000);
    Dated::write(dated.before, "old\n");
    dated.test.follow({dated.location});
    Dated::write(dated.before, "1\n");
    REQUIRE(dated.test.comes({"1"}));
    dated.test.collector->save_positions();
    dated.test.collector.reset();
    Dated::write(dated.before, "2\n");
    dated.change_date();
    Dated::write(dated.after, "3\n");
    dated.test.start();
    dated.test.follow({dated.location});
    CHECK(dated.test.comes({"1", "2", "3"}));
    // A reload changes nothing of this.
    dated.test.follow({dated.location});
    Dated::write(dated.before, "4\n");
    CHECK(dated.test.comes({"1", "2", "3", "4"}));
}

TEST_CASE("collector: a name that comes back when summer time ends is not read again") {
    const Zone zone("XST0XDT,M3.2.0,M10.5.0");
    test::FakeClock clock;
    clock.set(base::Timestamp(1'792'887'000s));  // 01:10 in summer, an hour before 01:10 in winter
    Collecting test{{}, clock};
    const std::string location = test.folder / "%H%M.log";
    const std::string name = test.folder / "0110.log";
    REQUIRE(with_date(location, clock.now()) == name);
    REQUIRE(with_date(location, clock.now() + 1h) == name);
    test.follow({location});
    append_to(name, "1\n");
    REQUIRE(test.comes({"1"}));
    for (const auto by : {2min, 57min}) {
        const std::size_t files = test.collector->file_count();
        clock.advance(by);
        test.until([&] { return test.collector->file_count() > files; });
    }
    // It was not given up, although it was quiet.
    test.collector->save_positions();
    const auto saved = load_checkpoint(test.options.checkpoint_path);
    REQUIRE(saved);
    REQUIRE(saved->find(name) != nullptr);
    CHECK(saved->find(name)->current);
    clock.advance(1min);
    append_to(name, "2\n");
    CHECK(test.comes({"1", "2"}));
}

TEST_CASE("collector: a reload just after the change of a dated name loses nothing") {
    const Zone zone("IST-5:30");
    Dated dated(1'790'000'000);
    dated.test.follow({dated.location});
    dated.change_date();
    Dated::write(dated.after, "1\n");
    dated.test.follow({dated.location});
    CHECK(dated.test.comes({"1"}));
}

TEST_CASE(
    "collector: a dated location that is new is read from its end, whatever else is followed") {
    const Zone zone("IST-5:30");
    test::FakeClock clock;
    clock.set(base::Timestamp(1'790'000'000s));
    Collecting test{{}, clock};
    const std::string location = test.folder / "%Y%m%d.log";
    append_to(with_date(location, clock.now()), "old\n");
    const std::string other = test.folder / "app.log";
    test.follow({other});
    append_to(other, "1\n");
    REQUIRE(test.comes({"1"}));
    test.collector->save_positions();
    test.start();
    test.follow({location, other});
    append_to(with_date(location, clock.now()), "2\n");
    CHECK(test.comes({"1", "2"}));
}

TEST_CASE(
    "collector: after a stop over the change of a date, files of a glob are read whole, too") {
    const Zone zone("IST-5:30");
    Dated dated(1'790'000'000);
    const std::string glob = dated.test.folder / "%Y-%m-%d-%H/*.log";
    Dated::write(dated.before, "old\n");
    dated.test.follow({glob});
    Dated::write(dated.before, "1\n");
    REQUIRE(dated.test.comes({"1"}));
    dated.test.collector->save_positions();
    dated.test.collector.reset();
    Dated::write(dated.before, "2\n");
    dated.change_date();
    Dated::write(dated.after, "3\n");
    dated.test.start();
    dated.test.follow({glob});
    CHECK(dated.test.comes({"1", "2", "3"}));
}
