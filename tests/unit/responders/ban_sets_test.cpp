#include "active-response/ban_sets.hpp"

#include <poll.h>

#include <cstdio>
#include <map>

#include "engine/base/ban_target.hpp"

#include "tests/support/network_namespace.hpp"

using namespace portcullis;
using active_response::BanSets;
using active_response::Held;
using active_response::HeldWalk;
using active_response::TableWatch;
using std::chrono::seconds;

namespace {

std::string ruleset() {
    std::string output;
    FILE* pipe = ::popen("nft list ruleset", "r");
    REQUIRE(pipe != nullptr);
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        output.append(buffer, got);
    }
    ::pclose(pipe);
    return output;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// Address or network -> seconds left; -1 = no end.
std::map<std::string, std::int64_t> walk_through() {
    auto walk = HeldWalk::start();
    REQUIRE(walk.has_value());
    std::vector<Held> held;
    for (bool is_unfinished = true; is_unfinished;) {
        pollfd ready{walk->fd(), POLLIN, 0};
        REQUIRE(::poll(&ready, 1, 5000) == 1);
        const auto read = walk->read_slice(held);
        REQUIRE(read.has_value());
        is_unfinished = *read;
    }
    std::map<std::string, std::int64_t> result;
    for (const auto& one : held) {
        result[base::ban_target_text(one.target)] = one.left ? one.left->count() : -1;
    }
    return result;
}

base::IpAddress address(const char* text) { return *base::IpAddress::parse(text); }

}  // namespace

TEST_CASE("ban_sets: addresses are added, renewed and removed, and the table comes by itself") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open();
    REQUIRE(sets.has_value());
    REQUIRE(sets->add(address("192.0.2.1"), seconds(600)).has_value());
    CHECK(sets->take_table_was_lost());
    REQUIRE(sets->add(address("2001:db8::1"), seconds(0)).has_value());
    CHECK_FALSE(sets->take_table_was_lost());
    CHECK(has(ruleset(), "192.0.2.1 timeout 10m "));
    CHECK(has(ruleset(), "elements = { 2001:db8::1 }"));
    CHECK(has(ruleset(), "type filter hook prerouting priority raw - 10; policy accept;"));

    REQUIRE(sets->add(address("192.0.2.1"), seconds(60)).has_value());
    CHECK(has(ruleset(), "192.0.2.1 timeout 1m "));
    REQUIRE(sets->remove(address("192.0.2.1")).has_value());
    REQUIRE(sets->remove(address("192.0.2.1")).has_value());
    CHECK_FALSE(has(ruleset(), "192.0.2.1"));

    const std::string before = ruleset();
    REQUIRE(sets->ensure_table().has_value());
    CHECK(ruleset() == before);  // nothing doubled, nothing lost
}

TEST_CASE("ban_sets: the loss of the table is noticed, other changes are not") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    auto sets = BanSets::open();
    REQUIRE(sets.has_value());
    REQUIRE(sets->ensure_table().has_value());
    auto watch = TableWatch::open();
    REQUIRE(watch.has_value());
    REQUIRE(sets->add(address("192.0.2.5"), seconds(60)).has_value());
    REQUIRE(sets->ensure_table().has_value());
    std::system("nft 'add table inet other; delete table inet other'");
    CHECK_FALSE(watch->read_news().was_removed);
    std::system("nft flush ruleset");
    pollfd ready{watch->fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 5000) == 1);
    CHECK(watch->read_news().was_removed);
    CHECK_FALSE(watch->read_news().was_removed);
}

TEST_CASE("ban_sets: the loss of a rule is told from its replacement") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    auto sets = BanSets::open();
    REQUIRE(sets.has_value());
    std::system("nft flush ruleset");
    CHECK_FALSE(sets->has_rules());
    REQUIRE(sets->ensure_table().has_value());
    CHECK(sets->has_rules());
    auto watch = TableWatch::open();
    REQUIRE(watch.has_value());
    REQUIRE(sets->ensure_table().has_value());  // as the responder of another home does
    CHECK(watch->read_news().rule_was_removed);
    CHECK(sets->has_rules());
    std::system("nft flush chain inet portcullis gate");
    const auto news = watch->read_news();
    CHECK(news.rule_was_removed);
    CHECK_FALSE(news.was_removed);
    CHECK_FALSE(sets->has_rules());
}

TEST_CASE("ban_sets: many changes at once are the same as one after the other") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open();
    REQUIRE(sets.has_value());
    CHECK_FALSE(sets->apply({{address("192.0.2.1"), seconds(600)}}));  // no table
    REQUIRE(sets->ensure_table().has_value());
    REQUIRE(sets->add(address("192.0.2.2"), seconds(600)).has_value());
    REQUIRE(sets->add(address("192.0.2.3"), seconds(600)).has_value());
    std::vector<BanSets::Change> changes = {
        {address("192.0.2.1"), seconds(600)}, {address("192.0.2.2"), seconds(60)},
        {address("192.0.2.3"), std::nullopt}, {address("192.0.2.4"), std::nullopt},
        {address("2001:db8::1"), seconds(0)}, {address("192.0.2.5"), seconds(600)},
        {address("192.0.2.5"), std::nullopt},
    };
    for (int i = 0; i < 1000; ++i) {
        changes.push_back({base::IpAddress::v4({198, 51, static_cast<std::uint8_t>(i / 250),
                                                static_cast<std::uint8_t>(i % 250)}),
                           seconds(600)});
    }
    REQUIRE(sets->apply(changes));
    const std::string text = ruleset();
    CHECK(has(text, "192.0.2.1 timeout 10m "));
    CHECK(has(text, "192.0.2.2 timeout 1m "));
    for (const char* absent : {"192.0.2.3", "192.0.2.4", "192.0.2.5"}) {
        CHECK_FALSE(has(text, absent));
    }
    CHECK(has(text, "elements = { 2001:db8::1 }"));
    CHECK(has(text, "198.51.3.249 timeout 10m "));
}

TEST_CASE("ban_sets: networks stand in the set of their length, also in a table of an older form") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    std::system(
        "nft 'add table inet portcullis;"
        " add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; };"
        " add set inet portcullis v6 { type ipv6_addr; flags timeout; size 131072; };"
        " add element inet portcullis v4 { 192.0.2.9 timeout 1h };"
        " add chain inet portcullis gate { type filter hook prerouting priority -310; };"
        " add rule inet portcullis gate ip saddr @v4 drop;"
        " add rule inet portcullis gate ip6 saddr @v6 drop'");
    auto sets = BanSets::open();
    REQUIRE(sets.has_value());
    const base::Cidr network = *base::Cidr::parse("2001:db8:1:2::/64");
    REQUIRE(sets->add(network, seconds(600)).has_value());
    REQUIRE(sets->add(*base::Cidr::parse("2001:db8:1::/48"), seconds(0)).has_value());
    const std::string text = ruleset();
    CHECK(has(text, "192.0.2.9 timeout 1h"));
    CHECK(has(text, "elements = { 2001:db8:1:2:: timeout 10m "));
    CHECK(has(text, "elements = { 2001:db8:1:: }"));
    CHECK(has(text, "@v6_64 drop"));
    CHECK(sets->has_rules());
    REQUIRE(sets->remove(network).has_value());
    CHECK_FALSE(has(ruleset(), "2001:db8:1:2::"));
}

TEST_CASE("ban_sets: all elements of the sets are read, also those that others put there") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    CHECK(walk_through().empty());  // no table
    auto sets = BanSets::open();
    REQUIRE(sets.has_value());
    CHECK_FALSE(sets->find(address("192.0.2.1")).value());
    // A table of an older form, without the sets of networks.
    std::system(
        "nft 'add table inet portcullis;"
        " add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; };"
        " add element inet portcullis v4 { 192.0.2.9 timeout 1h, 192.0.2.8 }'");
    const auto older = walk_through();
    CHECK(older.size() == 2);
    CHECK(older.at("192.0.2.8") == -1);
    CHECK(older.at("192.0.2.9") > 3590);
    CHECK(older.at("192.0.2.9") <= 3600);
    CHECK_FALSE(sets->find(*base::Cidr::parse("2001:db8:1:2::/64")).value());

    REQUIRE(sets->ensure_table().has_value());
    std::vector<BanSets::Change> changes;
    for (const char* text :
         {"2001:db8::1", "2001:db8:1::/48", "2001:db8:1:200::/56", "2001:db8:1:2::/64"}) {
        changes.push_back({*base::parse_ban_target(text), seconds(0)});
    }
    for (int i = 0; i < 5000; ++i) {
        changes.push_back({base::IpAddress::v4({198, 18, static_cast<std::uint8_t>(i / 250),
                                                static_cast<std::uint8_t>(i % 250)}),
                           seconds(600)});
    }
    REQUIRE(sets->apply(changes));
    const auto all = walk_through();
    CHECK(all.size() == 5006);
    for (const char* text : {"192.0.2.8", "2001:db8::1", "2001:db8:1::/48", "2001:db8:1:200::/56",
                             "2001:db8:1:2::/64"}) {
        CAPTURE(text);
        CHECK(all.at(text) == -1);
        const auto found = sets->find(*base::parse_ban_target(text)).value();
        REQUIRE(found.has_value());
        CHECK_FALSE(found->left.has_value());
    }
    CHECK(sets->find(address("198.18.0.7")).value()->left > seconds(590));
    CHECK_FALSE(sets->find(address("198.18.200.7")).value());
}
