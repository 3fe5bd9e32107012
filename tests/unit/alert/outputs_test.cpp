#include "engine/alert/outputs.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <set>

#include "engine/alert/dated_file.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::alert;
using namespace std::chrono_literals;
using test::content_of;

namespace {

// A home's logs folder and a clock at 2026-11-24 23:59:30 UTC.
struct Logs {
    Logs() {
        setenv("TZ", "UTC", 1);
        tzset();
        std::filesystem::create_directories(folder / "alerts");
        std::filesystem::create_directories(folder / "archives");
        std::filesystem::create_directories(folder / "firewall");
        clock.set(base::Timestamp(1'795'564'770s));
    }
    Outputs outputs(OutputOptions options = {}) {
        return Outputs(folder.path(), options, log, clock);
    }
    Alert alert(std::string text) const {
        Alert alert;
        alert.time = clock.now();
        alert.full_log = std::move(text);
        return alert;
    }
    std::string read(const char* name) const { return content_of(folder / name); }

    test::TemporaryFolder folder;
    test::FakeClock clock;
    test::RecordingLog log;
};

constexpr const char* kToday = "alerts/2026/Nov/ossec-alerts-24.log";
constexpr const char* kTomorrow = "alerts/2026/Nov/ossec-alerts-25.log";

// While it lives, no file can grow beyond `size`: as good as a full disk.
class FullDisk {
  public:
    explicit FullDisk(rlim_t size) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit{size, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("outputs: each row of the table has a name of its own, a help and a function") {
    std::set<std::string_view> names;
    for (const SinkRow& row : sink_rows()) {
        INFO(row.name);
        CHECK(names.insert(row.name).second);
        CHECK_FALSE(row.help.empty());
        CHECK(row.make != nullptr);
        CHECK(row.name.find('/') != std::string_view::npos);
    }
}

TEST_CASE("outputs: an alert is readable at once, under both names, by the group at most") {
    Logs logs;
    auto outputs = logs.outputs();
    outputs.write(logs.alert("first"));
    CHECK(logs.read("alerts/alerts.log").find("\nfirst\n") != std::string::npos);
    CHECK(logs.read(kToday) == logs.read("alerts/alerts.log"));
    struct stat status {};
    REQUIRE(stat((logs.folder / kToday).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U & ~0640U) == 0);
    CHECK_FALSE(std::filesystem::exists(logs.folder / "alerts/alerts.json"));
    CHECK_FALSE(std::filesystem::exists(logs.folder / "alerts/alerts.log.new"));
}

TEST_CASE("outputs: only what the configuration asks for is written, also after a reload") {
    Logs logs;
    auto outputs = logs.outputs();
    event::Event event;
    event.reset("line", "/var/log/x", logs.clock.now());
    outputs.archive(event, nullptr);
    CHECK_FALSE(std::filesystem::exists(logs.folder / "archives/archives.log"));

    outputs.set_options({true, true, true});
    outputs.archive(event, nullptr);
    outputs.write(logs.alert("a"));
    CHECK(logs.read("archives/archives.log").find("/var/log/x line\n") != std::string::npos);
    CHECK(logs.read("archives/archives.json").find("\"full_log\":\"line\"") != std::string::npos);
    CHECK(logs.read("alerts/alerts.json").find("\"full_log\":\"a\"") != std::string::npos);
    CHECK(std::filesystem::exists(logs.folder / "archives/2026/Nov/ossec-archive-24.json"));

    outputs.set_options({});
    outputs.write(logs.alert("b"));
    CHECK(logs.read("alerts/alerts.json").find("\"b\"") == std::string::npos);
    CHECK(logs.read("alerts/alerts.log").find("\nb\n") != std::string::npos);
}

TEST_CASE("outputs: at midnight a new dated file begins and the current name leads to it") {
    Logs logs;
    auto outputs = logs.outputs();
    outputs.write(logs.alert("evening"));
    logs.clock.advance(1min);
    outputs.write(logs.alert("morning"));
    CHECK(logs.read(kToday).find("evening") != std::string::npos);
    CHECK(logs.read(kTomorrow).find("evening") == std::string::npos);
    CHECK(logs.read(kTomorrow).find("morning") != std::string::npos);
    CHECK(logs.read("alerts/alerts.log") == logs.read(kTomorrow));
}

TEST_CASE("outputs: the empty file of a past day is removed") {
    Logs logs;
    auto outputs = logs.outputs();
    CHECK(std::filesystem::exists(logs.folder / kToday));
    logs.clock.advance(1min);
    outputs.write(logs.alert("morning"));
    CHECK_FALSE(std::filesystem::exists(logs.folder / kToday));
}

TEST_CASE("outputs: after a restart the same file is continued") {
    Logs logs;
    logs.outputs().write(logs.alert("one"));
    logs.outputs().write(logs.alert("two"));
    const std::string text = logs.read("alerts/alerts.log");
    CHECK(text.find("\none\n") < text.find("\ntwo\n"));
    CHECK(text.find("\ntwo\n") != std::string::npos);
}

TEST_CASE("outputs: half a line that a full disk left is taken away at the next start") {
    Logs logs;
    logs.outputs({.alerts_json = true}).write(logs.alert("one"));
    const std::string whole = logs.read("alerts/alerts.json");
    {
        Outputs outputs = logs.outputs({.alerts_json = true});
        const FullDisk full(whole.size() + 20);
        outputs.write(logs.alert("torn"));
        REQUIRE(logs.read("alerts/alerts.json").size() == whole.size() + 20);
    }
    logs.outputs({.alerts_json = true}).write(logs.alert("two"));
    const std::string text = logs.read("alerts/alerts.json");
    CHECK(text.substr(0, whole.size()) == whole);
    CHECK(text[whole.size()] == '{');
    CHECK(text.find("torn") == std::string::npos);
    CHECK(text.find("\"full_log\":\"two\"") != std::string::npos);
}

TEST_CASE("outputs: a file that was removed is made again") {
    Logs logs;
    auto outputs = logs.outputs();
    outputs.write(logs.alert("lost"));
    std::filesystem::remove_all(logs.folder / "alerts/2026");
    std::filesystem::remove(logs.folder / "alerts/alerts.log");
    outputs.write(logs.alert("found"));
    CHECK(logs.read(kToday).find("\nfound\n") != std::string::npos);
    CHECK(logs.read("alerts/alerts.log").find("\nfound\n") != std::string::npos);
}

TEST_CASE("outputs: a full disk is reported once, and nothing is lost when it is over") {
    Logs logs;
    auto outputs = logs.outputs({true, false, false});
    {
        const FullDisk full(100);
        for (int i = 0; i < 5; ++i) {
            outputs.write(logs.alert("alert " + std::to_string(i)));
        }
        CHECK(outputs.has_held_back());
        CHECK_FALSE(outputs.retry());
        CHECK(logs.log.count("ERROR: ") == 2);  // one per file
    }
    CHECK(outputs.retry());
    CHECK(outputs.lost_records() == 0);
    CHECK(logs.log.count("nothing was lost") == 2);
    Logs undisturbed;
    undisturbed.clock.set(logs.clock.now());
    auto reference = undisturbed.outputs({true, false, false});
    for (int i = 0; i < 5; ++i) {
        reference.write(undisturbed.alert("alert " + std::to_string(i)));
    }
    CHECK(logs.read("alerts/alerts.log") == undisturbed.read("alerts/alerts.log"));
    CHECK(logs.read("alerts/alerts.json") == undisturbed.read("alerts/alerts.json"));
}

TEST_CASE("outputs: the records that are held back are bounded, and lost ones are counted") {
    Logs logs;
    auto outputs = logs.outputs();
    const std::string large(1'000'000, 'x');
    {
        const FullDisk full(0);
        for (int i = 0; i < 10; ++i) {
            Alert alert = logs.alert("");
            alert.rule.description = large;
            outputs.write(alert);
        }
    }
    CHECK(outputs.retry());
    CHECK(outputs.lost_records() == 6);
    CHECK(logs.log.count("6 records were lost") == 1);
    CHECK(logs.read("alerts/alerts.log").size() < DatedFile::kMaxHeldBack);
}

TEST_CASE("outputs: a sink that a reload switches off on a full disk keeps its records") {
    Logs logs;
    auto outputs = logs.outputs({.alerts_json = true});
    {
        const FullDisk full(20);
        outputs.write(logs.alert("one"));
        outputs.set_options({});
        CHECK(outputs.has_held_back());
        outputs.write(logs.alert("two"));
        CHECK_FALSE(outputs.retry());
    }
    CHECK(outputs.retry());
    CHECK_FALSE(outputs.has_held_back());
    CHECK(outputs.lost_records() == 0);
    const std::string json = logs.read("alerts/alerts.json");
    CHECK(json.rfind("{", 0) == 0);
    CHECK(json.find("\"full_log\":\"one\"") != std::string::npos);
    CHECK(json.find("two") == std::string::npos);
    CHECK(logs.read("alerts/alerts.log").find("\ntwo\n") != std::string::npos);
}

TEST_CASE("outputs: a sink that is switched on again writes its old records before new ones") {
    Logs logs;
    auto outputs = logs.outputs({.alerts_json = true});
    {
        const FullDisk full(20);
        outputs.write(logs.alert("one"));
        outputs.set_options({});
        outputs.set_options({.alerts_json = true});
        outputs.write(logs.alert("two"));
    }
    outputs.write(logs.alert("three"));
    Logs undisturbed;
    auto reference = undisturbed.outputs({.alerts_json = true});
    for (const char* text : {"one", "two", "three"}) {
        reference.write(undisturbed.alert(text));
    }
    CHECK(logs.read("alerts/alerts.json") == undisturbed.read("alerts/alerts.json"));
}

TEST_CASE("outputs: on a full disk another alert format leaves the records in order") {
    Logs logs;
    auto outputs = logs.outputs();
    OutputOptions options;
    options.alert_format = "$RULEID|$FULLLOG";
    {
        const FullDisk full(20);
        outputs.write(logs.alert("one"));
        outputs.set_options(options);
        outputs.write(logs.alert("two"));
    }
    CHECK(outputs.retry());
    const std::string text = logs.read("alerts/alerts.log");
    CHECK(text.rfind("** Alert ", 0) == 0);
    CHECK(text.find("\none\n") < text.find("0|two\n"));
    CHECK(text.ends_with("0|two\n"));
}

TEST_CASE("outputs: the lost records of a closed sink stay counted") {
    Logs logs;
    auto outputs = logs.outputs({.alerts_json = true});
    Alert alert = logs.alert("");
    alert.rule.description = std::string(DatedFile::kMaxHeldBack, 'x');
    {
        const FullDisk full(0);
        outputs.write(alert);
    }
    REQUIRE(outputs.lost_records() == 2);  // of alerts.log and of alerts.json
    outputs.set_options({});
    CHECK_FALSE(outputs.has_held_back());
    CHECK(outputs.lost_records() == 2);
}

TEST_CASE("outputs: folders that cannot be written are reported, and tried again") {
    Logs logs;
    std::filesystem::remove_all(logs.folder / "alerts");
    auto outputs = logs.outputs();
    outputs.write(logs.alert("a"));
    outputs.write(logs.alert("b"));
    CHECK(logs.log.count("ERROR: ") == 1);
    std::filesystem::create_directories(logs.folder / "alerts");
    CHECK(outputs.retry());
    CHECK(logs.read("alerts/alerts.log").find("\na\n") != std::string::npos);
    CHECK(logs.read("alerts/alerts.log").find("\nb\n") != std::string::npos);
}

TEST_CASE(
    "outputs: with custom_alert_output alerts.log has a line for each alert, until a reload") {
    Logs logs;
    OutputOptions options;
    options.alert_format = "$RULEID|$FULLLOG";
    auto outputs = logs.outputs(options);
    outputs.write(logs.alert("first"));
    CHECK(logs.read("alerts/alerts.log") == "0|first\n");
    outputs.set_options({});
    outputs.write(logs.alert("second"));
    const std::string text = logs.read("alerts/alerts.log");
    CHECK(text.rfind("0|first\n** Alert ", 0) == 0);
    CHECK(text.find("\nsecond\n") != std::string::npos);
    CHECK(logs.read(kToday) == text);
}

TEST_CASE("outputs: a firewall event is written to firewall.log alone, if that is asked for") {
    Logs logs;
    auto outputs = logs.outputs({.firewall = true});
    event::Event event;
    event.reset("raw", "/var/log/fw", logs.clock.now());
    event.hostname = "gate";
    event.set_field(event::FieldId::Action, "DROP");
    event.set_field(event::FieldId::Protocol, "tcp");
    event.set_field(event::FieldId::SrcIp, "192.0.2.7");
    event.set_field(event::FieldId::DstIp, "198.51.100.1");
    event.set_field(event::FieldId::DstPort, "22");
    outputs.firewall(event);
    CHECK(logs.read("firewall/firewall.log") ==
          "2026 Nov 24 23:59:30 gate->/var/log/fw DROP tcp 192.0.2.7:0->198.51.100.1:22\n");
    CHECK(logs.read("firewall/2026/Nov/ossec-firewall-24.log") ==
          logs.read("firewall/firewall.log"));
    CHECK(logs.read("alerts/alerts.log").empty());

    outputs.set_options({});
    outputs.firewall(event);
    CHECK(logs.read("firewall/firewall.log").find('\n') ==
          logs.read("firewall/firewall.log").size() - 1);
}
