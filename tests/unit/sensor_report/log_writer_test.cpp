#include "sensor/report/log_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/fd.hpp"

using namespace portcullis::sensor_report;
using portcullis::base::Timestamp;
using std::chrono::seconds;

namespace {

// Collects what is written; `writes` counts the calls.
struct Sheet {
    std::string text;
    int writes = 0;
    std::size_t room = 1 << 30;  // bytes that fit
    bool is_syslog = false;
};

class SheetTarget final : public LogTarget {
  public:
    explicit SheetTarget(Sheet& sheet) : sheet_(sheet) {}
    std::size_t write(std::string_view lines) override {
        ++sheet_.writes;
        errno = ENOSPC;
        const std::size_t size = std::min(lines.size(), sheet_.room);
        sheet_.text += lines.substr(0, size);
        sheet_.room -= size;
        return size;
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
        {"another text reports the number",
         {{0, "a"}, {1, "a"}, {2, "a"}, {3, "b"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:50 last message repeated 2 times\nNov  9 16:24:50 b\n"},
        {"once is times too",
         {{0, "a"}, {1, "a"}, {2, "b"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:49 last message repeated 1 times\nNov  9 16:24:49 b\n"},
        {"after a minute they are reported, the present one is kept back",
         {{0, "a"}, {1, "a"}, {60, "a"}, {61, "b"}},
         "Nov  9 16:24:47 a\nNov  9 16:25:47 last message repeated 1 times\n"
         "Nov  9 16:25:48 last message repeated 1 times\nNov  9 16:25:48 b\n"},
        {"the end does not report it", {{0, "a"}, {1, "a"}}, "Nov  9 16:24:47 a\n"},
        {"alternating texts are not repeats",
         {{0, "a"}, {0, "b"}, {0, "a"}},
         "Nov  9 16:24:47 a\nNov  9 16:24:47 b\nNov  9 16:24:47 a\n"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Sheet sheet;
        LogSettings settings;
        settings.writes_repeats_by_timer = false;
        LogWriter log(std::make_unique<SheetTarget>(sheet), settings);
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

TEST_CASE("log_writer: the end reports repeats, except in iplog's way") {
    const Utc utc;
    Sheet sheet;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.add(kStart, "a");
    log.add(kStart, "a");
    log.finish(kStart + seconds(1));
    CHECK(sheet.text == "Nov  9 16:24:47 a\nNov  9 16:24:48 last message repeated 1 times\n");
}

TEST_CASE(
    "log_writer: repeats are reported a minute after the line, if no other line reports them") {
    const Utc utc;
    Sheet sheet;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    CHECK_FALSE(log.next_deadline());
    log.add(kStart, "a");
    CHECK_FALSE(log.next_deadline());
    log.add(kStart + seconds(1), "a");
    CHECK(log.next_deadline() == kStart + seconds(60));
    log.advance(kStart + seconds(59));
    CHECK(sheet.text == "Nov  9 16:24:47 a\n");
    log.advance(kStart + seconds(60));
    CHECK_FALSE(log.next_deadline());
    // The next one is a line again, even if no repeat was reported.
    log.add(kStart + seconds(70), "a");
    log.add(kStart + seconds(140), "a");
    log.finish(kStart + seconds(140));
    CHECK(sheet.text ==
          "Nov  9 16:24:47 a\nNov  9 16:25:47 last message repeated 1 times\n"
          "Nov  9 16:25:57 a\nNov  9 16:27:07 a\n");
}

TEST_CASE(
    "log_writer: what cannot be written waits, is tried every second, and nothing comes twice") {
    Sheet sheet;
    sheet.is_syslog = true;
    sheet.room = 7;
    std::vector<std::string> notices;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.set_on_trouble([&](const std::string& text) { notices.push_back(text); });
    log.add(kStart, "first");
    log.add(kStart, "second");
    log.flush();
    CHECK(sheet.text == "first\ns");
    CHECK(log.is_failing());
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].find("No space left on device") != std::string::npos);
    CHECK(log.next_deadline() == kStart + seconds(1));
    const int writes = sheet.writes;
    for (int i = 0; i < 100; ++i) {
        log.add(kStart, "third");
        log.flush();
    }
    CHECK(sheet.writes == writes);
    log.advance(kStart + seconds(1));
    CHECK(sheet.writes == writes + 1);
    CHECK(notices.size() == 1);
    sheet.room = 1 << 30;
    log.advance(kStart + seconds(2));
    CHECK_FALSE(log.is_failing());
    CHECK(log.lines_lost() == 0);
    CHECK(sheet.text.rfind("first\nsecond\nthird\n", 0) == 0);
    CHECK(sheet.text.find("third\nWarning: the log could not be written for 2 seconds; 0 lines are "
                          "lost.\n") != std::string::npos);
    CHECK(notices.size() == 2);
}

TEST_CASE(
    "log_writer: the lines that wait for a full log are bounded, and lost ones are counted and "
    "reported") {
    Sheet sheet;
    sheet.is_syslog = true;
    sheet.room = 0;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    const std::string line(1023, 'x');
    const std::size_t fit = LogWriter::kMaxBacklog / 1024;
    for (std::size_t i = 0; i < fit + 10; ++i) {
        log.add(kStart, line + std::to_string(i % 10));
        log.flush();
    }
    const auto lost = log.lines_lost();
    CHECK(lost >= 10);
    CHECK(lost < 20);
    sheet.room = 1 << 30;
    log.advance(kStart + seconds(1));
    CHECK(sheet.text.find(std::to_string(lost) + " lines are lost.\n") != std::string::npos);
    // At the end there is no later.
    sheet.room = 0;
    log.add(kStart, "last");
    log.finish(kStart);
    CHECK(log.lines_lost() == lost + 1);
}

TEST_CASE("log_writer: half a line whose file was rotated away is lost as a whole") {
    Sheet sheet;
    sheet.is_syslog = true;
    sheet.room = 3;
    LogWriter log(std::make_unique<SheetTarget>(sheet));
    log.add(kStart, "first");
    log.add(kStart, "second");
    log.flush();
    sheet.text.clear();
    sheet.room = 1 << 30;
    REQUIRE(log.reopen());
    CHECK(sheet.text.rfind("second\nWarning: the log could not be written", 0) == 0);
    CHECK(log.lines_lost() == 1);
}

TEST_CASE("log_writer: lines beyond the limit are suppressed, counted, and reported in one line") {
    const Utc utc;
    Sheet sheet;
    LogSettings settings;
    settings.line_limit = 3;
    LogWriter log(std::make_unique<SheetTarget>(sheet), settings);
    const auto flood = [&](int second, int lines) {
        for (int i = 0; i < lines; ++i) {
            if (log.admit_and_count(kStart + seconds(second))) {
                log.add(kStart + seconds(second), "line " + std::to_string(i));
            }
        }
    };
    flood(0, 5);
    flood(1, 10);
    CHECK(log.lines_suppressed() == 9);
    // What need not ask is written.
    log.add(kStart + seconds(1), "a detection");
    CHECK(log.next_deadline() == kStart + seconds(10));
    log.advance(kStart + seconds(10));
    CHECK(
        sheet.text ==
        "Nov  9 16:24:47 line 0\nNov  9 16:24:47 line 1\nNov  9 16:24:47 line 2\n"
        "Nov  9 16:24:48 line 0\nNov  9 16:24:48 line 1\nNov  9 16:24:48 line 2\n"
        "Nov  9 16:24:48 a detection\n"
        "Nov  9 16:24:57 Warning: 9 lines suppressed within 10 seconds, more than 3 per second.\n");
    CHECK_FALSE(log.next_deadline());
    flood(11, 4);
    sheet.text.clear();
    log.finish(kStart + seconds(11));
    CHECK(sheet.text.find("Warning: 1 lines suppressed within 1 seconds") != std::string::npos);
    settings.line_limit = 0;
    log.set_settings(settings);
    CHECK(log.admit_and_count(kStart + seconds(11)));
}

TEST_CASE("log_writer: detections beyond those of a minute wait, and one line counts the rest") {
    const Utc utc;
    Sheet sheet;
    LogSettings settings;
    settings.detection_limit = 600;
    LogWriter log(std::make_unique<SheetTarget>(sheet), settings);
    const auto detect = [&](const std::string& name, std::uint64_t packets) {
        const auto place = log.place_detection(kStart, {packets});
        if (place == DetectionBudget::Place::Now) {
            log.add(kStart, name);
        } else if (place == DetectionBudget::Place::Waits) {
            log.add_waiting(name, packets);
        }
    };
    for (int i = 0; i < 540; ++i) {
        detect("at once " + std::to_string(i), 10);
    }
    detect("quiet", 10);
    detect("loud", 500);
    detect("quieter", 9);
    for (int i = 0; i < 100; ++i) {  // room for 57 of them
        detect("quietest " + std::to_string(i), 8);
    }
    log.flush();
    CHECK(sheet.text.find("loud") == std::string::npos);
    CHECK(log.next_deadline() == kStart + seconds(1));
    log.advance(kStart + seconds(1));
    CHECK(sheet.text.find("loud") != std::string::npos);
    CHECK(sheet.text.find("quiet") == std::string::npos);
    log.advance(kStart + seconds(60));
    CHECK(sheet.text.find("16:25:47 quieter\n") != std::string::npos);
    CHECK(sheet.text.find(
              "Nov  9 16:25:47 Warning: 43 detections within 60 seconds were not written, nor 0 "
              "ends of scans; more than 600 per minute.\n") != std::string::npos);
    CHECK_FALSE(log.next_deadline());
    CHECK(log.detections_left_out() == 43);
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

TEST_CASE(
    "log_target: syslog gets RFC 3164 messages, and one that does not read is not waited for") {
    const Utc utc;
    const auto folder =
        std::filesystem::temp_directory_path() / ("log_target_test." + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const std::string path = folder / "log";
    const auto target = syslog_target(LOG_LOCAL3, LOG_WARNING, path);
    CHECK(target->write("nobody listens\n") == 0);

    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    const portcullis::base::UniqueFd receiver(
        ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(::bind(receiver.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    const auto receive = [&] {
        std::string text(4096, '\0');
        const ssize_t size = ::recv(receiver.get(), text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    };
    const std::string_view two = "TCP: one\nTCP: two 100%s\n";
    CHECK(target->write(two) == two.size());
    const std::string ident = " iplog[" + std::to_string(::getpid()) + "]: ";
    std::string got = receive();
    CHECK(got.rfind("<156>", 0) == 0);
    CHECK(got.substr(5 + 15) == ident + "TCP: one");
    CHECK(receive().substr(5 + 15) == ident + "TCP: two 100%s");

    // A receiver that does not read: whole lines until it is full, the rest stays with the writer.
    std::string many;
    for (int i = 0; i < 10000; ++i) {
        many += "line " + std::to_string(i) + "\n";
    }
    const std::size_t taken = target->write(many);
    CHECK(taken > 0);
    CHECK(taken < many.size());
    CHECK(many[taken - 1] == '\n');
    CHECK(target->write(many.substr(taken)) == 0);
    while (!receive().empty()) {
    }
    CHECK(target->write("again\n") == 6);
    std::filesystem::remove_all(folder);
}
