#include "engine/pattern/pattern.hpp"

#include "tests/support/pattern_rows.hpp"

using namespace portcullis;
using namespace portcullis::pattern;
using test::MatchRow;

TEST_CASE("pattern: a PCRE2 element is caseless and matches bytes") {
    static const MatchRow kRows[] = {
        {R"(^from (\S+): |^from (\S+) )", "From 1.2.3.4 x", 13, {"1.2.3.4"}},
        {R"(k1=(\S+)(?: k2=(\S+))?(?: k3=(\S+))?)", "k1=a k3=c", 9, {"a", "c"}},
        {R"((?-i)A)", "a", -1, {}},
        {R"(a.b)",
         "a\xc3\xa9"
         "b",
         -1,
         {}},
        {R"((\S+) x)", "caf\xe9 x", 6, {"caf\xe9"}},
        {R"((a?)(b))", "b", 1, {"", "b"}},
        {R"((?<name>\d+))", "a 12", 4, {"12"}},
        {R"(^lit)", "LITer", 3, {}},
        {R"((*UTF)a(.)b)",
         "a\xc3\xa9"
         "b",
         4,
         {"\xc3\xa9"}},
        {R"((*UTF)a(.)b)",
         "a\xe9"
         "b",
         -1,
         {}},
        {R"(a\Kb)", "xab", 3, {}},
    };
    test::check_rows(Language::Pcre2, kRows);
}

TEST_CASE("pattern: a PCRE2 element that does not compile says where") {
    struct Row {
        std::string_view pattern;
        int column;
    };
    static constexpr Row kRows[] = {{"", 1}, {"a(b", 3}, {"a[b", 3}, {"a{2,1}b", 6}, {"*a", 1}};
    for (const auto& row : kRows) {
        CAPTURE(row.pattern);
        const auto pattern = Pattern::compile(Language::Pcre2, row.pattern);
        REQUIRE_FALSE(pattern);
        CHECK(pattern.error().code == "bad-pattern");
        CHECK(pattern.error().place.column == row.column);
    }
}

TEST_CASE("pattern: it returns its text and the number of its groups") {
    const auto regex = *Pattern::compile(Language::OsRegex, R"((\d+) (a))");
    CHECK(regex.language() == Language::OsRegex);
    CHECK(regex.text() == R"((\d+) (a))");
    CHECK(regex.translated() == "([0-9]+?) (a)");
    CHECK(regex.group_count() == 2);
    const auto literal = *Pattern::compile(Language::Pcre2, "^abc");
    CHECK(literal.translated().empty());
    CHECK(literal.group_count() == 0);
}

TEST_CASE("pattern: captures of a failed match are emptied") {
    MatchScratch scratch;
    Captures captures;
    const auto pattern = *Pattern::compile(Language::OsRegex, R"(a(\d))");
    REQUIRE(pattern.match("a1", scratch, &captures));
    REQUIRE(captures.size() == 1);
    CHECK_FALSE(pattern.match("b", scratch, &captures));
    CHECK(captures.empty());
}

TEST_CASE("pattern: at most 64 captures are kept") {
    std::string text;
    for (int i = 0; i < 70; ++i) {
        text += "(.)";
    }
    MatchScratch scratch;
    Captures captures;
    const auto pattern = *Pattern::compile(Language::Pcre2, text);
    REQUIRE(pattern.match(std::string(70, 'x'), scratch, &captures));
    CHECK(captures.size() == kMaxCaptures);
}

TEST_CASE("pattern: a runaway match ends, is counted, and is not a match") {
    for (const bool jit : {true, false}) {
        CAPTURE(jit);
        MatchScratch scratch;
        scratch.set_jit(jit);
        const auto pattern = *Pattern::compile(Language::Pcre2, "^(a+)+$");
        CHECK_FALSE(pattern.matches(std::string(60, 'a') + "b", scratch));
        CHECK(scratch.limit_hits() == 1);
        CHECK(pattern.matches("aaa", scratch));
        // Some 300 000 steps: too many for the rest of this event, few enough for another.
        const std::string costly = std::string(17, 'a') + "b";
        CHECK_FALSE(pattern.matches(costly, scratch));
        CHECK(scratch.limit_hits() == 2);
        scratch.begin_event();
        CHECK_FALSE(pattern.matches(costly, scratch));
        CHECK(scratch.limit_hits() == 2);
    }
}
