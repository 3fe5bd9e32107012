#include "sensor/report/log_writer.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include <unistd.h>

#include "engine/base/fd.hpp"

using namespace portcullis::sensor_report;
using portcullis::base::Timestamp;
using std::chrono::seconds;

namespace {

// Collects what is written; `writes` counts the calls.
struct Sheet {
    std::string text;
    int writes = 0;
    bool is_full = false;
    bool is_syslog = false;
};

class SheetTarget final : public LogTarget {
  public:
    explicit SheetTarget(Sheet& sheet) : sheet_(sheet) {}
    bool write(std::string_view lines) override {
        ++sheet_.writes;
        if (sheet_.is_full) {
            return false;
        }
        sheet_.text += lines;
        return true;
    }
    portcullis::base::Result<void> reopen() override { return {}; }
    bool has_own_time() const override { return sheet_.is_syslog; }

  private:
    Sheet& sheet_;
};

struct Utc {
    Utc() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

// 2023-11-09 16:24:47 UTC
constexpr Timestamp kStart{seconds(1699547087)};

}  // namespace

TEST_CASE("log_writer: a line is stamped with month, padded day and local time") {
    const Utc utc;
    Sheet sheet;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.add(kStart, "TCP: one");
    log.add(kStart + seconds(86400), "TCP: two");
    CHECK(sheet.text.empty());
    log.flush();
    CHECK(sheet.text == "Nov  9 16:24:47 TCP: one\nNov 10 16:24:47 TCP: two\n");
    CHECK(sheet.writes == 1);
}

TEST_CASE("log_writer: repeats are collapsed as iplog does") {
    const Utc utc;
    struct Step {
        int second;
        const char* message;
    };
    struct Row {
        const char* what;
        std::vector<Step> steps;
        const char* text;
    };
    const Row rows[] = {
        {"another text tells how often",
         {{0, "a"}, {1, "a"}, {2, "a"}, {3, "b"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:50 last message repeated 2 times\nNov  9 16:24:50 b\n"},
        {"once is times too",
         {{0, "a"}, {1, "a"}, {2, "b"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:49 last message repeated 1 times\nNov  9 16:24:49 b\n"},
        {"after a minute they are told, the present one is kept back",
         {{0, "a"}, {1, "a"}, {60, "a"}, {61, "b"}},
         "Nov  9 16:24:47 a\nNov  9 16:25:47 last message repeated 1 times\n"
         "Nov  9 16:25:48 last message repeated 1 times\nNov  9 16:25:48 b\n"},
        {"the end tells it",
         {{0, "a"}, {1, "a"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:48 last message repeated 1 times\n"},
        {"alternating texts are not repeats",
         {{0, "a"}, {0, "b"}, {0, "a"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:47 b\nNov  9 16:24:47 a\n"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Sheet sheet;
        LogWriter log(std::make_unique<SheetTarget>(sheet));
        for (const Step& step : row.steps) {
            log.add(kStart + seconds(step.second), step.message);
        }
        log.finish(kStart + seconds(row.steps.back().second));
        CHECK(sheet.text == row.text);
    }
}

TEST_CASE("log_writer: syslog gets each line, without a time") {
    Sheet sheet;
    sheet.is_syslog = true;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.add(kStart, "a");
    log.add(kStart, "a");
    log.finish(kStart);
    CHECK(sheet.text == "a\na\n");
}

TEST_CASE("log_writer: lines that cannot be written are counted, and later ones are tried") {
    Sheet sheet;
    sheet.is_syslog = true;
    sheet.is_full = true;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.add(kStart, "a");
    log.add(kStart, "b");
    log.flush();
    CHECK(log.lines_lost() == 2);
    sheet.is_full = false;
    log.add(kStart, "c");
    log.flush();
    CHECK(sheet.text == "c\n");
}

TEST_CASE("log_writer: after the clock was set back the same line is written again") {
    const Utc utc;
    Sheet sheet;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.add(kStart + seconds(7200), "a");
    log.add(kStart, "a");
    log.flush();
    CHECK(sheet.text == "Nov  9 18:24:47 a\nNov  9 16:24:47 a\n");
}

TEST_CASE("log_writer: only a file that is nothing else is handed over to the sensor's user") {
    const auto folder =
        std::filesystem::temp_directory_path() / ("log_writer_test." + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const std::string path = folder / "iplog";
    CHECK((*open_log_file(path))->give_to(::geteuid(), ::getegid()));
    std::filesystem::create_hard_link(path, folder / "precious");
    CHECK_FALSE((*open_log_file(path))->give_to(::geteuid(), ::getegid()));
    CHECK_FALSE((*open_log_file("/dev/null"))->give_to(::geteuid(), ::getegid()));
    std::filesystem::remove_all(folder);
}

TEST_CASE("log_writer: a rotated file is opened anew, and one that cannot be is kept") {
    const Utc utc;
    const auto folder =
        std::filesystem::temp_directory_path() / ("log_writer_test." + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const std::string path = folder / "iplog";
    auto target = open_log_file(path);
    REQUIRE(target);
    LogWriter log(std::move(*target));
    log.add(kStart, "a");
    log.flush();
    std::filesystem::rename(path, path + ".1");
    REQUIRE(log.reopen());
    log.add(kStart, "b");
    log.flush();
    CHECK(*portcullis::base::read_file(path + ".1") == "Nov  9 16:24:47 a\n");
    CHECK(*portcullis::base::read_file(path) == "Nov  9 16:24:47 b\n");
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    CHECK_FALSE(log.reopen());
    log.add(kStart, "c");
    log.flush();
    CHECK(log.lines_lost() == 0);
    std::filesystem::remove_all(folder);
    CHECK_FALSE(open_log_file(path));
}
