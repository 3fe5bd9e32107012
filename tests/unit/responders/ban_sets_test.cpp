#include "active-response/ban_sets.hpp"

#include <poll.h>

#include <cstdio>
#include <map>

#include "base/ban_target.hpp"

#include "tests/support/network_namespace.hpp"

using namespace portcullis;
using active_response::BanSets;
using active_response::Element;
using active_response::Held;
using active_response::HeldWalk;
using base::BlockKind;
using Follow = BanSets::Follow;
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

base::Cidr target(const std::string& text) { return *base::parse_ban_target(text); }
Element hard(const std::string& text, seconds timeout) {
    return {target(text), BlockKind::Hard, timeout};
}
Element soft(const std::string& text, seconds timeout) {
    return {target(text), BlockKind::Soft, timeout};
}
BanSets::Change removal(const std::string& text) { return {hard(text, seconds(0)), true}; }

// The same, as soon as it has this size: a hash table that grows shows only a part.
std::map<std::string, std::int64_t> walk_until(std::size_t size) {
    auto all = walk_through();
    for (int i = 0; i < 500 && all.size() != size; ++i) {
        pollfd none{-1, 0, 0};
        ::poll(&none, 1, 10);
        all = walk_through();
    }
    CHECK(all.size() == size);
    return all;
}

std::vector<std::string> keep_up(BanSets& sets) {
    pollfd ready{sets.news_fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 5000) == 1);
    sets.keep_up();
    while (sets.inventory_fd() >= 0) {
        pollfd slice{sets.inventory_fd(), POLLIN, 0};
        REQUIRE(::poll(&slice, 1, 5000) == 1);
        sets.keep_up();
    }
    return sets.take_restored();
}

}  // namespace

TEST_CASE("ban_sets: addresses are added, renewed and removed, and the table comes by itself") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open(Follow::No);
    REQUIRE(sets.has_value());
    REQUIRE(sets->remove(target("192.0.2.1")).has_value());
    CHECK(ruleset().empty());  // a removal makes no table
    REQUIRE(sets->add(hard("192.0.2.1", seconds(600))).has_value());
    REQUIRE(sets->add(hard("2001:db8::1", seconds(0))).has_value());
    CHECK(has(ruleset(), "192.0.2.1 timeout 10m "));
    CHECK(has(ruleset(), "elements = { 2001:db8::1 }"));
    CHECK(has(ruleset(), "type filter hook prerouting priority raw - 10; policy accept;"));

    REQUIRE(sets->add(hard("192.0.2.1", seconds(60))).has_value());
    CHECK(has(ruleset(), "192.0.2.1 timeout 1m "));
    REQUIRE(sets->remove(target("192.0.2.1")).has_value());
    REQUIRE(sets->remove(target("192.0.2.1")).has_value());
    CHECK_FALSE(has(ruleset(), "192.0.2.1"));

    const std::string before = ruleset();
    REQUIRE(BanSets::open(Follow::No)->ensure_table().has_value());
    CHECK(ruleset() == before);  // nothing doubled, nothing lost
    CHECK(sets->take_restored().empty());
}

TEST_CASE("ban_sets: an element is in the set of one kind of block") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    for (const bool is_new_process : {false, true}) {
        CAPTURE(is_new_process);
        auto first = BanSets::open(Follow::No);
        for (const char* text : {"192.0.2.1", "2001:db8::1", "192.0.2.0/24", "2001:db8::/64"}) {
            CAPTURE(text);
            REQUIRE(first->add(hard(text, seconds(600))).has_value());
            auto second = BanSets::open(Follow::No);
            BanSets& sets = is_new_process ? *second : *first;
            for (const auto kind : {BlockKind::Soft, BlockKind::Hard, BlockKind::Soft}) {
                REQUIRE(sets.add({target(text), kind, seconds(60)}).has_value());
                const auto held = sets.find(target(text)).value();
                REQUIRE(held.size() == 1);
                CHECK(held[0].block == kind);
                CHECK(held[0].left <= seconds(60));
            }
            // Many at once are the same.
            REQUIRE(sets.apply({{hard(text, seconds(60))}, {hard("192.0.2.9", seconds(60))}}));
            CHECK(sets.find(target(text)).value().size() == 1);
            CHECK(sets.find(target(text)).value()[0].block == BlockKind::Hard);
            REQUIRE(sets.add(soft(text, seconds(60))).has_value());
            REQUIRE(sets.remove(target(text)).has_value());
            CHECK(sets.find(target(text)).value().empty());
        }
    }
}

TEST_CASE("ban_sets: a soft block that ran out becomes a hard one") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    auto sets = BanSets::open(Follow::No);
    REQUIRE(sets->add(soft("192.0.2.1", seconds(600))).has_value());
    // As if its time had come an instant ago.
    std::system("nft delete element inet portcullis soft4 '{ 192.0.2.1 }'");
    REQUIRE(sets->add(hard("192.0.2.1", seconds(600))).has_value());
    CHECK(sets->find(target("192.0.2.1")).value()[0].block == BlockKind::Hard);
    REQUIRE(sets->remove(target("192.0.2.1")).has_value());
}

TEST_CASE("ban_sets: what others change is put back and reported once, own changes are not") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open(Follow::Yes);
    REQUIRE(sets->add(hard("192.0.2.1", seconds(600))).has_value());
    REQUIRE(sets->add(soft("192.0.2.0/24", seconds(600))).has_value());
    REQUIRE(sets->remove(target("192.0.2.7")).has_value());
    pollfd ready{sets->news_fd(), POLLIN, 0};
    CHECK(::poll(&ready, 1, 0) == 0);  // own changes wake nobody

    std::system("nft 'add table inet other; delete table inet other'");
    CHECK(keep_up(*sets).empty());
    for (const char* change : {"nft flush ruleset", "nft flush chain inet portcullis gate",
                               "nft flush set inet portcullis v4",
                               "nft delete element inet portcullis soft4_24 '{ 192.0.2.0 }'",
                               "nft add table inet portcullis '{ flags dormant; }'",
                               "nft insert rule inet portcullis soft accept"}) {
        CAPTURE(change);
        REQUIRE(std::system(change) == 0);
        const auto restored = keep_up(*sets);
        REQUIRE(restored.size() == 1);
        CHECK(has(restored[0], "nft (process "));
        CHECK(has(restored[0], "put back"));
        CHECK(walk_through().size() == 2);
        CHECK(has(ruleset(), "ip saddr @v4 drop"));
        CHECK_FALSE(has(ruleset(), "dormant"));
        CHECK_FALSE(has(ruleset(), "soft {\n\t\taccept"));
    }
}

TEST_CASE("ban_sets: without news of it a change is found when a block is added, and by a check") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open(Follow::No);
    REQUIRE(sets->add(hard("192.0.2.1", seconds(600))).has_value());
    REQUIRE(std::system("nft insert rule inet portcullis gate accept") == 0);
    REQUIRE(sets->add(hard("192.0.2.2", seconds(600))).has_value());
    CHECK(sets->take_restored().size() == 1);
    CHECK(has(ruleset(), "policy accept;\n\t\tip saddr @v4 drop"));

    REQUIRE(std::system("nft delete element inet portcullis v4 '{ 192.0.2.1 }'") == 0);
    sets->check();
    while (sets->inventory_fd() >= 0) {
        pollfd slice{sets->inventory_fd(), POLLIN, 0};
        REQUIRE(::poll(&slice, 1, 5000) == 1);
        sets->keep_up();
    }
    CHECK(sets->take_restored().size() == 1);
    CHECK(walk_through().size() == 2);
}

TEST_CASE("ban_sets: what cannot be put in order fails each block, with the reason") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open(Follow::Yes);
    REQUIRE(sets->add(hard("192.0.2.1", seconds(600))).has_value());
    // A table that belongs to another process cannot be changed.
    FILE* owner = ::popen(
        "nft flush ruleset; "
        "nft -i >/dev/null 2>&1",
        "w");
    REQUIRE(owner != nullptr);
    std::fputs("add table inet portcullis { flags owner; }\n", owner);
    std::fflush(owner);
    for (int i = 0; i < 500 && !has(ruleset(), "owner"); ++i) {
        pollfd none{-1, 0, 0};
        ::poll(&none, 1, 10);
    }
    if (has(ruleset(), "owner")) {
        const auto added = sets->add(hard("192.0.2.2", seconds(600)));
        REQUIRE_FALSE(added.has_value());
        CHECK(has(added.error().message, "cannot make the table inet portcullis"));
    } else {
        WARN("SKIPPED: no table can have an owner here");
    }
    ::pclose(owner);
    REQUIRE(sets->add(hard("192.0.2.2", seconds(600))).has_value());
    CHECK(walk_through().count("192.0.2.1") == 1);
}

TEST_CASE("ban_sets: many changes at once are the same as one after the other") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    auto sets = BanSets::open(Follow::No);
    CHECK_FALSE(sets->apply({removal("192.0.2.1"), removal("192.0.2.2")}));  // no table
    REQUIRE(sets->add(hard("192.0.2.2", seconds(600))).has_value());
    REQUIRE(sets->add(soft("192.0.2.3", seconds(600))).has_value());
    std::vector<BanSets::Change> changes = {
        {hard("192.0.2.1", seconds(600))},
        {hard("192.0.2.2", seconds(60))},
        removal("192.0.2.3"),
        removal("192.0.2.4"),
        {hard("2001:db8::1", seconds(0))},
        {hard("192.0.2.5", seconds(600))},
        removal("192.0.2.5"),
        {soft("192.0.2.0/30", seconds(600))},
    };
    for (int i = 0; i < 1000; ++i) {
        changes.push_back({Element{base::IpAddress::v4({198, 51, static_cast<std::uint8_t>(i / 250),
                                                        static_cast<std::uint8_t>(i % 250)}),
                                   BlockKind::Hard, seconds(600)}});
    }
    REQUIRE(sets->apply(changes));
    const auto all = walk_until(1004);
    CHECK(all.at("192.0.2.1") > 590);
    CHECK(all.at("192.0.2.2") <= 60);
    CHECK(all.at("2001:db8::1") == -1);
    CHECK(all.at("192.0.2.0/30") > 590);
    CHECK(all.at("198.51.3.249") > 590);
}

TEST_CASE("ban_sets: a table of an older form is put in order, its elements stay") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    std::system(
        "nft 'add table inet portcullis;"
        " add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; };"
        " add set inet portcullis v6 { type ipv6_addr; flags interval; };"
        " add set inet portcullis v6_48 { type ipv6_addr; flags timeout; size 131072; };"
        " add element inet portcullis v4 { 192.0.2.9 timeout 1h };"
        " add element inet portcullis v6_48 { 2001:db8:1:: };"
        " add chain inet portcullis gate { type filter hook prerouting priority -310; };"
        " add rule inet portcullis gate ip saddr @v4 drop;"
        " add rule inet portcullis gate ip6 saddr @v6 drop'");
    auto sets = BanSets::open(Follow::No);
    REQUIRE(sets->add(hard("2001:db8:1:2::/64", seconds(600))).has_value());
    const auto restored = sets->take_restored();
    REQUIRE(restored.size() == 1);
    CHECK(restored[0] == "the table inet portcullis had another form (the set v6): put in order");
    const std::string text = ruleset();
    CHECK(has(text, "192.0.2.9 timeout 1h"));
    CHECK(has(text, "elements = { 2001:db8:1:2:: timeout 10m "));
    CHECK(has(text, "ip6 saddr & ffff:ffff:ffff:: == @v6_48 drop"));
    CHECK(has(text, "ip6 saddr & ffff:ffff:ffff:ffff:: == @v6_64 drop"));
    CHECK(walk_through().size() == 3);
}

TEST_CASE("ban_sets: the table that firewall-drop.sh makes is the same") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    const std::string script = PORTCULLIS_SOURCE_DIR "/active-response/firewall-drop.sh add - ";
    REQUIRE(std::system((script + "192.0.2.77/25").c_str()) == 0);
    REQUIRE(std::system(("PORTCULLIS_BLOCK=soft " + script + "2001:db8::5/60").c_str()) == 0);
    auto sets = BanSets::open(Follow::No);
    REQUIRE(sets->add(hard("192.0.2.1", seconds(600))).has_value());
    CHECK(sets->take_restored().empty());
    CHECK(walk_through() == std::map<std::string, std::int64_t>{
                                {"192.0.2.0/25", -1}, {"2001:db8::/60", -1}, {"192.0.2.1", 600}});
}

TEST_CASE("ban_sets: all elements of the sets are read, also those that others put there") {
    if (!test::enter_network_namespace()) {
        WARN("SKIPPED: no network namespace can be made here (not root)");
        return;
    }
    std::system("nft flush ruleset");
    CHECK(walk_through().empty());  // no table
    auto sets = BanSets::open(Follow::No);
    CHECK(sets->find(target("192.0.2.1")).value().empty());
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
    CHECK(sets->find(target("2001:db8:1:2::/64")).value().empty());

    std::vector<BanSets::Change> changes;
    const std::vector<std::string> some = {"2001:db8::1",         "2001:db8:1::/48",
                                           "2001:db8:1:200::/56", "2001:db8:1:2::/64",
                                           "192.0.2.0/24",        "198.18.0.0/15"};
    for (const auto& text : some) {
        changes.push_back({soft(text, seconds(0))});
    }
    for (int i = 0; i < 5000; ++i) {
        changes.push_back({Element{base::IpAddress::v4({198, 18, static_cast<std::uint8_t>(i / 250),
                                                        static_cast<std::uint8_t>(i % 250)}),
                                   BlockKind::Hard, seconds(600)}});
    }
    REQUIRE(sets->apply(changes));
    const auto all = walk_until(5002 + some.size());
    for (const auto& text : some) {
        CAPTURE(text);
        CHECK(all.at(text) == -1);
        const auto found = sets->find(target(text)).value();
        REQUIRE(found.size() == 1);
        CHECK(found[0].block == BlockKind::Soft);
        CHECK_FALSE(found[0].left.has_value());
    }
    CHECK(sets->find(target("198.18.0.7")).value()[0].left > seconds(590));
    CHECK(sets->find(target("198.18.200.7")).value().empty());
}
