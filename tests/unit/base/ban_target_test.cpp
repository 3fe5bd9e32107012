#include "base/ban_target.hpp"

using namespace portcullis::base;

TEST_CASE("ban_target: an address, or a network that is not too large, in canonical form") {
    const struct {
        const char* text;
        const char* canonical;  // "" = none
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:db8::1/128", "2001:db8::1"},
        {"2001:db8:1:2::/64", "2001:db8:1:2::/64"},
        {"2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64"},
        {"2001:db8:1:2ff::1/56", "2001:db8:1:200::/56"},
        {"2001:db8:1:2::1/48", "2001:db8:1::/48"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:db8::ffff/127", "2001:db8::fffe/127"},
        {"2001:db8::/31", ""},
        {"::/0", ""},
        {"192.0.2.77/24", "192.0.2.0/24"},
        {"192.0.2.77/25", "192.0.2.0/25"},
        {"192.0.2.177/25", "192.0.2.128/25"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"::ffff:192.0.2.77/120", "192.0.2.0/24"},
        {"10.1.2.3/8", "10.0.0.0/8"},
        {"10.0.0.0/7", ""},
        {"0.0.0.0/0", ""},
        {"192.0.2.0/33", ""},
        {"192.0.2.0/-1", ""},
        {"2001:db8::/64 ", ""},
        {"2001:db8::/64/64", ""},
        {"2001:db8::/", ""},
        {"mail.example", ""},
        {"", ""},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        const auto target = parse_ban_target(row.text);
        CHECK((target ? ban_target_text(*target) : "") == row.canonical);
    }
}

TEST_CASE("ban_target: of a log line only a customer's IPv6 network is taken") {
    for (const char* text : {"192.0.2.1", "2001:db8::1", "2001:db8::1/128", "2001:db8:1::/48",
                             "2001:db8:1:200::/56", "2001:db8:1:2::/64"}) {
        CAPTURE(text);
        REQUIRE(parse_offender(text).has_value());
        CHECK(ban_target_text(*parse_offender(text)) == ban_target_text(*parse_ban_target(text)));
    }
    for (const char* text :
         {"192.0.2.0/24", "192.0.2.1/32", "10.0.0.0/8", "2001:db8::/32", "2001:db8::/65", "x"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_offender(text).has_value());
    }
}

TEST_CASE("ban_target: a network has the special use of any address in it") {
    const struct {
        const char* text;
        const char* use;
    } rows[] = {
        {"127.0.0.0/8", "loopback"}, {"127.1.0.0/16", "loopback"}, {"::/32", "unspecified"},
        {"::/127", "unspecified"},   {"fe80::/32", "link-local"},  {"224.0.0.0/24", "multicast"},
        {"ff02::/64", "multicast"},  {"0.0.0.0/8", "unspecified"}, {"192.0.2.0/24", ""},
        {"10.0.0.0/8", ""},          {"2001:db8::/32", ""},        {"192.0.2.1", ""},
        {"126.0.0.0/8", ""},         {"127.0.0.1", "loopback"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(special_use_of(*parse_ban_target(row.text)) == row.use);
    }
    CHECK_FALSE(special_use_of(*parse_ban_target("255.255.255.0/24")).empty());
}

TEST_CASE("ban_target: networks overlap if one contains the other") {
    const auto network = [](const char* text) { return *Cidr::parse(text); };
    CHECK(network("2001:db8::/48").overlaps(network("2001:db8:0:7::/64")));
    CHECK(network("2001:db8:0:7::/64").overlaps(network("2001:db8::/48")));
    CHECK_FALSE(network("2001:db8:0:7::/64").overlaps(network("2001:db8:0:8::/64")));
    CHECK_FALSE(network("0.0.0.0/0").overlaps(network("2001:db8::/48")));
    CidrSet set;
    set.add(network("2001:db8:0:7::9"));
    CHECK(set.find_overlap(network("2001:db8:0:7::/64")) != nullptr);
    CHECK(set.find_overlap(network("2001:db8:0:8::/64")) == nullptr);
}
