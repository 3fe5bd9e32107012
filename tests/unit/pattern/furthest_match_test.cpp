#include "engine/pattern/furthest_match.hpp"

namespace {

using namespace portcullis::pattern;

TEST_CASE("furthest_match: the element that does not fit, and the text before it") {
    struct Row {
        Language language;
        std::string_view pattern;
        std::string_view subject;
        std::string_view element;  // of the pattern
        std::size_t begin;         // of the subject
        std::string_view text;
    };
    constexpr auto kRegex = Language::OsRegex;
    constexpr auto kMatch = Language::OsMatch;
    constexpr auto kPcre2 = Language::Pcre2;
    const std::vector<Row> rows{
        {kRegex, "from (\\S+) port (\\d+)", "denied from 192.0.2.1 prt 22", "o", 7,
         "from 192.0.2.1 p"},
        {kRegex, "from (\\S+) port (\\d+)", "from 192.0.2.1 port x", "\\d+", 0,
         "from 192.0.2.1 port "},
        {kRegex, "^from (\\S+)", "denied from 192.0.2.1", "f", 0, ""},
        {kRegex, "(\\d+) at \\.+ end", "17 at noon", " ", 0, "17 at noon"},
        {kRegex, "user \\w+$", "user bob from", "$", 0, "user bob"},
        {kRegex, "(\\S+) denied", "aaaa bbbb", "d", 0, "aaaa "},
        {kRegex, "^lit$", "lix", "t", 0, "li"},
        {kMatch, "denied for root", "denied for admin", "r", 0, "denied for "},
        {kMatch, "(a.b)", "x(a.c)", "b", 1, "(a."},
        {kMatch, "^sshd", "su", "s", 0, "s"},
        {kMatch, "failed$", "failed twice", "$", 0, "failed"},
        // Along the alternative that got farthest, not the last one in the text.
        {kPcre2, "^(?:accepted|rejected) by", "accepted for", "b", 0, "accepted "},
        {kPcre2, "accepted|rejected", "it was accep", "t", 7, "accep"},
        {kPcre2, "(?:ab)+c", "ababx", "c", 0, "abab"},
        {kPcre2, "user (?!root)\\w+", "user root", "(?!root)", 0, "user "},
        {kPcre2, "[a-f]{3}!", "xxabc?", "!", 2, "abc"},
        {kPcre2, "a", "", "a", 0, ""},
    };
    MatchScratch scratch;
    for (const Row& row : rows) {
        const auto pattern = Pattern::compile(row.language, row.pattern);
        REQUIRE(pattern);
        const auto furthest = find_furthest_match(*pattern, row.subject, scratch);
        CAPTURE(row.pattern, row.subject);
        REQUIRE(furthest);
        CHECK_FALSE(furthest->is_match);
        CHECK(row.pattern.substr(furthest->pattern_begin,
                                 furthest->pattern_end - furthest->pattern_begin) == row.element);
        CHECK(furthest->text_begin == row.begin);
        CHECK(row.subject.substr(furthest->text_begin, furthest->text_end - furthest->text_begin) ==
              row.text);
    }
}

TEST_CASE("furthest_match: of a match, where it is") {
    MatchScratch scratch;
    for (const auto& [language, text] : {std::pair(Language::OsRegex, "f\\w+ (\\d+)"),
                                         std::pair(Language::Pcre2, "f[a-z]+ (?<n>[0-9]+)")}) {
        const auto furthest =
            find_furthest_match(*Pattern::compile(language, text), "not from 17!", scratch);
        REQUIRE(furthest);
        CHECK(furthest->is_match);
        CHECK(furthest->text_begin == 4);
        CHECK(furthest->text_end == 11);
    }
    const auto always =
        find_furthest_match(*Pattern::compile(Language::OsMatch, "a|"), "x", scratch);
    REQUIRE(always);
    CHECK(always->is_match);
}

TEST_CASE("furthest_match: a pattern that takes for ever is not explained") {
    MatchScratch scratch;
    const auto pattern = Pattern::compile(Language::Pcre2, "(a+)+(a+)+(a+)+b");
    CHECK_FALSE(find_furthest_match(*pattern, std::string(200, 'a'), scratch));
    const auto utf = Pattern::compile(Language::Pcre2, "(*UTF)a.b");
    REQUIRE(utf);
    CHECK_FALSE(find_furthest_match(*utf, "a\xe9", scratch));
}

}  // namespace
