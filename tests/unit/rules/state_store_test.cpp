#include "engine/rules/state_store.hpp"

namespace portcullis::rules {
namespace {

TEST_CASE("state_store: keys are known once they were remembered, of each kind apart") {
    MemoryStateStore store;
    CHECK_FALSE(store.knows_first_time("a"));
    store.remember_first_time("a");
    CHECK(store.knows_first_time("a"));
    CHECK_FALSE(store.is_ignored("a"));
    store.ignore("a");
    CHECK(store.is_ignored("a"));
    store.clear();
    CHECK_FALSE(store.knows_first_time("a"));
    CHECK_FALSE(store.is_ignored("a"));
}

TEST_CASE("state_store: the last log is kept by host and rule") {
    MemoryStateStore store;
    CHECK(store.exchange_last_log("host", 1, "one") == std::nullopt);
    CHECK(store.exchange_last_log("host", 2, "two") == std::nullopt);
    CHECK(store.exchange_last_log("host", 1, "three") == std::optional<std::string>("one"));
    CHECK(store.exchange_last_log("host", 1, "four") == std::optional<std::string>("three"));
}

TEST_CASE("state_store: in a full table the oldest key makes room, and that is counted") {
    MemoryStateStore store({.first_times = {.keys = 3, .bytes = 1000}});
    for (const char* key : {"a", "b", "c", "a"}) {
        store.remember_first_time(key);
    }
    CHECK(store.evicted() == 0);
    store.remember_first_time("d");
    CHECK(store.evicted() == 1);
    CHECK_FALSE(store.knows_first_time("a"));
    for (const char* key : {"b", "c", "d"}) {
        CHECK(store.knows_first_time(key));
    }
}

TEST_CASE("bounded_keys: the bytes of the keys are bounded as well, but one always fits") {
    BoundedKeys keys({.keys = 100, .bytes = 10});
    CHECK(keys.insert("12345"));
    CHECK(keys.insert("67890"));
    CHECK_FALSE(keys.insert("12345"));
    CHECK(keys.evicted() == 0);
    CHECK(keys.insert("x"));
    CHECK(keys.evicted() == 1);
    CHECK(keys.first_number() == 1);
    CHECK(keys.at(keys.end_number() - 1) == "x");
    CHECK(keys.insert(std::string(50, 'y')));
    CHECK(keys.size() == 1);
    keys.clear();
    CHECK(keys.size() == 0);
    CHECK(keys.insert("12345"));
    CHECK(keys.first_number() == 4);
}

TEST_CASE("last_logs: the one that was looked at least recently makes room") {
    std::vector<std::string> evicted;
    LastLogs logs({.logs = 2, .bytes = 1000}, [&](std::string_view host, int rule_id) {
        evicted.push_back(std::string(host) + std::to_string(rule_id));
    });
    logs.exchange("a", 1, "one");
    logs.exchange("b", 1, "two");
    CHECK(logs.exchange("a", 1, "one") == std::optional<std::string>("one"));
    logs.exchange("c", 1, "three");
    CHECK(evicted == std::vector<std::string>{"b1"});
    REQUIRE(logs.find("a", 1) != nullptr);
    CHECK(*logs.find("a", 1) == "one");
    CHECK(logs.find("b", 1) == nullptr);
    logs.exchange("c", 1, std::string(999, 'x'));
    CHECK(evicted == std::vector<std::string>{"b1", "a1"});
    CHECK(logs.evicted() == 2);
}

}  // namespace
}  // namespace portcullis::rules
