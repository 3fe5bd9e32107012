#include "active-response/hold_script.hpp"

#include <nlohmann/json.hpp>

#include "active-response/hold.hpp"

using namespace portcullis;
using namespace portcullis::active_response;
using base::HoldMode;
using nlohmann::json;
using std::chrono::seconds;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

base::Cidr network(const char* text) { return *base::Cidr::parse(text); }

}  // namespace

TEST_CASE("hold_script: the limits follow the numbers of ports") {
    HoldSettings settings;
    const std::string usual = hold_script(settings, {true, true});
    CHECK(has(usual, "@tries4 { ip saddr limit rate over 3/second burst 9 packets }"));
    CHECK(has(usual, "@calls4 { ip saddr limit rate over 5/second burst 14 packets }"));
    CHECK(ports_until_hold(settings, {true, true}) == 10);
    CHECK(ports_until_hold(settings, {false, true}) == 15);
    settings.config.ports = 2;
    settings.config.connect_ports = 1000;
    settings.config.seconds = seconds(60);
    const std::string other = hold_script(settings, {true, true});
    CHECK(has(other, "limit rate over 1/second burst 1 packets"));
    CHECK(has(other, "limit rate over 333/second burst 999 packets"));
    CHECK(has(other, "set held4 { type ipv4_addr; flags dynamic, timeout; timeout 60s;"));
}

TEST_CASE(
    "hold_script: spared networks do not overlap, single addresses are in a set of their own") {
    HoldSettings settings;
    for (const char* text : {"192.0.2.1", "10.1.0.0/16", "10.0.0.0/8", "10.1.2.3", "192.0.2.77/28",
                             "2001:db8::/32", "2001:db8:1::/48", "2001:db8::1"}) {
        settings.spared.push_back(network(text));
    }
    const std::string lists = hold_lists_script(settings);
    CHECK(has(lists, "portcullis_hold spared4 { 10.1.2.3, 192.0.2.1 }"));
    CHECK(has(lists, "portcullis_hold spared_nets4 { 10.0.0.0/8, 127.0.0.0/8, 192.0.2.64/28 }"));
    CHECK(has(lists, "portcullis_hold spared6 { 2001:db8::1, ::1 }"));
    CHECK(has(lists, "portcullis_hold spared_nets6 { 2001:db8::/32, fe80::/10 }"));
    CHECK(has(lists, "flush set inet portcullis_hold on_link6\n"));
    // The table comes with them: no drop is there before.
    const std::string script = hold_script(settings, {true, true});
    CHECK(script.find("elements = { 10.1.2.3, 192.0.2.1 }") < script.find("drop"));
    CHECK(has(script, "add table inet portcullis_hold\ndelete table inet portcullis_hold\n"));
}

TEST_CASE("hold_script: a dry run drops nothing, a lesser form lacks what it must not need") {
    HoldSettings settings;
    CHECK(has(hold_script(settings, {true, true}), "counter drop"));
    settings.is_dry = true;
    CHECK_FALSE(has(hold_script(settings, {true, true}), "drop"));
    CHECK_FALSE(has(hold_script(settings, {true, false}), "log"));
    const std::string refused = hold_script(settings, {false, true});
    CHECK_FALSE(has(refused, "socket transparent"));
    CHECK(has(refused, "tcp sequence 0"));
    CHECK(hold_forms(HoldMode::Yes).size() == 4);
    CHECK(hold_forms(HoldMode::Refused).front() == HoldForm{false, true});
    CHECK(hold_forms(HoldMode::No).empty());
}

TEST_CASE("hold_script: IPv6 sources are networks, neighbours are addresses") {
    HoldSettings settings;
    settings.on_link6 = {network("2001:db8:1::/64")};
    const auto target = [&](const char* text) {
        return hold_target_of(*base::IpAddress::parse(text), settings).to_string();
    };
    CHECK(target("192.0.2.1") == "192.0.2.1/32");
    CHECK(target("2001:db8:2:3:4:5:6:7") == "2001:db8:2:3::/64");
    CHECK(target("2001:db8:1::7") == "2001:db8:1::7/128");
    settings.config.ipv6_prefix = 48;
    CHECK(target("2001:db8:2:3:4:5:6:7") == "2001:db8:2::/48");
    CHECK(has(hold_script(settings, {true, true}), "ip6 saddr & ffff:ffff:ffff:: @held6"));
    settings.config.ipv6_prefix = 128;
    CHECK_FALSE(has(hold_script(settings, {true, true}), "saddr &"));
}

TEST_CASE("hold: requests are read, and what is out of range is refused") {
    const json good = {{"action", "hold"},
                       {"mode", "refused"},
                       {"ports", 12},
                       {"connect_ports", 30},
                       {"seconds", 5},
                       {"ipv6_prefix", 56},
                       {"dry_run", true},
                       {"spared", {"192.0.2.1", "::ffff:192.0.2.1", "10.0.0.0/8"}},
                       {"on_link", {"2001:db8::/64", "10.0.0.0/8"}}};
    const auto settings = read_hold_settings(good);
    REQUIRE(settings.has_value());
    CHECK(settings->config == base::HoldConfig{HoldMode::Refused, 12, 30, seconds(5), 56});
    CHECK(settings->is_dry);
    CHECK(settings->spared.size() == 2);    // one address in two spellings
    CHECK(settings->on_link6.size() == 1);  // IPv4 has none
    CHECK(settings->log_group == 77);
    const std::pair<const char*, json> wrong[] = {{"mode", "on"},
                                                  {"mode", 1},
                                                  {"ports", 1},
                                                  {"ports", 1001},
                                                  {"ports", 2.5},
                                                  {"ports", 18446744073709551615U},
                                                  {"connect_ports", "15"},
                                                  {"seconds", 0},
                                                  {"seconds", 1e9},
                                                  {"ipv6_prefix", 63},
                                                  {"spared", "192.0.2.1"},
                                                  {"spared", {"192.0.2.1 drop"}},
                                                  {"spared", {"192.0.2.1", 5}},
                                                  {"on_link", {"::/129"}},
                                                  {"group", 65536},
                                                  {"dry_run", "yes"}};
    for (const auto& [member, value] : wrong) {
        CAPTURE(member, value.dump());
        json request = good;
        request[member] = value;
        CHECK_FALSE(read_hold_settings(request).has_value());
    }
}
