#include "engine/pattern/os_match.hpp"

#include "tests/support/pattern_rows.hpp"

using namespace portcullis;
using namespace portcullis::pattern;
using test::MatchRow;

TEST_CASE("os_match: everything but ^ $ | is a literal") {
    static const MatchRow kRows[] = {
        {"foo", "a FOO b", 5, {}},
        {"a\\|b", "b", 1, {}},
        {"a\\|b", "a\\", 2, {}},
        {"(a.b)*+?[x]{y}", "(a.b)*+?[x]{y}", 14, {}},
        {"(a.b)", "(axb)", -1, {}},
        {"!foo", "foo", -1, {}},
        {"!foo", "a !foo", 6, {}},
        {"a$b", "a$b", -1, {}},
        {"^a|b$", "xb", 2, {}},
        {"^a|b$", "xa", -1, {}},
        {"^a.b(", "A.b(c", 4, {}},
        {"lit$", "a lit", 5, {}},
        {"^TCP$|^UDP$|^ICMP$", "udp", 3, {}},
        {"^TCP$|^UDP$|^ICMP$", "udp2", -1, {}},
    };
    test::check_rows(Language::OsMatch, kRows);
}

TEST_CASE("os_match: an empty alternative makes it always true") {
    MatchScratch scratch;
    for (const char* text : {"", "a|", "|", "||", "|a", "a||b", "^", "$"}) {
        const auto pattern = Pattern::compile(Language::OsMatch, text);
        CAPTURE(text);
        REQUIRE(pattern);
        CHECK_FALSE(pattern->has_regex());
        CHECK(pattern->matches("zzz", scratch));
        CHECK(pattern->matches("", scratch));
    }
}

TEST_CASE("os_match: no pattern but one too long fails to compile") {
    for (const char* text : {"(", ")", "[", "\\", "a{", "*", "+a", "(?", "\\Q", "[[:x:]]"}) {
        CAPTURE(text);
        CHECK(Pattern::compile(Language::OsMatch, text));
    }
    const auto too_long = Pattern::compile(Language::OsMatch, std::string(2049, 'a'));
    REQUIRE_FALSE(too_long);
    CHECK(too_long.error().code == "bad-pattern");
}

TEST_CASE("word_match: pieces are found anywhere in the group string") {
    struct Row {
        std::string_view text;
        std::string_view groups;
        bool found;
    };
    static constexpr Row kRows[] = {
        {"ssh", "syslog,sshd,", true},
        {"SSHD", "syslog,sshd,", true},
        {"auth", "syslog,authentication_failed,", true},
        {"^syslog", "syslog,sshd,", true},
        {"^sshd", "syslog,sshd,", false},
        {"web|sshd", "syslog,sshd,", true},
        {"web|ftp", "syslog,sshd,", false},
        {"web|", "syslog,sshd,", true},
        {"", "syslog,sshd,", false},
        {"sshd", "", false},
        {"^", "", true},
        {"a|^", "", true},
        {"g,s", "syslog,sshd,", true},
        {"sshd$", "sshd", false},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.text, row.groups);
        CHECK(word_match(row.text, row.groups) == row.found);
    }
}
