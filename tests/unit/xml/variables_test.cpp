#include "engine/xml/variables.hpp"

using namespace portcullis::xml;

TEST_CASE("variables: references are found with where they stand") {
    struct Row {
        std::string_view text;
        std::string found;  // name@offset …
    };
    const Row rows[] = {
        {"", ""},
        {"$A", ""},
        {"$AB", "AB@0"},
        {"$$AB", "AB@1"},
        {"a$|b$", ""},
        {"$A$B", "A@0 B@2"},
        {"$A.b", "A@0"},
        {"$A)b", "A)b@0"},
        {"x $A y", "A@2"},
        {"$A,$B|", "A@0 B@3"},
        {"$A\ny", "A\ny@0"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        std::string found;
        for (const auto& reference : find_references(row.text)) {
            found += (found.empty() ? "" : " ") + std::string(reference.name) + "@" +
                     std::to_string(reference.begin);
        }
        CHECK(found == row.found);
    }
}

TEST_CASE("variables: the first definition wins and is known only behind itself") {
    VariableTable table;
    CHECK(table.define("One", "1"));
    CHECK(table.define("two", "2"));
    CHECK_FALSE(table.define("ONE", "3"));
    REQUIRE(table.find("oNE", 1) != nullptr);
    CHECK(*table.find("oNE", 1) == "1");
    CHECK(table.find("two", 1) == nullptr);
    CHECK(table.find("two", 2) != nullptr);
    CHECK(table.find("three", 9) == nullptr);
    CHECK(table.names() == std::vector<std::string_view>{"One", "two"});
}
