#include "sensor/detect/counting.hpp"

using namespace portcullis::sensor_detect;
using portcullis::base::Timestamp;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Second kNow = 1'700'000'000;

DetectorSettings settings_of(ScanKind kind) { return TrackerSettings().of(kind); }

Counter counter_of(ScanKind kind) {
    Counter counter;
    counter.kind = kind;
    return counter;
}

// Counts a port that was probed from `source_port`.
void count(Counter& counter, ProbeClass probe, int source_port, int port) {
    const auto from = static_cast<std::uint16_t>(source_port);
    const auto to = static_cast<std::uint16_t>(port);
    list_ports(counter, probe, from, to);
    add_item(counter, to, from, to, kNow);
}

Probe datagrams(std::uint16_t packets, std::uint16_t bytes, milliseconds after = milliseconds(0)) {
    Probe probe;
    probe.arrival = Timestamp(seconds(kNow) + after);
    probe.probe = ProbeClass::Datagram;
    probe.packets = packets;
    probe.bytes = bytes;
    return probe;
}

// A counter that was detected and whose line was written at kNow.
Counter detected(ScanKind kind) {
    Counter counter = counter_of(kind);
    counter.is_detected = true;
    counter.line_at = kNow;
    counter.begin_next_line();
    return counter;
}

bool is_due(Counter& counter, const DetectorSettings& settings, int port, Second second) {
    Probe probe;
    probe.probe = ProbeClass::RawSyn;
    probe.source_port = 40000;
    probe.destination_port = static_cast<std::uint16_t>(port);
    return is_repetition_due(counter, settings, probe, probe.destination_port, second);
}

}  // namespace

TEST_CASE("counting: distinct ports reach the threshold, repeated ones do not") {
    const DetectorSettings settings = settings_of(ScanKind::SynScan);
    Counter counter = counter_of(ScanKind::SynScan);
    for (int i = 0; i < 100; ++i) {
        count(counter, ProbeClass::RawSyn, 40000, i % 9);
    }
    CHECK_FALSE(are_ports_enough(counter, settings));
    count(counter, ProbeClass::RawSyn, 40000, 9);
    CHECK(are_ports_enough(counter, settings));
}

TEST_CASE("counting: pings have no ports, and a host or a protocol has no source port") {
    struct Row {
        ProbeClass probe;
        std::size_t destination_ports;
        std::size_t source_ports;
    };
    for (const Row& row :
         {Row{ProbeClass::Connect, 1, 1}, Row{ProbeClass::EchoRequest, 0, 0},
          Row{ProbeClass::NextEchoHost, 0, 0}, Row{ProbeClass::NextHost, 1, 0},
          Row{ProbeClass::NextDatagramHost, 1, 0}, Row{ProbeClass::Protocol, 1, 0}}) {
        CAPTURE(static_cast<int>(row.probe));
        Counter counter;
        list_ports(counter, row.probe, 40000, 22);
        CHECK(counter.destination_ports.size() == row.destination_ports);
        CHECK(counter.source_ports.size() == row.source_ports);
    }
}

TEST_CASE("counting: SYN+ACKs from a single service port are not probes") {
    const DetectorSettings settings = settings_of(ScanKind::SynAckProbes);
    struct Row {
        int source_port;
        int step;
        bool is_enough;
    };
    for (const Row& row : {Row{80, 0, false}, Row{80, 1, true}, Row{40000, 0, true}}) {
        CAPTURE(row.source_port, row.step);
        Counter counter = counter_of(ScanKind::SynAckProbes);
        for (int i = 0; i < 10; ++i) {
            count(counter, ProbeClass::SynAck, row.source_port + i * row.step, 1000 + 3 * i);
        }
        CHECK(are_ports_enough(counter, settings) == row.is_enough);
    }
}

TEST_CASE("counting: ACK segments are a scan if one sender made them, not forgotten connections") {
    const DetectorSettings settings = settings_of(ScanKind::AckScan);
    struct Row {
        const char* what;
        int source_step;
        int port_step;
        bool is_enough;
    };
    for (const Row& row :
         {Row{"one source port", 0, 7, true}, Row{"a source port for each port", 7, 7, false},
          Row{"both ports rise by one", 1, 1, true}, Row{"only the ports rise", 7, 1, false}}) {
        CAPTURE(row.what);
        Counter counter = counter_of(ScanKind::AckScan);
        for (int i = 0; i < 12; ++i) {
            count(counter, ProbeClass::Ack, 40000 + i * row.source_step, 1000 + i * row.port_step);
        }
        CHECK(are_ports_enough(counter, settings) == row.is_enough);
    }
}

TEST_CASE("counting: a datagram counts once for each 1500 bytes, within the window") {
    const DetectorSettings settings = settings_of(ScanKind::UdpScan);
    Counter counter = counter_of(ScanKind::UdpScan);
    CHECK(add_datagrams(counter, datagrams(1, 100), settings.rate_window) == 1);
    CHECK(add_datagrams(counter, datagrams(3, 1499), settings.rate_window) == 4);
    CHECK(add_datagrams(counter, datagrams(2, 3000), settings.rate_window) == 10);
    CHECK(add_datagrams(counter, datagrams(1, 100, seconds(6)), settings.rate_window) == 1);
}

TEST_CASE("counting: the rate of a flood depends on refusals and on the number of ports") {
    const DetectorSettings settings = settings_of(ScanKind::UdpScan);
    REQUIRE(settings.rate_threshold == 10000);
    struct Row {
        bool was_refused;
        int source_ports;
        int ports;
        std::uint32_t rate;  // the smallest one that is enough
    };
    for (const Row& row : {Row{false, 1, 1, 10000}, Row{true, 1, 1, 10000}, Row{false, 5, 1, 10000},
                           Row{true, 5, 1, 100}, Row{false, 1, 10, 50}}) {
        CAPTURE(row.was_refused, row.source_ports, row.ports);
        Counter counter = counter_of(ScanKind::UdpScan);
        counter.was_refused = row.was_refused;
        for (int i = 0; i < 10; ++i) {
            count(counter, ProbeClass::Datagram, 40000 + i % row.source_ports,
                  1000 + i % row.ports);
        }
        CHECK_FALSE(is_rate_enough(counter, settings, row.rate - 1));
        CHECK(is_rate_enough(counter, settings, row.rate));
    }
}

TEST_CASE("counting: another line needs a threshold of new ports and ten seconds") {
    const DetectorSettings settings = settings_of(ScanKind::SynScan);
    REQUIRE(settings.repeat == seconds(10));
    Counter counter = detected(ScanKind::SynScan);
    for (int port = 1; port <= 9; ++port) {
        CHECK_FALSE(is_due(counter, settings, port, kNow + 20));
    }
    CHECK_FALSE(is_due(counter, settings, 9, kNow + 20));
    CHECK(is_due(counter, settings, 10, kNow + 20));

    counter = detected(ScanKind::SynScan);
    for (int port = 1; port <= 20; ++port) {
        CHECK_FALSE(is_due(counter, settings, port, kNow + 9));
    }
    CHECK(take_between_lines(counter, kNow + 9));  // enough ports: only the time is missing
    CHECK_FALSE(take_between_lines(counter, kNow + 10));
    CHECK(is_due(counter, settings, 21, kNow + 10));
}

TEST_CASE("counting: a kind without a time between lines has one line") {
    DetectorSettings settings = settings_of(ScanKind::SynScan);
    settings.repeat = seconds(0);
    Counter counter = detected(ScanKind::SynScan);
    for (int port = 1; port <= 50; ++port) {
        CHECK_FALSE(is_due(counter, settings, port, kNow + 100));
    }
}

TEST_CASE("counting: an answer after a threshold of unanswered probes shows the end of a block") {
    const DetectorSettings settings = settings_of(ScanKind::SynScan);
    for (const int probes : {9, 10}) {
        CAPTURE(probes);
        Counter counter = detected(ScanKind::SynScan);
        for (int i = 0; i < probes; ++i) {
            CHECK_FALSE(is_due(counter, settings, 1, kNow + 1));
        }
        note_answer(counter, settings, kNow + 2);
        CHECK(counter.is_unblocked == (probes == 10));
        CHECK(counter.unanswered == 0);
        // After a block a line need not wait, and the answered port counts as one of the threshold.
        for (int port = 101; port <= 108; ++port) {
            CHECK_FALSE(is_due(counter, settings, port, kNow + 3));
        }
        CHECK(is_due(counter, settings, 109, kNow + 3) == (probes == 10));
    }
}

TEST_CASE("counting: a proof of the address leads to a line, if the last line had none") {
    const DetectorSettings settings = settings_of(ScanKind::SynScan);
    for (const bool may_rise : {false, true}) {
        CAPTURE(may_rise);
        Counter counter = detected(ScanKind::SynScan);
        counter.may_rise = may_rise;
        note_proof(counter, kNow + 1);
        CHECK(counter.proven_at == kNow + 1);
        CHECK_FALSE(is_due(counter, settings, 1, kNow + 9));
        CHECK(is_due(counter, settings, 1, kNow + 10) == may_rise);
    }
}
