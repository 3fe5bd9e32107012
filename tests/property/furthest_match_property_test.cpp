// FurthestMatch against its definition: of a pattern without alternatives, the longest prefix that
// matches.
#include <catch2/catch.hpp>

#include <random>

#include "engine/pattern/furthest_match.hpp"

namespace {

using namespace portcullis::pattern;

// Elements of OS_Regex, each of which is a pattern of its own.
constexpr std::array<std::string_view, 12> kElements{"a",    "b",   " ",    "\\d",   "\\w+", "\\S+",
                                                     "\\s*", "\\.", "\\.*", "(\\w)", ".",    "\\W"};

TEST_CASE("furthest_match: is the longest prefix of the pattern that matches anywhere") {
    std::mt19937 random(20261124);  // NOLINT: the same patterns in every run
    const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
    MatchScratch scratch;
    int stopped = 0;
    for (int round = 0; round < 4000; ++round) {
        std::vector<std::size_t> ends{0};  // of the elements
        std::string text;
        for (std::size_t count = 2 + pick(5); count > 0; --count) {
            text += kElements[pick(kElements.size())];
            ends.push_back(text.size());
        }
        std::string subject;
        for (std::size_t count = pick(9); count > 0; --count) {
            subject += std::string_view("ab1 .-")[pick(6)];
        }
        const auto pattern = Pattern::compile(Language::OsRegex, text);
        REQUIRE(pattern);
        const auto furthest = find_furthest_match(*pattern, subject, scratch);
        CAPTURE(text, subject);
        REQUIRE(furthest);
        CHECK(furthest->is_match == pattern->matches(subject, scratch));
        CHECK(furthest->text_begin <= furthest->text_end);
        CHECK(furthest->text_end <= subject.size());
        if (furthest->is_match) {
            continue;
        }
        ++stopped;
        const auto matches = [&](std::string_view prefix) {
            return prefix.empty() ||
                   Pattern::compile(Language::OsRegex, prefix)->matches(subject, scratch);
        };
        // The element that stopped it is not among those that match …
        const auto stop = std::upper_bound(ends.begin(), ends.end(), furthest->pattern_begin);
        REQUIRE(stop != ends.end());
        CHECK_FALSE(matches(text.substr(0, *stop)));
        // … and all before it are, at the place that is given.
        const std::string prefix = text.substr(0, *(stop - 1));
        CHECK(matches(prefix));
        const auto shown =
            subject.substr(furthest->text_begin, furthest->text_end - furthest->text_begin);
        CHECK((prefix.empty() ? shown.empty()
                              : Pattern::compile(Language::OsRegex, "^" + prefix + "$")
                                    ->matches(shown, scratch)));
    }
    CHECK(stopped > 1000);
}

}  // namespace
