#include "programs/control/printable.hpp"

#include <limits>
#include <string>

using namespace portcullis::programs;

TEST_CASE("printable: nothing steers a terminal") {
    CHECK(printable("plain text, gr\xc3\xbc\xc3\x9f\x65\n") ==
          "plain text, gr\xc3\xbc\xc3\x9f\x65\n");
    CHECK(printable("\x1b[31m\x07\x7f\t") == "?[31m???");
    CHECK(printable(std::string("\0", 1)) == "?");
    CHECK(printable("\xc2\x9b"
                    "31m") == "?31m");  // CSI in eight bits
    CHECK(printable("\xe2\x80\xae"
                    "txt") == "?txt");  // right-to-left override
    CHECK(printable("\xe2\x81\xa6"
                    "x\xe2\x80\x8f") == "?x?");
    CHECK(printable("a\xff") == "a\xef\xbf\xbd");
    CHECK(printable("abcdef", 3) == "abc...");
    CHECK(printable("\xc3\xbc", 1) == "\xef\xbf\xbd...");
}

TEST_CASE("printable: durations and times for people") {
    using std::chrono::seconds;
    CHECK(duration_text(seconds(-5)) == "0 s");
    CHECK(duration_text(seconds(59)) == "59 s");
    CHECK(duration_text(seconds(60)) == "1 min");
    CHECK(duration_text(seconds(592)) == "9 min 52 s");
    CHECK(duration_text(seconds(7500)) == "2 h 5 min");
    CHECK(duration_text(seconds(3 * 86'400 + 4 * 3600 + 59)) == "3 d 4 h");
    CHECK(time_text(0) == "never");
    CHECK(time_text(-1) == "?");
    CHECK(time_text(std::numeric_limits<std::int64_t>::max()) == "?");
    CHECK(time_text(1'700'000'000).size() == 19);
}
