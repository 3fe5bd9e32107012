// GoldenFile: the project's own test format, *.logtest: lines, and logtest's output for each.
//
//   # description: what the file shows       header, up to the first line of another kind
//   # trace: yes                             with the rule trace of -v
//   # location: /var/log/iplog               the file that the lines are said to be from (stdin)
//   @ +10                                    ten seconds pass
//   > Nov 14 18:09:12 TCP: SYN scan …        a line; the phases follow, then the responses
//
// All lines of a file share their state; its clock begins at a fixed time, the local host is
// "localhost".
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/diagnostic.hpp"
#include "base/result.hpp"

namespace portcullis::logtest {

inline constexpr base::Timestamp kGoldenStart{std::chrono::seconds(1'700'000'000)};
inline constexpr std::string_view kGoldenHost = "localhost";

struct GoldenFile {
    struct Step {
        std::string input;  // as in the file, with its "> " or "@ +"
        base::SourcePlace place;
        std::vector<std::string> expected;  // lines

        bool is_line() const { return input.front() == '>'; }
        std::string_view line() const { return std::string_view(input).substr(2); }
        std::chrono::seconds pause() const;  // of a step that is not a line
    };
    std::vector<std::string> header;
    bool is_traced = false;
    std::string location;  // empty = stdin
    std::vector<Step> steps;

    // Fails if there is no description or no line.
    static base::Result<GoldenFile> parse(const std::string& file, std::string_view text);
};

// The lines of `text`. Text behind the last newline is a line unless it is empty.
std::vector<std::string> lines_of(std::string_view text);

}  // namespace portcullis::logtest
