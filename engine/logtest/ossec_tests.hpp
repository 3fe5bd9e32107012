// The .ini test files of OSSEC (spec: logtest, section 5), read as by the ConfigParser of Python 2,
// for which they were written:
//
//   ; comment                     a line that begins with ; or #
//   [failed password]
//   log 1 pass = Nov 14 …         must give rule, alert and decoder; "log 2 fail" must not
//       Nov 14 …                  an indented line continues the value: another line of input
//   rule = 5716                   names in any case; ':' or '=' behind the name
//   alert = 5
//   decoder = sshd
//
// A ';' behind a blank begins a comment in a value, too. If an entry is given twice, the last one
// counts. Each entry is analysed alone: no state is kept from one to the next.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/logtest/expectation.hpp"

namespace portcullis::logtest {

struct OssecTest {
    std::string section;
    std::string entry;  // in lower case: "log 1 pass"
    base::SourcePlace place;
    std::vector<std::string> lines;  // at least one
    Expectation expected;
    bool must_differ = false;  // "… fail": a test that passes if something is not as expected

    std::string name() const { return section + ", " + entry; }
};

// Errors and warnings go to `diagnostics`. A section without rule, alert or decoder is an error.
std::vector<OssecTest> parse_ossec_tests(const std::string& file, std::string_view text,
                                         base::Diagnostics& diagnostics);

}  // namespace portcullis::logtest
