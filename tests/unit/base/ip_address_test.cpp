#include "base/ip_address.hpp"

using namespace portcullis::base;

TEST_CASE("ip_address: only whole numeric addresses parse, and they print canonically") {
    struct Row {
        const char* text;
        const char* canonical;  // "" = not an address
    };
    const Row rows[] = {
        {"10.10.150.1", "10.10.150.1"},
        {"FD00:150:0:0:0:0:0:1", "fd00:150::1"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"1.2.3", ""},
        {"1.2.3.4 ", ""},
        {"mail.example", ""},
        {"fe80::1%eth0", ""},
        {"", ""},
        {"1.2.3.400", ""},
        {"$(reboot)", ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto address = IpAddress::parse(row.text);
        CHECK((address ? address->to_string() : "") == row.canonical);
    }
    CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST_CASE("ip_address: a network contains exactly the addresses that share its prefix") {
    struct Row {
        const char* cidr;
        const char* address;
        bool contained;
    };
    const Row rows[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"192.168.1.128/25", "192.168.1.127", false},
        {"192.168.1.128/25", "192.168.1.200", true},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"1.2.3.4", "1.2.3.4", true},
        {"1.2.3.4", "1.2.3.5", false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.cidr, row.address);
        const auto cidr = Cidr::parse(row.cidr);
        REQUIRE(cidr);
        CHECK(cidr->contains(*IpAddress::parse(row.address)) == row.contained);
    }
    for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "host/8"}) {
        CAPTURE(bad);
        CHECK_FALSE(Cidr::parse(bad));
    }
}

TEST_CASE("ip_address: addresses that no remote attacker can have are named") {
    struct Row {
        const char* address;
        const char* use;
    };
    const Row rows[] = {
        {"127.0.0.53", "loopback"},
        {"0.1.2.3", "unspecified"},
        {"224.0.0.1", "multicast"},
        {"ff02::1", "multicast"},
        {"255.255.255.255", "broadcast"},
        {"::", "unspecified"},
        {"::1", "loopback"},
        {"fe80::1", "link-local"},
        {"10.0.0.1", ""},
        {"2001:db8::1", ""},
        {"::ffff:127.0.0.1", "loopback"},
        {"240.0.0.1", "reserved"},
        {"255.255.255.254", "reserved"},
        {"100::7", "discard-only"},
        {"100:0:0:1::7", ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.address);
        CHECK(special_use_of(*IpAddress::parse(row.address)) == row.use);
        CHECK(special_use_of(Cidr(*IpAddress::parse(row.address))) == row.use);
    }
}

TEST_CASE("ip_address: a network that contains such an address is named, too") {
    CHECK(special_use_of(*Cidr::parse("126.0.0.0/7")) == "loopback");
    CHECK(special_use_of(*Cidr::parse("0.0.0.0/0")) != "");
    CHECK(special_use_of(*Cidr::parse("fe80::/64")) == "link-local");
    CHECK(special_use_of(*Cidr::parse("192.0.2.0/24")).empty());
}
