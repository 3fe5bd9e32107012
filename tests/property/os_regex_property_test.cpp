// OS_Regex and OS_Match against slow matchers that know nothing of PCRE2, with JIT on and off.
// PORTCULLIS_SLOW_TESTS=1 in the environment widens what is generated.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <random>

#include "engine/pattern/pattern.hpp"
#include "tests/support/reference_os_regex.hpp"
#include "tests/support/seed.hpp"

using namespace portcullis;
using pattern::Language;
using pattern::Pattern;
using test::ReferenceOsRegex;

namespace {

bool is_slow_run() { return std::getenv("PORTCULLIS_SLOW_TESTS") != nullptr; }

// All strings of at most `length` bytes over the alphabet.
std::vector<std::string> all_strings(std::string_view alphabet, std::size_t length) {
    std::vector<std::string> strings{""};
    for (std::size_t from = 0, round = 0; round < length; ++round) {
        const std::size_t to = strings.size();
        for (; from < to; ++from) {
            for (const char c : alphabet) {
                strings.push_back(strings[from] + c);
            }
        }
    }
    return strings;
}

struct Comparison {
    pattern::MatchScratch jit;
    pattern::MatchScratch interpreter;
    int compared = 0;
    std::vector<std::string> differences;

    Comparison() { interpreter.set_jit(false); }

    void compare(const std::string& text, const std::vector<std::string>& subjects) {
        const ReferenceOsRegex reference(text);
        if (reference.verdict() == ReferenceOsRegex::Verdict::Unsupported) {
            return;
        }
        const auto compiled = Pattern::compile(Language::OsRegex, text);
        if (compiled.has_value() != (reference.verdict() == ReferenceOsRegex::Verdict::Ok)) {
            differences.push_back("compiles? " + text);
            return;
        }
        if (!compiled) {
            return;
        }
        for (const auto& subject : subjects) {
            auto expected = reference.match(subject);
            if (expected && !compiled->has_regex()) {
                expected->captures.clear();
            }
            for (auto* scratch : {&jit, &interpreter}) {
                ++compared;
                if (run(*compiled, subject, *scratch) != expected) {
                    differences.push_back("'" + text + "' on '" + subject + "'");
                }
            }
        }
    }

    static std::optional<ReferenceOsRegex::Match> run(const Pattern& pattern,
                                                      const std::string& subject,
                                                      pattern::MatchScratch& scratch) {
        pattern::Captures captures;
        const auto end = pattern.match(subject, scratch, &captures);
        if (!end) {
            return std::nullopt;
        }
        ReferenceOsRegex::Match match{*end, {}};
        for (const auto value : captures) {
            match.captures.emplace_back(value);
        }
        return match;
    }

    void check() {
        for (std::size_t i = 0; i < std::min<std::size_t>(differences.size(), 20); ++i) {
            UNSCOPED_INFO(differences[i]);
        }
        CHECK(differences.empty());
        CHECK(compared > 10000);
    }
};

const std::vector<std::string> kAtoms{"a", "(", ")",    "|",    "^",    "$",    " ",   "\\S",
                                      ".", "+", "\\w+", "\\.*", "\\d*", "\\S+", "\\.", "1"};

}  // namespace

TEST_CASE("os_regex: agrees with the reference matcher on all small patterns") {
    const std::size_t atoms = is_slow_run() ? 4 : 3;
    const auto subjects = all_strings("a1 .", is_slow_run() ? 4 : 3);
    Comparison comparison;
    std::vector<std::string> patterns{""};
    for (std::size_t from = 0, round = 0; round < atoms; ++round) {
        const std::size_t to = patterns.size();
        for (; from < to; ++from) {
            for (const auto& atom : kAtoms) {
                patterns.push_back(patterns[from] + atom);
            }
        }
    }
    for (const auto& text : patterns) {
        comparison.compare(text, subjects);
    }
    comparison.check();
}

TEST_CASE("os_regex: agrees with the reference matcher on random patterns") {
    const std::vector<std::string> pieces{
        "\\w", "\\W+", "\\d+", "\\D*", "\\s+",   "\\S+",   "\\p",    "\\p*", "\\.+", "\\.*", "\\t",
        "\\$", "\\(",  "\\)+", "\\\\", "\\|",    "\\<",    "\\[",    "\\]*", "\\{",  "\\}",  "a",
        "B",   "1",    " ",    "-",    ":",      ".",      "?",      "+",    "*",    "[",    "]",
        "{",   "}",    "(",    ")",    "(\\S+)", "(\\d+)", "(\\.*)", "|",    "^",    "$",    "x="};
    const unsigned seed = test::first_seed();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t count) {
        return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
    };
    constexpr std::string_view kAlphabet = "aAbB1 2-_.:()+*?[]{}$|\\<x=\t^\n";
    Comparison comparison;
    const int rounds = is_slow_run() ? 200000 : 4000;
    for (int i = 0; i < rounds; ++i) {
        std::string text;
        for (std::size_t piece = pick(9) + 1; piece > 0; --piece) {
            text += pieces[pick(pieces.size())];
        }
        std::vector<std::string> subjects(6);
        for (auto& subject : subjects) {
            for (std::size_t length = pick(14); length > 0; --length) {
                subject += kAlphabet[pick(kAlphabet.size())];
            }
        }
        comparison.compare(text, subjects);
    }
    comparison.check();
}

TEST_CASE("os_match: agrees with a plain search on random patterns") {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    // Anchors only at the ends of an alternative: elsewhere they cannot match.
    const auto matches = [&](std::string_view text, std::string subject) {
        std::transform(subject.begin(), subject.end(), subject.begin(), lower);
        while (true) {
            const auto bar = text.find('|');
            std::string piece(text.substr(0, bar));
            std::transform(piece.begin(), piece.end(), piece.begin(), lower);
            const bool start = piece.starts_with('^');
            piece.erase(0, start ? 1 : 0);
            const bool end = piece.ends_with('$');
            piece.erase(piece.size() - (end ? 1 : 0));
            const bool found = start && end ? subject == piece
                               : start      ? subject.starts_with(piece)
                               : end        ? subject.ends_with(piece)
                                            : subject.find(piece) != std::string::npos;
            if (found) {
                return true;
            }
            if (bar == std::string_view::npos) {
                return false;
            }
            text.remove_prefix(bar + 1);
        }
    };
    const unsigned seed = test::first_seed();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t count) {
        return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
    };
    constexpr std::string_view kAlphabet = "aAbB1.(\\";
    const auto word = [&](std::size_t longest) {
        std::string out;
        for (std::size_t length = pick(longest + 1); length > 0; --length) {
            out += kAlphabet[pick(kAlphabet.size())];
        }
        return out;
    };
    pattern::MatchScratch jit;
    pattern::MatchScratch interpreter;
    interpreter.set_jit(false);
    for (int i = 0; i < (is_slow_run() ? 200000 : 5000); ++i) {
        std::string text;
        for (std::size_t alternatives = pick(3) + 1; alternatives > 0; --alternatives) {
            text += pick(3) == 0 ? "^" : "";
            text += word(3);
            text += pick(3) == 0 ? "$" : "";
            text += alternatives > 1 ? "|" : "";
        }
        const std::string subject = word(8);
        const auto compiled = Pattern::compile(Language::OsMatch, text);
        REQUIRE(compiled);
        CAPTURE(text, subject);
        CHECK(compiled->matches(subject, jit) == matches(text, subject));
        CHECK(compiled->matches(subject, interpreter) == matches(text, subject));
    }
}
