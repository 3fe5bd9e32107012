#include "sensor/capture/host.hpp"

#include <poll.h>

#include <algorithm>

#include "tests/support/network_namespace.hpp"

using namespace portcullis::sensor_capture;
using namespace portcullis;

TEST_CASE("host: the kernel's table of VLANs is read, whatever its contents") {
    const auto found = parse_vlan_interfaces(
        "VLAN Dev name\t | VLAN ID\n"
        "Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n"
        "eth0.7         | 7  | eth0\n"
        "storage        | 4094 | bond0\n"
        "bad            | 70000 | eth0\n"
        "bad            | x | eth0\n"
        "               | 8 | eth0\n"
        "bad | 5");
    CHECK(found == std::vector<VlanInterface>{{"eth0.7", 7, "eth0"}, {"storage", 4094, "bond0"}});
    CHECK(parse_vlan_interfaces("").empty());
}

TEST_CASE("host: the type of a device is read from what the kernel says of it") {
    CHECK(parse_device_type("DEVTYPE=ppp\nINTERFACE=ppp0\nIFINDEX=7\n") == "ppp");
    CHECK(parse_device_type("INTERFACE=eth0\nIFINDEX=2") == "");
    CHECK(parse_device_type("INTERFACE=x\nDEVTYPE=macsec") == "macsec");
    CHECK(parse_device_type("") == "");
    CHECK(device_type("nosuchinterface") == "");
}

TEST_CASE("host: interfaces and addresses that come and go are news") {
    if (!test::enter_network_namespace()) {
        WARN("skipped: no network namespace here");
        return;
    }
    HostChanges changes;
    REQUIRE(changes.fd() >= 0);
    const auto has_news = [&] {
        pollfd ready{changes.fd(), POLLIN, 0};
        return ::poll(&ready, 1, 2000) == 1;
    };
    changes.drain();
    REQUIRE(std::system("ip link add hosta type veth peer name hostb") == 0);
    CHECK(has_news());
    changes.drain();
    CHECK_FALSE(is_up("hosta"));
    const auto before = host_addresses();
    CHECK(std::count(before.begin(), before.end(), *base::IpAddress::parse("10.77.0.1")) == 0);
    REQUIRE(std::system("ip link set hosta up && ip addr add 10.77.0.1/24 dev hosta") == 0);
    CHECK(has_news());
    changes.drain();
    CHECK(is_up("hosta"));
    const auto addresses = host_addresses();
    CHECK(std::count(addresses.begin(), addresses.end(), *base::IpAddress::parse("10.77.0.1")) ==
          1);
    const auto names = usable_interfaces();
    CHECK(std::count(names.begin(), names.end(), "hosta") == 1);
    CHECK(std::count(names.begin(), names.end(), "lo") == 0);
    REQUIRE(std::system("ip link del hosta") == 0);
    CHECK(has_news());
    CHECK_FALSE(is_up("hosta"));
}
