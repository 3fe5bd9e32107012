#include "engine/execd/never_block.hpp"

#include <algorithm>
#include <cstdlib>

#include "tests/support/network_namespace.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::execd;

namespace {

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

bool run(const std::string& commands) { return std::system(commands.c_str()) == 0; }

// The host of the test: an ordinary one, with addresses and routes of every kind.
bool make_host() {
    if (!test::enter_network_namespace()) {
        return false;
    }
    static const bool is_made =
        run("ip link add pcnb0 type veth peer name pcnb1 && "
            "ip link set pcnb0 up && ip link set pcnb1 up && "
            "ip addr add 192.0.2.10/26 brd 192.0.2.63 dev pcnb0 && "
            "ip addr add 198.51.100.1/24 dev pcnb1 && "
            "ip addr add 203.0.113.1 peer 203.0.113.2 dev pcnb1 && "
            "ip -6 addr add 2001:db8::10/64 dev pcnb0 nodad && "
            "ip route add default via 192.0.2.1 && "
            "ip route add 10.1.0.0/16 via 192.0.2.2 table 1234 && "
            "ip route add 10.2.0.0/16 nexthop via 192.0.2.3 nexthop via 198.51.100.3 && "
            "ip -6 route add default via 2001:db8::1 && "
            "ip route add 10.4.0.0/16 via inet6 2001:db8::4 dev pcnb0 && "
            "ip nexthop add id 77 via 192.0.2.5 dev pcnb0 && "
            "ip route add 10.5.0.0/16 nhid 77");
    REQUIRE(is_made);
    return true;
}

}  // namespace

TEST_CASE("never_block: everything that keeps this host reachable is spared, with its reason") {
    if (!make_host()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    const test::TemporaryFolder root;
    std::filesystem::create_directories(root / "etc");
    test::overwrite(root / "etc/resolv.conf", "nameserver 198.51.100.53\n");
    base::EventLoop loop;
    base::Log log("test");
    auto list = NeverBlock::open(loop, log, root.path());
    REQUIRE(list.has_value());
    ExecdConfig config;
    config.white_list.add(*base::Cidr::parse("203.0.113.128/25"));
    config.white_list_hosts = {"localhost", "no-such-name.invalid"};
    config.white_list_files = {root / "friends"};
    config.spare_login_days = 7;
    test::overwrite(root / "friends",
                    "# the office\n203.0.113.7 # a printer\n\n2001:db8:aa::/127\n");
    (*list)->configure(config);
    const struct {
        const char* address;
        const char* reason;  // nullptr = may be blocked
    } rows[] = {
        {"127.0.0.1", "loopback address"},
        {"::1", "loopback address"},
        {"0.1.2.3", "unspecified address"},
        {"::", "unspecified address"},
        {"224.0.0.251", "multicast address"},
        {"ff02::1", "multicast address"},
        {"255.255.255.255", "broadcast address"},
        {"fe80::1", "link-local address"},
        {"203.0.113.200", "white_list 203.0.113.128/25"},
        {"192.0.2.10", "own address"},
        {"198.51.100.1", "own address"},
        {"203.0.113.1", "own address"},
        {"2001:db8::10", "own address"},
        {"192.0.2.63", "broadcast address of an own subnet"},
        {"192.0.2.0", "broadcast address of an own subnet"},
        {"198.51.100.255", "broadcast address of an own subnet"},
        {"192.0.2.1", "next hop of a route"},
        {"192.0.2.2", "next hop of a route"},
        {"192.0.2.3", "next hop of a route"},
        {"198.51.100.3", "next hop of a route"},
        {"2001:db8::1", "next hop of a route"},
        {"2001:db8::4", "next hop of a route"},
        {"192.0.2.5", "next hop of a route"},
        {"198.51.100.53", "nameserver (/etc/resolv.conf)"},
        {"192.0.2.64", nullptr},
        {"192.0.2.4", nullptr},
        {"203.0.113.2", nullptr},
        {"198.51.100.54", nullptr},
        {"2001:db8::2", nullptr},
        {"203.0.113.127", nullptr},
    };
    for (const auto& row : rows) {
        CAPTURE(row.address);
        CHECK((*list)->reason_to_spare(address(row.address)).value_or("") ==
              (row.reason == nullptr ? "" : row.reason));
    }
    // A network is spared if anything in it is.
    for (const char* network : {"2001:db8::/64", "2001:db8::/48", "::/64", "fe80::/64"}) {
        CAPTURE(network);
        CHECK((*list)->reason_to_spare(*base::Cidr::parse(network)).has_value());
    }
    CHECK_FALSE((*list)->reason_to_spare(*base::Cidr::parse("2001:db8:0:1::/64")).has_value());
    CHECK((*list)->reason_to_spare(address("203.0.113.7")) ==
          "white_list 203.0.113.7/32 (" + (root / "friends") + ":2)");

    // An IPv6 source is widened to its network only if nobody in that is protected or a neighbour.
    const struct {
        const char* source;
        int prefix_length;
        const char* banned;
    } widened_rows[] = {
        {"2001:db8:0:1::7", 64, "2001:db8:0:1::/64"},
        {"2001:db8:0:1::7", 128, "2001:db8:0:1::7/128"},
        {"2001:db8:0:1::7", 56, "2001:db8:0:1::7/128"},  // holds the own address and the router
        {"2001:db8::7", 64, "2001:db8::7/128"},
        {"2001:db8:ff:1::7", 64, "2001:db8:ff:1::7/128"},  // on a link, and nobody is known there
        {"2001:db8:ff:200::7", 64, "2001:db8:ff:200::7/128"},  // within an on-link /56
        {"2001:db8:ff:300::7", 56, "2001:db8:ff:300::/56"},
        {"2001:db8:aa::7", 64, "2001:db8:aa::7/128"},  // holds one of the white list
        {"192.0.2.9", 24, "192.0.2.9/32"},
    };
    REQUIRE(
        run("ip -6 route add 2001:db8:ff:1::/64 dev pcnb1 && "
            "ip -6 route add 2001:db8:ff:200::/56 dev pcnb1 && "
            "ip -6 route add 2001:db8:ff:300::/56 via 2001:db8::1 && "
            "ip -6 route add 8000::/1 dev pcnb1"));
    for (const auto& row : widened_rows) {
        CAPTURE(row.source, row.prefix_length);
        (*list)->reason_to_spare(address("192.0.2.4"));  // takes in what is new
        CHECK((*list)->widen(address(row.source), row.prefix_length).to_string() == row.banned);
    }
    CHECK((*list)->widen(*base::Cidr::parse("2001:db8:0:1::/64"), 56).to_string() ==
          "2001:db8:0:1::/64");
}

TEST_CASE("never_block: the whole list is shown, each entry with the reason that spares it") {
    if (!make_host()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    const test::TemporaryFolder root;
    std::filesystem::create_directories(root / "etc");
    test::overwrite(root / "etc/resolv.conf", "nameserver 198.51.100.53\n");
    base::EventLoop loop;
    base::Log log("test");
    auto list = NeverBlock::open(loop, log, root.path());
    REQUIRE(list.has_value());
    ExecdConfig config;
    config.white_list.add(*base::Cidr::parse("203.0.113.128/25"));
    (*list)->configure(config);
    const auto entries = (*list)->all_protected();
    const auto reason_of = [&](const char* network) {
        const auto it = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
            return entry.network.to_string() == network;
        });
        return it == entries.end() ? std::string() : it->reason;
    };
    CHECK(reason_of("127.0.0.0/8") == "loopback address");
    CHECK(reason_of("203.0.113.128/25") == "white_list 203.0.113.128/25");
    CHECK(reason_of("192.0.2.10/32") == "own address");
    CHECK(reason_of("192.0.2.3/32") == "next hop of a route");
    CHECK(reason_of("198.51.100.53/32") == "nameserver (/etc/resolv.conf)");
    for (const auto& entry : entries) {
        CAPTURE(entry.network.to_string(), entry.reason);
        CHECK((*list)->reason_to_spare(entry.network).has_value());
    }
}

TEST_CASE("never_block: a network is widened by its bits, whatever their number") {
    const auto target = base::Cidr(address("2001:db8:1234:5678:9abc::1"));
    const auto by = [&](int length, bool is_taken) {
        return widened(target, length, [&](const base::Cidr&) { return is_taken; }).to_string();
    };
    CHECK(by(64, false) == "2001:db8:1234:5678::/64");
    CHECK(by(60, false) == "2001:db8:1234:5670::/60");
    CHECK(by(33, false) == "2001:db8::/33");
    CHECK(by(64, true) == target.to_string());
    CHECK(by(0, false) == target.to_string());
    CHECK(by(128, false) == target.to_string());
}

TEST_CASE("never_block: an address is protected at once, and the change is reported") {
    if (!make_host()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    const test::TemporaryFolder root;
    base::EventLoop loop;
    base::Log log("test");
    auto list = NeverBlock::open(loop, log, root.path());
    REQUIRE(list.has_value());
    int changes = 0;
    (*list)->set_on_changed([&] { ++changes; });
    CHECK_FALSE((*list)->reason_to_spare(address("198.51.100.77")).has_value());
    REQUIRE(run("ip route add 10.77.0.0/16 via 198.51.100.77"));
    CHECK((*list)->reason_to_spare(address("198.51.100.77")) == "next hop of a route");
    REQUIRE(run("ip addr add 198.51.100.78/24 dev pcnb1"));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (changes == 0 && std::chrono::steady_clock::now() < deadline) {
        loop.run_once(std::chrono::milliseconds(100));
    }
    CHECK(changes > 0);
    CHECK((*list)->standing_reason(address("198.51.100.78")) == "own address");

    REQUIRE(run("ip route del 10.77.0.0/16 via 198.51.100.77"));
    while ((*list)->reason_to_spare(address("198.51.100.77")).has_value() &&
           std::chrono::steady_clock::now() < deadline) {
        loop.run_once(std::chrono::milliseconds(100));
    }
    CHECK_FALSE((*list)->reason_to_spare(address("198.51.100.77")).has_value());
}
