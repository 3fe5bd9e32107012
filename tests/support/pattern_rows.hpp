// Rows of "this pattern on this subject", run with JIT on and off.
#pragma once

#include <catch2/catch.hpp>
#include <string_view>
#include <vector>

#include "engine/pattern/pattern.hpp"

namespace portcullis::test {

struct MatchRow {
    std::string_view pattern;
    std::string_view subject;
    int end;  // -1 = no match
    std::vector<std::string_view> captures;
};

template <class Rows>
void check_rows(pattern::Language language, const Rows& rows) {
    for (const MatchRow& row : rows) {
        for (const bool jit : {true, false}) {
            CAPTURE(row.pattern, row.subject, jit);
            const auto compiled = pattern::Pattern::compile(language, row.pattern);
            REQUIRE(compiled);
            pattern::MatchScratch scratch;
            scratch.set_jit(jit);
            pattern::Captures captures;
            const auto end = compiled->match(row.subject, scratch, &captures);
            CHECK((end ? static_cast<int>(*end) : -1) == row.end);
            CHECK(std::vector(captures.begin(), captures.end()) == row.captures);
            CHECK(scratch.limit_hits() == 0);
        }
    }
}

}  // namespace portcullis::test
