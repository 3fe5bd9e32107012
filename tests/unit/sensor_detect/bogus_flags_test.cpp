// The line about contradictory flags: which packets it is about, and how often it is written.
#include "tests/support/detect_wire.hpp"

using namespace portcullis::sensor_detect;
using namespace portcullis::sensor_packet;
using portcullis::test::Wire;
using std::chrono::seconds;

TEST_CASE("bogus_flags: two or more of SYN, FIN and RST contradict each other") {
    struct Row {
        std::uint8_t flags;
        bool is_reported;
    };
    for (const Row& row : {Row{kSyn | kFin, true}, Row{kSyn | kRst, true}, Row{kFin | kRst, true},
                           Row{kSyn | kFin | kRst, true}, Row{kSyn | kFin | kAck | kPsh, true},
                           Row{0, false}, Row{kSyn, false}, Row{kFin | kPsh | kUrg, false},
                           Row{kRst | kAck, false}, Row{kSyn | kAck | kEce | kCwr, false}}) {
        CAPTURE(int{row.flags});
        Wire wire;
        wire.tcp(row.flags, 4000, 22);
        CHECK(wire.count(ObservationType::BogusFlags) == (row.is_reported ? 1 : 0));
    }
}

TEST_CASE("bogus_flags: a line at once for each source, then one a minute") {
    Wire wire;
    for (int i = 0; i < 50; ++i) {
        wire.tcp(kSyn | kFin, 4000, static_cast<std::uint16_t>(i + 1));
        wire.them = i % 2 == 0 ? "10.10.150.9" : "10.10.150.1";
    }
    CHECK(wire.count(ObservationType::BogusFlags) == 2);
    wire.pass(seconds(59));
    wire.tcp(kSyn | kRst, 4000, 22);
    CHECK(wire.count(ObservationType::BogusFlags) == 2);
    wire.pass(seconds(1));
    wire.tcp(kSyn | kRst, 4000, 22);
    CHECK(wire.count(ObservationType::BogusFlags) == 3);
}

TEST_CASE("bogus_flags: the minute is remembered when the source sends other probes") {
    Wire wire;
    wire.tcp(kFin | kRst, 4000, 22);
    for (std::uint16_t port = 1; port <= 5; ++port) {
        wire.raw_syn(4000, port);
        wire.refuse(4000, port);
    }
    wire.tcp(kFin | kRst, 4000, 22);
    CHECK(wire.count(ObservationType::BogusFlags) == 1);
}

TEST_CASE("bogus_flags: a source that sent other probes before has its line at once") {
    for (const std::uint16_t probes : {std::uint16_t{1}, std::uint16_t{5}}) {
        CAPTURE(probes);
        Wire wire;
        for (std::uint16_t port = 1; port <= probes; ++port) {
            wire.raw_syn(4000, port);
        }
        wire.tcp(kFin | kRst, 4000, 22);
        CHECK(wire.count(ObservationType::BogusFlags) == 1);
    }
}

TEST_CASE("bogus_flags: without the switch there is no line, and SYN+FIN is still a scan") {
    TrackerSettings settings;
    settings.bogus = false;
    Wire wire(settings);
    for (std::uint16_t port = 1; port <= 10; ++port) {
        wire.tcp(kSyn | kFin, 4000, port);
        wire.refuse(4000, port);
    }
    CHECK(wire.count(ObservationType::BogusFlags) == 0);
    CHECK(wire.scans() == std::vector<std::string>{"TCP: SYN-FIN scan detected"});
}
