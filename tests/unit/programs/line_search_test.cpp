#include "programs/control/line_search.hpp"

#include <vector>

#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using namespace portcullis::programs;

namespace {

struct Found {
    std::vector<std::string> lines;
    SearchEnd end = SearchEnd::Missing;
    std::size_t bytes_left = 0;
};

Found search(const std::string& path, std::size_t limit, std::size_t most = 1'000'000) {
    Found found;
    found.bytes_left = limit;
    found.end = search_backwards(path, found.bytes_left, [&](std::string_view line) {
        found.lines.emplace_back(line);
        return found.lines.size() < most;
    });
    return found;
}

constexpr std::size_t kPlenty = 1UL << 30;

}  // namespace

TEST_CASE("line_search: lines come from the last to the first, whole") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "log";
    CHECK(search(path, kPlenty).end == SearchEnd::Missing);
    CHECK(search(folder.path(), kPlenty).end == SearchEnd::Missing);
    using Lines = std::vector<std::string>;
    const std::pair<const char*, Lines> rows[] = {
        {"", {}},
        {"\n", {""}},
        {"one", {"one"}},
        {"one\n", {"one"}},
        {"one\n\nthree\n", {"three", "", "one"}},
        {"\none\nhalf", {"half", "one", ""}},
    };
    for (const auto& [text, lines] : rows) {
        CAPTURE(text);
        test::overwrite(path, text);
        const auto found = search(path, kPlenty);
        CHECK(found.lines == lines);
        CHECK(found.end == SearchEnd::Beginning);
    }
    // Across the blocks that are read at once.
    std::string text;
    Lines expected;
    for (int i = 0; i < 40'000; ++i) {
        text += std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), 'x') + "\n";
    }
    for (int i = 39'999; i >= 0; --i) {
        expected.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), 'x'));
    }
    test::overwrite(path, text);
    CHECK(search(path, kPlenty).lines == expected);
}

TEST_CASE("line_search: it stops when the caller says so, and at its limit") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "log";
    std::string text;
    for (int i = 0; i < 100'000; ++i) {
        text += "line " + std::to_string(i) + "\n";
    }
    test::overwrite(path, text);
    const auto few = search(path, kPlenty, 2);
    CHECK(few.end == SearchEnd::Stopped);
    CHECK(few.lines == std::vector<std::string>{"line 99999", "line 99998"});
    CHECK(kPlenty - few.bytes_left <= 256UL << 10);
    const auto limited = search(path, 1000);
    CHECK(limited.end == SearchEnd::Limit);
    CHECK(limited.bytes_left == 0);
    CHECK(limited.lines.size() > 80);
    CHECK(limited.lines.size() < 100);
}

TEST_CASE("line_search: a line without an end costs no memory and hides no other") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "log";
    const std::string endless(3 << 20, 'x');
    test::overwrite(path, "before\n" + endless + "\nafter\n");
    CHECK(search(path, kPlenty).lines == std::vector<std::string>{"after", "before"});
    test::overwrite(path, "before\n" + endless);
    CHECK(search(path, kPlenty).lines == std::vector<std::string>{"before"});
    test::overwrite(path, endless + "\nafter");
    CHECK(search(path, kPlenty).lines == std::vector<std::string>{"after"});
}
