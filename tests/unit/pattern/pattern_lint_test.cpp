#include "engine/pattern/pattern_lint.hpp"

#include "engine/pattern/backtracking.hpp"

using namespace portcullis::pattern;

TEST_CASE("backtracking: patterns with excessive backtracking are distinguished from others") {
    struct Row {
        const char* text;
        bool is_catastrophic;
    };
    static constexpr Row kRows[] = {
        {R"(^(a+)+$)", true},
        {R"((\S+)+x)", true},
        {R"((x+x+)+y)", true},
        {R"(^(\d|\d\d)+$)", true},
        {R"((a|b|ab)*c)", true},
        {R"(^(.*) (.*) (.*) (.*)x)", true},
        {R"(^(.*?),(.*?),(.*?),(.*?),(.*?)end)", true},
        {R"((\S+ )*foo)", false},
        {R"(\S+ \S+ \S+ foo)", false},
        {R"(^(?:a++)+$)", false},
        {R"(^Failed password for (\S+) from (\S+) port)", false},
        {R"(([^"]*"[^"]*")*z)", false},
        {R"(\d+\.\d+\.\d+\.\d+ .*user .*from)", false},
    };
    for (const Row& row : kRows) {
        CAPTURE(row.text);
        const auto pattern = Pattern::compile(Language::Pcre2, row.text);
        REQUIRE(pattern);
        const auto found = find_backtracking(*pattern);
        CHECK(found.has_value() == row.is_catastrophic);
        CHECK((!found || found->line_length <= kMaxAttackBytes));
        CHECK((!found || find_backtracking(*pattern)->line == found->line));
    }
}

TEST_CASE("pattern_lint: how many groups can take part in a match") {
    struct Row {
        Language language;
        const char* text;
        std::size_t least;
        std::size_t most;
    };
    static constexpr Row kRows[] = {
        {Language::Pcre2, R"(^from (\S+): |^from (\S+) )", 1, 1},
        {Language::Pcre2, R"(a(b)?(?:c(d)|e(f)(g)))", 1, 3},
        {Language::Pcre2, R"((?<name>a)(?i)[)(]\((b))", 2, 2},
        {Language::OsRegex, R"((\d+.\d+) (?:a)b)", 2, 2},
        {Language::OsRegex, R"(plain)", 0, 0},
    };
    for (const Row& row : kRows) {
        CAPTURE(row.text);
        const auto range = captures_of(row.language, row.text);
        REQUIRE(range);
        CHECK(range->least == row.least);
        CHECK(range->most == row.most);
    }
    CHECK(!captures_of(Language::Pcre2, R"((?R)?a)"));
}

TEST_CASE("pattern_lint: a group that may be missing makes those behind it move up") {
    struct Row {
        const char* text;
        std::size_t group;  // 0 = nothing moves
        std::size_t least;  // the first that moves: values before it
        std::size_t most;
    };
    static constexpr Row kRows[] = {
        {R"(^user=(\w*)(?: addr=([\d.]+))? port=(\d+)?;)", 2, 1, 2},
        {R"((a)?(b))", 1, 0, 1},
        {R"((a)*+(b))", 1, 0, 1},
        {R"((a){0,3}?(b))", 1, 0, 1},
        {R"((a){1,3}(b))", 0, 0, 0},
        {R"((a)?)", 0, 0, 0},
        {R"((a)(b)?)", 0, 0, 0},
        {R"((a)(b)?c)", 0, 0, 0},
        {R"((a)(?:b(c)?)?)", 0, 0, 0},
        {R"((a)(?:b(c)(d)?)?)", 0, 0, 0},
        {R"((a)(?:b(c)(d)?)?(e))", 3, 1, 3},
        {R"((a)(?:b(c))?(?:d(e))?)", 2, 1, 2},
        {R"((?:b(?:c(d)(e))?)(f))", 1, 0, 2},
        {R"(((a)?)(b))", 2, 1, 2},
        {R"(((?:a)?)(b))", 0, 0, 0},
        {R"((a|)(b))", 0, 0, 0},
        {R"((?:a(b)|c(d)) (e))", 0, 0, 0},
        {R"(^a (b): |^a (b) )", 0, 0, 0},
        {R"(a(b)?|c(d))", 0, 0, 0},
        {R"((?:a(b)|c) (d))", 1, 0, 1},
        {R"((?:a|c(b)|d(e)) (f))", 1, 0, 1},
        {R"((?:a(b)|c(d)(e)) (f))", 3, 1, 2},
        {R"((?:a(b)?|c(d)) (e))", 1, 0, 1},
        {R"((?!(a))(b)(c))", 0, 0, 0},
        {R"((?:(?!(a))b)?(c))", 0, 0, 0},
        {R"((?=.*(a))(b))", 0, 0, 0},
        {R"((?=(a)?)(b))", 1, 0, 1},
        {R"((?<x>a)?(?<y>b))", 1, 0, 1},
        {R"((?R)?(a)?(b))", 0, 0, 0},  // not understood
    };
    for (const Row& row : kRows) {
        CAPTURE(row.text);
        const auto shifting = find_shifting_capture(Language::Pcre2, row.text);
        REQUIRE((shifting ? shifting->group : 0) == row.group);
        if (shifting) {
            CHECK(shifting->moved.least == row.least);
            CHECK(shifting->moved.most == row.most);
            CHECK(row.text[shifting->offset] == '(');
            CHECK(row.text[shifting->offset + shifting->length - 1] == ')');
        }
    }
    CHECK_FALSE(find_shifting_capture(Language::OsRegex, R"(^a (\S+) b (\S+)|^c (\S+))"));
}

TEST_CASE("pattern_lint: a capture is loose if a plain word leads up to it and nothing holds it") {
    struct Row {
        const char* text;
        std::size_t offset;  // 0 = none is loose
    };
    static constexpr Row kRows[] = {
        {R"(login from (\S+))", 11},      {R"( from (\S+) port )", 6},
        {R"(^login from (\S+))", 0},      {R"(from (\S+)$)", 0},
        {R"(from (\d+\.\d+))", 0},        {R"(\[client (\S+)\])", 0},
        {R"(^a (\S+)|from (.+) x)", 14},  {R"(^failed .* from (\S+))", 16},
        {R"(^(.+?) by (\S+) )", 10},      {R"(^failed .* from (\S+) *$)", 0},
        {R"(^failed \S* from (\S+))", 0}, {R"(^failed (?s:.)+? from (\S+))", 22},
    };
    for (const Row& row : kRows) {
        CAPTURE(row.text);
        const auto loose = find_loose_captures(Language::Pcre2, row.text);
        REQUIRE(loose.size() == (row.offset > 0 ? 1U : 0U));
        CHECK((loose.empty() || loose.front().offset == row.offset));
    }
}
