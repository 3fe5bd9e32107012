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

TEST_CASE("state_store: a full table takes nothing new and counts it") {
    MemoryStateStore store;
    for (std::size_t i = 0; i < MemoryStateStore::kMaxKeys; ++i) {
        store.remember_first_time(std::to_string(i));
    }
    CHECK(store.refused() == 0);
    store.remember_first_time("0");  // known
    CHECK(store.refused() == 0);
    store.remember_first_time("new");
    CHECK(store.refused() == 1);
    CHECK_FALSE(store.knows_first_time("new"));
    for (std::size_t i = 0; i <= MemoryStateStore::kMaxLastLogs; ++i) {
        store.exchange_last_log(std::to_string(i), 1, "log");
    }
    CHECK(store.refused() == 2);
}

}  // namespace
}  // namespace portcullis::rules
