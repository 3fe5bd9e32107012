// Expectation: the rule, level and decoder that an event must have, by -U RULE:LEVEL:DECODER or by
// an entry of an OSSEC test file (spec: logtest, section 4). A value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pipeline/analyzer.hpp"

namespace portcullis::logtest {

struct Expectation {
    // Texts, since they compare as texts: "05" is not "5". The decoder compares caselessly.
    std::string rule;
    std::string level;
    std::string decoder;

    // nullopt = it is not RULE:LEVEL:DECODER.
    static std::optional<Expectation> parse(std::string_view text);
};

// The exit status that an event asks for.
enum class Verdict {
    Alike = 0,
    OtherLevel = 1,
    OtherRule = 2,
    OtherDecoder = 3,
    NoRule = 255,  // the decoder is right, and no rule is the result: nothing more is read
};

Verdict judge(const Expectation& expected, const pipeline::Outcome& outcome);

// One thing that is not as expected.
struct Difference {
    std::string what;  // "decoder", "rule", "level"
    std::string expected;
    std::string actual;  // "none" = there is no such thing
};

// All of them, whatever the verdict is; empty = Alike.
std::vector<Difference> find_differences(const Expectation& expected,
                                         const pipeline::Outcome& outcome);

}  // namespace portcullis::logtest
