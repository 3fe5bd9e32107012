#include "programs/control/daemon_status.hpp"

using namespace portcullis::programs;
using Counters = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("daemon_status: counters are the numbers of a status file, in their order") {
    const CounterList list = parse_counters(
        R"({"version": "1", "pid": 7, "started": 8, "written": 9, "lines": 3, "alerts": 0})");
    CHECK(list.counters == Counters{{"lines", "3"}, {"alerts", "0"}});
    CHECK(list.left_out == 0);
    for (const char* text : {"", "7", "[1]", "{\"lines\": ", "\xff"}) {
        CAPTURE(text);
        CHECK(parse_counters(text).counters.empty());
    }
}

TEST_CASE("daemon_status: a name that could steer a terminal is not shown") {
    const CounterList list = parse_counters(
        R"({"\u001b[2J": 1, "lines\nengine   runs": 1, "Lines": 1, "": 1, "lines": 2})");
    CHECK(list.counters == Counters{{"lines", "2"}});
    CHECK(list.left_out == 4);
    std::string many = "{\"c\": 1";
    for (std::size_t i = 0; i < kMaxCounters + 4; ++i) {
        many += ", \"c" + std::to_string(i) + "\": 1";
    }
    CHECK(parse_counters(many + "}").counters.size() == kMaxCounters);
    CHECK(parse_counters(many + "}").left_out == 5);
}

TEST_CASE("daemon_status: one line for each daemon, its counters below it") {
    HomeStatus status;
    status.daemons.resize(4);
    status.daemons[0].name = "execd";
    status.daemons[0].state = DaemonState::Running;
    status.daemons[0].pid = 7;
    status.daemons[0].counters.counters = {{"sources_held", "2"}};
    status.daemons[0].counters.left_out = 1;
    status.daemons[0].counters_file = "run/execd-status.json";
    status.daemons[1].name = "engine";
    status.daemons[2].name = "sensor";
    status.daemons[2].state = DaemonState::NotConfigured;
    status.daemons[3].name = "other";
    status.daemons[3].state = DaemonState::Hidden;
    status.daemons[3].pid_file = "/home/run/other.pid";
    status.bans = "2 bans active";
    CHECK(text_of(status) ==
          "execd    runs (process 7)\n"
          "  sources_held                   2\n"
          "  1 entries of run/execd-status.json are not counters and are not shown\n"
          "engine   does not run\n"
          "sensor   not configured\n"
          "other    cannot be seen: /home/run/other.pid may not be read: only root sees whether it "
          "runs\n"
          "blocks   2 bans active\n");
    status.bans.reset();
    status.daemons.clear();
    CHECK(text_of(status).empty());
}
