#include "sensor/capture/return_path.hpp"

#include <net/if.h>

#include <cstdlib>

#include "tests/support/network_namespace.hpp"

using namespace portcullis;
using sensor_capture::has_strict_path_filter;
using sensor_capture::route_interface;

namespace {

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

bool run(const std::string& commands) { return std::system(commands.c_str()) == 0; }

}  // namespace

TEST_CASE("return_path: the interface of the route back, and whether others are dropped") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    REQUIRE(
        run("ip link add pcrp0 type veth peer name pcrp1 && ip link set pcrp0 up && "
            "ip link set pcrp1 up && ip addr add 192.0.2.1/24 dev pcrp0 && "
            "ip addr add 198.51.100.1/24 dev pcrp1 && "
            "ip -6 addr add 2001:db8::1/64 dev pcrp1 nodad"));
    const std::uint32_t first = ::if_nametoindex("pcrp0");
    const std::uint32_t second = ::if_nametoindex("pcrp1");
    CHECK(route_interface(address("192.0.2.77")) == first);
    CHECK(route_interface(address("198.51.100.77")) == second);
    CHECK(route_interface(address("2001:db8::77")) == second);
    CHECK_FALSE(route_interface(address("203.0.113.1")).has_value());
    CHECK_FALSE(route_interface(address("2001:db8:9::1")).has_value());
    if (!run("test -w /proc/sys/net/ipv4/conf/pcrp0/rp_filter")) {
        WARN("SKIPPED in part: the path filter cannot be set here");
        return;
    }
    struct Row {
        int all;
        int own;
        bool is_strict;
    };
    for (const Row& row : {Row{0, 0, false}, Row{0, 1, true}, Row{1, 0, true}, Row{2, 1, false},
                           Row{1, 2, false}, Row{0, 2, false}}) {
        CAPTURE(row.all, row.own);
        REQUIRE(run("echo " + std::to_string(row.all) +
                    " > /proc/sys/net/ipv4/conf/all/rp_filter && echo " + std::to_string(row.own) +
                    " > /proc/sys/net/ipv4/conf/pcrp0/rp_filter"));
        CHECK(has_strict_path_filter(first) == row.is_strict);
    }
    CHECK_FALSE(has_strict_path_filter(99999));
    CHECK_FALSE(sensor_capture::has_master(first));
    CHECK_FALSE(sensor_capture::has_master(99999));
}
