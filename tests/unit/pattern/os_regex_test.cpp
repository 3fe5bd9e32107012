#include "engine/pattern/os_regex.hpp"

#include "engine/pattern/pattern.hpp"
#include "tests/support/pattern_rows.hpp"

using namespace portcullis;
using namespace portcullis::pattern;
using test::MatchRow;

TEST_CASE("os_regex: the translation follows the definition of the language") {
    struct Row {
        std::string_view pattern;
        std::string_view pcre2;
    };
    static constexpr Row kRows[] = {
        // Escapes.
        {R"(\w)", "[A-Za-z0-9@_-]"},
        {R"(\W)", "[^A-Za-z0-9@_-]"},
        {R"(\d\D)", "[0-9][^0-9]"},
        {R"(\s\S)", "[ ][^ ]"},
        {R"(\.)", "(?s:.)"},
        {R"(\t)", R"(\t)"},
        {R"(\$\(\)\\\|\<\[\]\{\})", R"(\$\(\)\\\|\<\[\]\{\})"},
        // Unescaped characters.
        {R"(^a.b[c]{d}?)", R"(^a\.b\[c\]\{d\}\?)"},
        {R"((?:a))", R"((\?:a))"},
        {R"(a$)", R"(a(?!\n)$)"},
        // Quantifiers: two bytes back must be a backslash.
        {R"(\S+ foo)", "[^ ]+? foo"},
        {R"(a+b)", R"(a\+b)"},
        {R"((\d+)+)", R"(([0-9]+?)\+)"},
        {R"((\d)+)", R"(([0-9])\+)"},
        {R"(\(+)", R"(\(+)"},
        {R"(\\d+x)", R"(\\d+?x)"},
        {R"(\S+*)", R"([^ ]+?\*)"},
        {R"(\.+)", "(?s:.)+"},
        {R"(\.+x)", "(?s:.)+?x"},
        {R"(+*)", R"(\+\*)"},
        // A quantified literal backslash stays lazy: its sign follows a backslash.
        {R"(\\+)", R"(\\+?)"},
        // Greedy at the end of an alternative, lazy elsewhere.
        {R"((\S+))", "([^ ]+)"},
        {R"((\S+) )", "([^ ]+?) "},
        {R"((\w+)|(\d+))", "([A-Za-z0-9@_-]+)|([0-9]+)"},
        {R"((\d+)$)", R"(([0-9]+?)(?!\n)$)"},
        {R"(\d+.\d+)", R"([0-9]+?\.[0-9]+)"},
        {R"(\s*:)", "[ ]*?:"},
        {R"x("(\.*)")x", R"x("((?s:.)*?)")x"},
        {R"(((\d+))|a)", "(([0-9]+))|a"},
        {R"(\d+\|)", R"([0-9]+?\|)"},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.pattern);
        const auto translation = translate_os_regex(row.pattern);
        REQUIRE(translation);
        CHECK(translation->text == row.pcre2);
        CHECK(translation->origins.size() == translation->text.size());
    }
}

TEST_CASE("os_regex: an invalid pattern is refused at its column") {
    struct Row {
        std::string_view pattern;
        int column;
    };
    static constexpr Row kRows[] = {
        {"", 1},      {R"(\)", 1},    {R"(abc\)", 4},  {R"(a\-b)", 2},  {R"(\+)", 1},
        {R"(\*)", 1}, {R"(\?)", 1},   {R"(\n)", 1},    {R"(\")", 1},    {R"(\')", 1},
        {R"(\/)", 1}, {R"(\:)", 1},   {R"(\>)", 1},    {R"(ab \^)", 4}, {R"(\b)", 1},
        {R"((a)", 2}, {R"(ab)c)", 3}, {R"(\d+(x)", 5}, {R"(\\(+)", 4},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.pattern);
        const auto pattern = Pattern::compile(Language::OsRegex, row.pattern);
        REQUIRE_FALSE(pattern);
        CHECK(pattern.error().code == "bad-pattern");
        CHECK(pattern.error().place.column == row.column);
        CHECK_FALSE(pattern.error().message.empty());
    }
}

TEST_CASE("os_regex: 2048 bytes are the limit") {
    CHECK(Pattern::compile(Language::OsRegex, std::string(2048, 'a')));
    CHECK_FALSE(Pattern::compile(Language::OsRegex, std::string(2049, 'a')));
}

TEST_CASE("os_regex: each class holds exactly its characters") {
    struct Row {
        std::string_view pattern;
        std::string_view members;
    };
    static constexpr Row kRows[] = {
        {R"(^\w$)", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@_-"},
        {R"(^\d$)", "0123456789"},
        {R"(^\s$)", " "},
        {R"(^\p$)", "()*+,-.:;<=>?[]!\"'#%&$|{}"},
        {R"(^\t$)", "\t"},
        {R"(^\<$)", "<"},
    };
    MatchScratch scratch;
    for (const auto& row : kRows) {
        const auto pattern = Pattern::compile(Language::OsRegex, row.pattern);
        REQUIRE(pattern);
        for (int byte = 0; byte < 128; ++byte) {
            const char c = static_cast<char>(byte);
            CAPTURE(row.pattern, byte);
            CHECK(pattern->matches({&c, 1}, scratch) ==
                  (row.members.find(c) != std::string_view::npos));
        }
    }
}

TEST_CASE("os_regex: matches and captures") {
    static const MatchRow kRows[] = {
        {R"((\S+)x)", "abxcdx", 3, {"ab"}},
        {R"((\.+) x)", "a b x c x", 5, {"a b"}},
        {R"((\.+))", "a b x", 5, {"a b x"}},
        {R"((\w+)(\w+))", "abcd", 4, {"a", "bcd"}},
        {R"((\S*):)", "a:b:c", 2, {"a"}},
        {R"((a)|(b))", "b", 1, {"b"}},
        {R"(\d+|x(\d+))", "x55", 3, {"55"}},
        {R"(^from (\S+): |^from (\S+) )", "from a b", 7, {"a"}},
        {R"((a*)b)", "a*b", 3, {"a*"}},
        {R"((\d*)b)", "b", 1, {""}},
        {R"(a^b)", "a^b", -1, {}},
        {R"(a$b)", "a$b", -1, {}},
        {R"(\S+ foo)", "a b foo", 7, {}},
        {R"(FOO)", "a foo", 5, {}},
        {R"(\.\.)", "a\n", 2, {}},
        {R"(a\S$)", "ab\n", -1, {}},
        {R"(\p\p)", "a.:", 3, {}},
    };
    test::check_rows(Language::OsRegex, kRows);
}

TEST_CASE("os_regex: an anchored literal is compared without a regex") {
    static const MatchRow kRows[] = {
        {"^lit$", "LIT", 3, {}},   {"^lit$", "lits", -1, {}}, {"^lit", "Lit er", 3, {}},
        {"^lit", "a lit", -1, {}}, {"lit$", "a lit", 5, {}},  {"lit$", "lit a", -1, {}},
        {"^", "abc", 0, {}},       {"$", "abc", 3, {}},       {"^$", "", 0, {}},
        {"^$", "a", -1, {}},       {"^lit", "li", -1, {}},    {"^a-b/c~$", "A-B/C~", 6, {}},
    };
    for (const auto& row : kRows) {
        const auto pattern = Pattern::compile(Language::OsRegex, row.pattern);
        REQUIRE(pattern);
        CHECK_FALSE(pattern->has_regex());
    }
    test::check_rows(Language::OsRegex, kRows);

    for (const char* text : {"lit", "^a.b", "^a|b$", "^^a", "^a$$", R"(^a\S)"}) {
        CAPTURE(text);
        CHECK(Pattern::compile(Language::OsRegex, text)->has_regex());
    }
}

// OSSEC-COMPAT: OSSEC hands such text to PCRE2 unchecked, and the byte 0xe9 swallows what follows.
TEST_CASE("os_regex: Latin-1 text is matched byte by byte, UTF-8 text character by character") {
    static const MatchRow kRows[] = {
        {R"((\S+) x)", "caf\xe9 x", 6, {"caf\xe9"}},
        {R"((\S)$)", "caf\xc3\xa9", 5, {"\xc3\xa9"}},
        {R"(a(\.)b)",
         "a\xe9"
         "b",
         3,
         {"\xe9"}},
        {R"(a(\.)b)",
         "a\xe2\x82\xac"
         "b",
         5,
         {"\xe2\x82\xac"}},
        {"caf\xc3\xa9 \\d", "CAF\xc3\x89 1", 7, {}},
        {"caf\xe9 \\d", "CAF\xe9 1", 6, {}},
        {"\xc5\xbf\\d", "S1", 2, {}},  // U+017F folds to s
    };
    test::check_rows(Language::OsRegex, kRows);
}
