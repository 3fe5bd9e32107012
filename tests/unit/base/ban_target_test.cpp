#include "engine/base/ban_target.hpp"

using namespace portcullis::base;

TEST_CASE("ban_target: an address, or an IPv6 network of a customer's size, in canonical form") {
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
        {"2001:db8::/32", ""},
        {"2001:db8::/65", ""},
        {"::/0", ""},
        {"192.0.2.0/24", ""},
        {"192.0.2.1/32", ""},
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
