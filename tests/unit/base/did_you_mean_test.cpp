#include "base/did_you_mean.hpp"

using namespace portcullis::base;

TEST_CASE("did_you_mean: edits are counted, a swap is one, case does not count") {
    struct Row {
        std::string_view a;
        std::string_view b;
        std::size_t distance;
    };
    const Row rows[] = {
        {"", "", 0},         {"abc", "abc", 0},        {"ABC", "abc", 0},         {"abc", "", 3},
        {"abc", "ab", 1},    {"abc", "abcd", 1},       {"abc", "axc", 1},         {"abc", "acb", 1},
        {"scna", "scan", 1}, {"kitten", "sitting", 3}, {"decoder", "decoded", 1},
    };
    for (const auto& row : rows) {
        CAPTURE(row.a, row.b);
        CHECK(edit_distance(row.a, row.b) == row.distance);
        CHECK(edit_distance(row.b, row.a) == row.distance);
    }
    CHECK(edit_distance(std::string(100, 'a'), std::string(100, 'a')) == 100);
}

TEST_CASE("did_you_mean: only a near candidate is offered, the nearest first") {
    const std::vector<std::string_view> names = {"localfile", "rules", "rule_dir", "list", "id"};
    CHECK(did_you_mean("localfil", names) == "did you mean \"localfile\"?");
    CHECK(did_you_mean("rule", names) == "did you mean \"rules\"?");
    CHECK(did_you_mean("lits", names) == "did you mean \"list\"?");
    CHECK(did_you_mean("entirely", names) == "");
    CHECK(did_you_mean("x", names) == "");
    CHECK(did_you_mean("", names) == "");
    CHECK(did_you_mean("word", {}) == "");
}
