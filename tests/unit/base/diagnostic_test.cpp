#include "base/diagnostic.hpp"

using namespace portcullis::base;

TEST_CASE("diagnostic: a person sees the place, the text, a caret and a hint") {
    Diagnostic diagnostic;
    diagnostic.code = "unknown-decoder";
    diagnostic.message = "there is no decoder \"iplog-scna\"";
    diagnostic.place = {"rules/a.xml", 4, 17};
    diagnostic.context = "rule 99990 > decoded_as";
    diagnostic.source_line = "    <decoded_as>iplog-scna</decoded_as>";
    diagnostic.caret_length = 10;
    diagnostic.hint = "did you mean \"iplog-scan\"?";
    CHECK(render(diagnostic) ==
          "rules/a.xml:4:17: error: there is no decoder \"iplog-scna\" [unknown-decoder]\n"
          "  in rule 99990 > decoded_as\n"
          "      4 |     <decoded_as>iplog-scna</decoded_as>\n"
          "        |                 ^~~~~~~~~~\n"
          "  hint: did you mean \"iplog-scan\"?\n");
}

TEST_CASE("diagnostic: control characters of an input never reach the terminal") {
    Diagnostic diagnostic;
    diagnostic.message = "bad \x1b[2J text";
    diagnostic.place = {"a.xml", 1, 1};
    diagnostic.source_line = "\x1b[31mred";
    CHECK(render(diagnostic).find('\x1b') == std::string::npos);
}

TEST_CASE("diagnostic: a warning is not an error") {
    Diagnostics diagnostics;
    Diagnostic warning;
    warning.severity = Severity::Warning;
    diagnostics.add(warning);
    CHECK_FALSE(diagnostics.has_errors());
    diagnostics.add({});
    CHECK(diagnostics.error_count() == 1);
    CHECK(diagnostics.all().size() == 2);
}

TEST_CASE("diagnostic: make_error and make_warning set severity, code, message and place") {
    CHECK(render(make_error("bad-thing", "a thing is bad", {"a.xml", 3, 7})) ==
          "a.xml:3:7: error: a thing is bad [bad-thing]\n");
    CHECK(render(make_warning("odd-thing", "a thing is odd", {"a.xml"})) ==
          "a.xml: warning: a thing is odd [odd-thing]\n");
    CHECK(render(make_error("bad-thing", "a thing is bad")) ==
          "error: a thing is bad [bad-thing]\n");
}
