#include "engine/xml/source_text.hpp"

using portcullis::xml::SourceText;

TEST_CASE("source_text: a byte has a line and a column, also at the end of the text") {
    const SourceText source("a.xml", "one\n\nthree");
    struct Row {
        std::size_t offset;
        int line;
        int column;
        const char* snippet;
    };
    const Row rows[] = {
        {0, 1, 1, "one"},   {2, 1, 3, "one"},   {3, 1, 4, "one"},    {4, 2, 1, ""},
        {5, 3, 1, "three"}, {9, 3, 5, "three"}, {10, 3, 6, "three"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.offset);
        const auto error = source.error("code", "message", row.offset, 2);
        CHECK(error.place.file == "a.xml");
        CHECK(error.place.line == row.line);
        CHECK(error.place.column == row.column);
        CHECK(error.source_line == row.snippet);
    }
}

TEST_CASE("source_text: the underlined part ends with the line") {
    const SourceText source("a.xml", "one\ntwo");
    CHECK(source.error("c", "m", 1, 99).caret_length == 2);
    CHECK(source.error("c", "m", 1, 0).caret_length == 1);
    CHECK(source.error("c", "m", 7, 5).caret_length == 1);
}

TEST_CASE("source_text: no copy is kept of a very long line") {
    const std::string line(100'000, 'x');
    const SourceText source("a.xml", line);
    CHECK(source.error("c", "m", 10, 1).source_line.size() < 10'000);
    CHECK(source.error("c", "m", 90'000, 1).source_line.empty());
    CHECK(source.error("c", "m", 90'000, 1).place.column == 90'001);
}
