#include "sensor/detect/decoy_detector.hpp"

using namespace portcullis::sensor_detect;
using portcullis::base::IpAddress;

namespace {

DestinationPorts ports_of(std::initializer_list<std::uint16_t> values) {
    DestinationPorts ports;
    for (const std::uint16_t port : values) {
        ports.add(port);
    }
    return ports;
}

}  // namespace

TEST_CASE("decoy_detector: the order of ports may differ by a few packets") {
    const DestinationPorts ports = ports_of({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    struct Row {
        DestinationPorts other;
        bool is_same;
    };
    const Row rows[] = {
        {ports, true},
        {ports_of({2, 1, 4, 3, 6, 5, 8, 7, 10, 9}), true},        // overtaking packets
        {ports_of({1, 2, 4, 5, 6, 7, 8, 9, 10}), true},           // a lost one
        {ports_of({10, 9, 8, 7, 6, 5, 4, 3, 2, 1}), false},       // the same ports, another order
        {ports_of({11, 12, 13, 14, 15, 16, 17, 18, 19}), false},  // other ports
        {DestinationPorts(), false},
    };
    for (const Row& row : rows) {
        CHECK(is_same_port_order(ports, row.other) == row.is_same);
    }
    // Two ports are equal by chance.
    CHECK_FALSE(is_same_port_order(ports_of({1, 2}), ports_of({1, 2})));
}

TEST_CASE("decoy_detector: a group ends with its last active member") {
    DecoyGroups groups;
    const IpAddress target = *IpAddress::parse("192.0.2.2");
    const IpAddress one = *IpAddress::parse("192.0.2.11");
    const IpAddress two = *IpAddress::parse("192.0.2.12");
    const DestinationPorts ports = ports_of({1, 2, 3, 4});
    const std::uint16_t group = groups.make(ScanKind::Decoys, target, ports, 1000);
    groups.add(group, one);
    groups.add(group, two);
    CHECK(groups.find(ScanKind::Decoys, target, ports, 1000) == group);
    CHECK(groups.find(ScanKind::Decoys, target, ports, 1001) == kNoGroup);  // made before
    CHECK_FALSE(groups.remove(group, one));
    Counter counter;
    counter.packets = 7;
    CHECK(groups.end(group, counter));
    CHECK(groups.at(group).packets == 7);
    CHECK(groups.find(ScanKind::Decoys, target, ports, 1000) == kNoGroup);
}
