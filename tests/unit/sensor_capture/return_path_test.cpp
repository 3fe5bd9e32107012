#include "sensor/capture/return_path.hpp"

#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>
#include <string>

#include "tests/support/network_namespace.hpp"

using namespace portcullis::sensor_capture;
using namespace portcullis;
using base::IpAddress;

namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }

bool runs(const char* command) { return std::system(command) == 0; }

// The devices in /sys are those of the namespace in which it was mounted.
bool mount_own_sysfs() {
    static const bool has_mounted =
        ::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0;
    return has_mounted;
}

bool set_filter_mode(const std::string& interface, int mode) {
    std::ofstream file("/proc/sys/net/ipv4/conf/" + interface + "/rp_filter");
    return static_cast<bool>(file << mode << std::flush);
}

// Two wires: rpa with 10.71.0.0/24, the default routes and a VLAN, rpb with 10.72.0.0/24.
bool set_up_wires() {
    static const bool has_wires =
        test::enter_network_namespace() && mount_own_sysfs() &&
        runs(
            "ip link add rpa type veth peer name rpa1 && ip link add rpb type veth peer name rpb1 "
            "&& ip link set rpa up && ip link set rpa1 up && ip link set rpb up && "
            "ip link set rpb1 up && ip addr add 10.71.0.1/24 dev rpa && "
            "ip addr add 10.72.0.1/24 dev rpb && ip addr add fd00:71::1/64 dev rpa nodad && "
            "ip route add default via 10.71.0.9 && ip -6 route add default via fd00:71::9");
    return has_wires;
}

std::uint32_t index_of(const char* interface) { return ::if_nametoindex(interface); }

}  // namespace

TEST_CASE("return_path: the route back and the strictness of the filter decide") {
    if (!set_up_wires()) {
        WARN("skipped: no network namespace with its own sysfs here");
        return;
    }
    struct Row {
        const char* what;
        const char* source;
        const char* interface;
        int filter_of_all;
        int filter_of_interface;
        ReturnPath path;
    };
    const Row rows[] = {
        {"neighbour", "10.71.0.5", "rpa", 1, 1, ReturnPath::Same},
        {"by the default route", "192.0.2.1", "rpa", 1, 1, ReturnPath::Same},
        {"neighbour of the other wire", "10.71.0.5", "rpb", 0, 0, ReturnPath::Other},
        {"the other way, no filter", "192.0.2.1", "rpb", 0, 0, ReturnPath::Other},
        {"the other way, strict", "192.0.2.1", "rpb", 0, 1, ReturnPath::Filtered},
        {"the other way, strict for all", "192.0.2.1", "rpb", 1, 0, ReturnPath::Filtered},
        {"the other way, loose", "192.0.2.1", "rpb", 0, 2, ReturnPath::Other},
        {"the other way, loose outdoes strict", "192.0.2.1", "rpb", 1, 2, ReturnPath::Other},
        {"IPv6, neighbour", "fd00:71::5", "rpa", 1, 1, ReturnPath::Same},
        {"IPv6, by the default route", "2001:db8::1", "rpa", 1, 1, ReturnPath::Same},
        {"IPv6, the other way", "2001:db8::1", "rpb", 1, 1, ReturnPath::Other},
        {"link-local", "fe80::1", "rpb", 1, 1, ReturnPath::Same},
        {"no such interface", "192.0.2.1", "rpnone", 1, 1, ReturnPath::Unknown},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        REQUIRE(set_filter_mode("all", row.filter_of_all));
        REQUIRE(set_filter_mode("rpb", row.filter_of_interface));
        CHECK(judge_return_path(address(row.source), index_of(row.interface)) == row.path);
    }
    REQUIRE(set_filter_mode("rpb", 0));
    REQUIRE(set_filter_mode("all", 0));
}

TEST_CASE("return_path: routes that depend on our address, several nexthops and no route at all") {
    if (!set_up_wires()) {
        WARN("skipped: no network namespace with its own sysfs here");
        return;
    }
    const std::uint32_t rpb = index_of("rpb");
    const IpAddress source = address("198.51.100.1");
    REQUIRE(
        runs("ip route add default via 10.72.0.9 table 72 && "
             "ip rule add from 10.72.0.1 table 72"));
    CHECK(judge_return_path(source, rpb) == ReturnPath::Other);
    CHECK(judge_return_path(source, rpb, address("10.72.0.1")) == ReturnPath::Same);
    CHECK(judge_return_path(source, rpb, address("10.71.0.1")) == ReturnPath::Other);
    CHECK(judge_return_path(source, rpb, address("10.99.0.1")) == ReturnPath::Unknown);  // not ours
    REQUIRE(runs("ip rule del from 10.72.0.1 table 72"));

    REQUIRE(runs("ip route add 198.51.100.0/24 nexthop via 10.71.0.9 nexthop via 10.72.0.9"));
    CHECK(judge_return_path(source, rpb) == ReturnPath::Same);
    CHECK(judge_return_path(source, index_of("rpa")) == ReturnPath::Same);
    REQUIRE(runs("ip route del 198.51.100.0/24"));

    REQUIRE(runs("ip route add unreachable 203.0.113.0/24"));
    CHECK(judge_return_path(address("203.0.113.1"), rpb) == ReturnPath::Unknown);
    REQUIRE(runs("ip route del unreachable 203.0.113.0/24"));
}

TEST_CASE("return_path: an interface and what is stacked on it are the same") {
    if (!set_up_wires()) {
        WARN("skipped: no network namespace with its own sysfs here");
        return;
    }
    if (!runs("ip link add rpbr type bridge && ip link set rpb1 master rpbr && "
              "ip link set rpbr up && ip addr add 10.73.0.1/24 dev rpbr")) {
        WARN("skipped: no bridges here");
        return;
    }
    CHECK(judge_return_path(address("10.73.0.5"), index_of("rpb1")) == ReturnPath::Same);
    CHECK(judge_return_path(address("10.73.0.5"), index_of("rpa")) == ReturnPath::Other);
    REQUIRE(runs("ip link del rpbr"));
}

TEST_CASE("return_path: an answer is kept for a second, and no more of them than there is room") {
    if (!set_up_wires()) {
        WARN("skipped: no network namespace with its own sysfs here");
        return;
    }
    const base::Timestamp start{std::chrono::seconds(1000)};
    const IpAddress source = address("192.0.2.7");
    const std::uint32_t rpb = index_of("rpb");
    ReturnPaths paths;
    CHECK(paths.judge(source, rpb, std::nullopt, start) == ReturnPath::Other);
    REQUIRE(runs("ip route add 192.0.2.7/32 via 10.72.0.9"));
    const auto at = [&](int milliseconds) {
        return paths.judge(source, rpb, std::nullopt,
                           start + std::chrono::milliseconds(milliseconds));
    };
    CHECK(at(999) == ReturnPath::Other);
    CHECK(at(1000) == ReturnPath::Same);
    REQUIRE(runs("ip route del 192.0.2.7/32"));
    CHECK(at(1500) == ReturnPath::Same);
    CHECK(at(-500) == ReturnPath::Other);  // the clock was set back
    for (unsigned i = 0; i < 2 * ReturnPaths::kMaxAnswers; ++i) {
        paths.judge(IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(i)}), rpb, std::nullopt,
                    start);
    }
    CHECK(paths.size() == ReturnPaths::kMaxAnswers);
}
