#include "engine/collect/record_reader.hpp"

using namespace portcullis::collect;
using Lines = std::vector<std::string>;

namespace {

// What comes out when `pieces` are fed one after the other, without finish().
Lines lines_of(LineReader& reader, const Lines& pieces) {
    Lines lines;
    for (const std::string& piece : pieces) {
        reader.feed(piece, [&](std::string_view line) { lines.emplace_back(line); });
    }
    return lines;
}

}  // namespace

TEST_CASE("record_reader: cuts lines however the bytes arrive") {
    struct Row {
        const char* what;
        Lines pieces;
        Lines lines;
        std::size_t pending;
    };
    const Row rows[] = {
        {"nothing", {}, {}, 0},
        {"one line", {"a\n"}, {"a"}, 0},
        {"several at once", {"a\nb\n"}, {"a", "b"}, 0},
        {"an empty line is a record", {"a\n\nb\n"}, {"a", "", "b"}, 0},
        {"no newline yet", {"par"}, {}, 3},
        {"the rest comes later", {"par", "tia", "l\nnext"}, {"partial"}, 4},
        {"newline alone in its piece", {"line", "\n"}, {"line"}, 0},
        {"CR is kept", {"a\r\n"}, {"a\r"}, 0},
        {"NUL is kept", {std::string("a\0b\n", 4)}, {std::string("a\0b", 3)}, 0},
        {"bytes that are not UTF-8 are kept", {"\xff\xfe\n"}, {"\xff\xfe"}, 0},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        LineReader reader;
        CHECK(lines_of(reader, row.pieces) == row.lines);
        CHECK(reader.pending() == row.pending);
    }
}

TEST_CASE("record_reader: a line longer than the maximum comes in pieces") {
    struct Row {
        std::size_t length;
        std::vector<std::size_t> pieces;
    };
    const Row rows[] = {
        {kMaxRecord - 1, {kMaxRecord - 1}},
        {kMaxRecord, {kMaxRecord}},
        {kMaxRecord + 1, {kMaxRecord, 1}},
        {2 * kMaxRecord, {kMaxRecord, kMaxRecord}},
        {65'536, {5887, 5887, 5887, 5887, 5887, 5887, 5887, 5887, 5887, 5887, 5887, 779}},
    };
    for (const Row& row : rows) {
        for (const std::size_t fed_at_once : {std::size_t{1'000'000}, std::size_t{1000}}) {
            LineReader reader;
            std::vector<std::size_t> pieces;
            const std::string bytes = std::string(row.length, 'x') + "\n";
            for (std::size_t at = 0; at < bytes.size(); at += fed_at_once) {
                reader.feed(std::string_view(bytes).substr(at, fed_at_once),
                            [&](std::string_view line) { pieces.push_back(line.size()); });
                CHECK(reader.pending() <= kMaxRecord);
            }
            CHECK(pieces == row.pieces);
        }
    }
}

TEST_CASE("record_reader: finish hands out the unfinished line and starts anew") {
    LineReader reader;
    Lines lines = lines_of(reader, {"a\nrest"});
    reader.finish([&](std::string_view line) { lines.emplace_back(line); });
    CHECK(lines == Lines{"a", "rest"});
    CHECK(reader.pending() == 0);
    reader.finish([&](std::string_view) { FAIL("nothing is left"); });
    CHECK(lines_of(reader, {"b\n"}) == Lines{"b"});
}
