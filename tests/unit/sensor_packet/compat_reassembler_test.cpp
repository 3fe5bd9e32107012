#include "sensor/packet/compat_reassembler.hpp"

#include "tests/support/fragments.hpp"

using namespace portcullis::sensor_packet;
using namespace portcullis::test;

// spec: iplog 2.2.3, section 5.9; the pieces are those of the captures that it names.
TEST_CASE("compat_reassembler: iplog's faults are kept, and no more than them") {
    struct Part {
        std::uint32_t begin;
        std::uint32_t end;
        bool more_follow;
        double second = 0;
    };
    struct Row {
        const char* what;
        std::vector<Part> parts;
        FragmentEvent last;
        bool is_complete;
    };
    const auto none = FragmentEvent::None;
    const Row rows[] = {
        {"in order", {{0, 8, true}, {8, 16, true}, {16, 20, false}}, none, true},
        {"in reverse", {{16, 20, false}, {8, 16, true}, {0, 8, true}}, none, true},
        {"duplicate", {{0, 32, true}, {0, 32, true}}, FragmentEvent::Duplicate, false},
        {"duplicate of another length",
         {{0, 32, true}, {0, 8, true}},
         FragmentEvent::Duplicate,
         false},
        {"a line drops the datagram", {{0, 16, true}, {0, 16, true}, {16, 20, false}}, none, false},
        {"teardrop", {{0, 40, true}, {24, 28, false}}, FragmentEvent::Overlapping, false},
        {"overlap with the next one is missed", {{8, 32, false}, {0, 16, true}}, none, false},
        {"in the middle it is missed too",
         {{0, 16, true}, {48, 64, false}, {16, 64, true}},
         none,
         false},
        {"overlap with the one behind the next",
         {{16, 24, true}, {24, 32, false}, {8, 32, true}},
         FragmentEvent::OverlappingInserted,
         false},
        {"overlap with the one before",
         {{0, 24, true}, {48, 64, false}, {16, 32, true}},
         FragmentEvent::OverlappingInserted,
         false},
        {"oversized", {{65528, 65536, false}}, FragmentEvent::Oversized, false},
        {"a new second begins", {{0, 16, true, 0.9}, {16, 20, false, 1.0}}, none, false},
        {"the sum is enough", {{0, 8, true}, {4000, 4992, true}, {1000, 1008, false}}, none, true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        CompatReassembler reassembler;
        FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
        FragmentResult result;
        for (const Part& part : row.parts) {
            result = sender.send(part.begin, part.end, part.more_follow, part.second);
        }
        CHECK(result.event == row.last);
        CHECK(result.is_complete == row.is_complete);
    }
}

TEST_CASE("compat_reassembler: a datagram is read with its ports, and the sum of its pieces") {
    CompatReassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    sender.send(0, 8, true);
    sender.send(8, 16, true);
    const auto result = sender.send(16, 20, false);
    REQUIRE(result.is_complete);
    CHECK(result.packet.verdict == Verdict::Ok);
    CHECK(result.packet.destination_port == 80);
    CHECK(result.packet.payload_length == 20);
}

TEST_CASE("compat_reassembler: the oldest datagram makes room") {
    CompatReassembler reassembler;
    FragmentSender sender(reassembler, tcp(1000, 80, kSyn));
    for (std::uint32_t id = 0; id < 200; ++id) {
        sender.fragment().identification = id;
        sender.send(0, 16, true);
    }
    CHECK(reassembler.counters().evicted == 40);
    CHECK(sender.send(16, 20, false).is_complete);
    sender.fragment().identification = 1;
    CHECK_FALSE(sender.send(16, 20, false).is_complete);
}
