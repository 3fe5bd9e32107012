// Surprising behaviour of OSSEC, kept or fixed, as rows: XML to load, lines, and the rule that is
// the result of each. docs/compatibility.md describes the fixed ones.
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/rule.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/analysis.hpp"

using namespace portcullis;

namespace {

using Lines = std::vector<std::string>;

struct Quirk {
    const char* what;
    std::string decoders;
    std::string rules;  // of one group "t,"
    Lines lines;
    const char* results;  // ids, "-" = none; "error" = it does not load
};

std::string rule(int id, const std::string& attributes, const std::string& elements) {
    return "<rule id=\"" + std::to_string(id) + "\" " + attributes + ">" + elements + "</rule>";
}
const std::string kHeader = "Nov 14 18:09:12 ";
const std::string kFive = "level=\"5\"";
const std::string kFrom =
    "<decoder name=\"d\"><prematch>^from </prematch><regex "
    "offset=\"after_prematch\">^(\\S+)</regex>"
    "<order>srcip</order></decoder>";

const Quirk kQuirks[] = {
    {"control characters are deleted before anything",
     "",
     rule(100, kFive, "<regex>\\t</regex>") + rule(101, kFive, "<match>ab</match>"),
     {"a\tb"},
     "101"},
    {"dates are recognised by separators, not by digits",
     "",
     rule(100, kFive, "<program_name>^p$</program_name>"),
     {"Xov 99 88:77:66 host p: x", "Nov 4 18:09:12 host p: x", "<34>" + kHeader + "host p: x"},
     "100 - -"},
    {"a name with a colon behind the date is the program",
     "",
     rule(100, kFive, "<program_name>^TCP$</program_name>"),
     {kHeader + "TCP: x"},
     "100"},
    {"a repeated message is a message; without host its first word is one",
     "",
     rule(100, kFive, "<match>^last message</match>") +
         rule(101, kFive, "<hostname>^last$</hostname>"),
     {kHeader + "host last message repeated 2 times", kHeader + "last message repeated 2 times"},
     "100 101"},
    {"three forms of a program name",
     "",
     rule(100, kFive, "<program_name>^p$</program_name>"),
     {kHeader + "h p: x", kHeader + "h p[12]: x", kHeader + "h p[12] x", kHeader + "h p x"},
     "100 100 100 -"},
    {"an AIX line keeps its text (mended)",
     "",
     rule(100, kFive, "<program_name>x</program_name>"),
     {kHeader + "Message forwarded from h: prog no terminator x"},
     "-"},
    {"maxsize is the least length, without the header",
     "",
     rule(100, kFive + " maxsize=\"5\"", "<match>a</match>"),
     {kHeader + "host p: abcd", kHeader + "host p: abcde"},
     "- 100"},
    {"a missing host name is replaced by that of the local host",
     "",
     rule(100, kFive, "<hostname>^local$</hostname>"),
     {"x"},
     "100"},
    {"no entities, and \\< for <",
     "",
     rule(100, kFive, "<match>q&lt;e</match>") + rule(101, kFive, "<regex>a\\<b</regex>"),
     {"q&lt;e", "q<e", "a<b"},
     "100 - 101"},
    {"contents are not trimmed", "", rule(100, kFive, "<match> x</match>"), {"a x", "x"}, "100 -"},
    {"<! … !> is a comment", "", rule(100, kFive, "<match>ab<! no !>c</match>"), {"abc"}, "100"},
    {"variables, but not in contents of two bytes",
     "",
     "<var name=\"V\">abc</var>" + rule(100, kFive, "<match>x$V</match>") +
         rule(101, kFive, "<match>$V</match>"),
     {"xabc", "abc"},
     "100 -"},
    {"repeated elements are one text",
     "",
     rule(100, kFive, "<match>ab</match><match>cd</match>"),
     {"abcd", "ab"},
     "100 -"},
    {"a line with a program sees no decoder without",
     "<decoder name=\"n\"><prematch>^NOPN</prematch></decoder>",
     rule(100, kFive, "<decoded_as>n</decoded_as>"),
     {kHeader + "h p: NOPN", "NOPN"},
     "- 100"},
    {"the first decoder that matches is final, and a child without prematch ends the search",
     "<decoder name=\"a\"><prematch>^x</prematch></decoder>"
     "<decoder name=\"a1\"><parent>a</parent><regex>no(t)</regex><order>id</order></decoder>"
     "<decoder name=\"a2\"><parent>a</parent><prematch>y</prematch>"
     "<use_own_name>true</use_own_name></decoder><decoder "
     "name=\"b\"><prematch>^xy</prematch></decoder>",
     rule(100, kFive, "<decoded_as>a</decoded_as>") +
         rule(101, kFive, "<decoded_as>a2</decoded_as>") +
         rule(102, kFive, "<decoded_as>b</decoded_as>"),
     {"xy"},
     "100"},
    {"the regex of a decoder with children is not used",
     "<decoder name=\"p\"><prematch>^p </prematch><regex>^p "
     "(\\w+)</regex><order>user</order></decoder>"
     "<decoder name=\"c\"><parent>p</parent><prematch>zz</prematch></decoder>",
     rule(100, kFive, "<user>^bob$</user>"),
     {"p bob"},
     "-"},
    {"a child has its parent's name, not its type; a web-log event is none of syslog's rules",
     "<decoder name=\"w\"><type>web-log</type><prematch>^w </prematch></decoder>"
     "<decoder name=\"c\"><parent>w</parent><prematch>child</prematch></decoder>",
     rule(100, kFive, "<category>web-log</category><decoded_as>w</decoded_as>") +
         rule(101, kFive, "<decoded_as>w</decoded_as>"),
     {"w child", "w other"},
     "101 100"},
    {"groups that took no part are squeezed out",
     "<decoder name=\"s\"><prematch>^[ab] </prematch></decoder>"
     "<decoder name=\"t\"><prematch_pcre2>^[ab] </prematch_pcre2>"
     "<pcre2>^(?:(a)|(b)) (\\S+)</pcre2><order>id, status, url</order></decoder>",
     rule(100, kFive, "<id>^b$</id><status>^x$</status>"),
     {"b x"},
     "100"},
    {"fts of srcuser selects dstuser",
     "<decoder name=\"f\"><prematch>^u </prematch><regex offset=\"after_prematch\">^(\\w+)</regex>"
     "<order>srcuser</order><fts>name, srcuser</fts></decoder>",
     rule(100, kFive, "<if_fts/>"),
     {"u bob", "u eve"},
     "100 -"},
    {"an unknown name in <order> is a dynamic field",
     "<decoder name=\"f\"><prematch>^u </prematch><regex offset=\"after_prematch\">^(\\w+)</regex>"
     "<order>Colour</order></decoder>",
     rule(100, kFive, "<field name=\"colour\">^red</field>"),
     {"u red", "u blue"},
     "100 -"},
    {"decoded_as works without decoders of the other kind (mended)",
     "<decoder name=\"only\"><program_name>^p$</program_name></decoder>",
     rule(100, kFive, "<decoded_as>only</decoded_as>"),
     {kHeader + "h p: x"},
     "100"},
    {"an anchored literal as <regex> is an error",
     "<decoder name=\"l\"><prematch>^x</prematch><regex>^abc</regex><order>id</order></decoder>",
     rule(100, kFive, "<match>x</match>"),
     {},
     "error"},
    {"level 0 first, then by level; accuracy 0 last",
     "",
     rule(100, kFive, "<match>x</match>") + rule(101, "level=\"7\"", "<match>x</match>") +
         rule(102, "level=\"0\"", "<match>x y</match>") +
         rule(103, "level=\"12\" accuracy=\"0\"", "<match>x</match>"),
     {"x y", "x"},
     "102 101"},
    {"a rule that matches hides later ones, though its children fail",
     "",
     rule(100, "level=\"9\"", "<match>x</match>") + rule(101, kFive, "<match>x y</match>") +
         rule(102, kFive, "<if_sid>100</if_sid><match>z</match>"),
     {"x y"},
     "100"},
    {"noalert=\"0\" is noalert",
     "",
     rule(100, kFive + " noalert=\"0\"", "<match>x</match>"),
     {"x"},
     "-"},
    {"if_level hangs a rule under level 0 as well",
     "",
     rule(100, "level=\"0\"", "<match>a</match>") +
         rule(101, "level=\"3\"", "<if_level>5</if_level><match>b</match>"),
     {"a b", "b", "a"},
     "101 101 100"},
    {"if_group looks for a part of the group",
     "",
     rule(100, kFive, "<match>x</match><group>xauth_fails,</group>") +
         rule(101, kFive, "<if_group>auth_fail</if_group><match>y</match>"),
     {"x y"},
     "101"},
    {"frequency N fires at N + 2",
     "",
     rule(100, kFive, "<match>x</match>") + rule(101,
                                                 "level=\"9\" frequency=\"2\" timeframe=\"60\"",
                                                 "<if_matched_sid>100</if_matched_sid>"),
     {"x", "x", "x", "x", "x"},
     "100 100 100 101 100"},
    {"a composite rule that fires begins to count anew for every address",
     kFrom,
     rule(100, kFive, "<decoded_as>d</decoded_as>") +
         rule(101, "level=\"9\" frequency=\"1\" timeframe=\"60\"",
              "<if_matched_sid>100</if_matched_sid><same_source_ip/>"),
     {"from 1.1.1.1", "from 1.1.1.1", "from 2.2.2.2", "from 2.2.2.2", "from 2.2.2.2",
      "from 1.1.1.1"},
     "100 100 100 100 101 100"},
    {"targets of if_matched_sid feed no group",
     "",
     rule(100, kFive, "<match>x</match><group>g,</group>") +
         rule(101, "level=\"9\" frequency=\"9\" timeframe=\"60\"",
              "<if_matched_sid>100</if_matched_sid>") +
         rule(102, "level=\"8\" timeframe=\"60\"", "<if_matched_group>g,</if_matched_group>"),
     {"x", "x", "x"},
     "100 100 100"},
    {"not_same_source_ip takes back same_source_ip and demands nothing",
     kFrom,
     rule(100, kFive, "<decoded_as>d</decoded_as>") +
         rule(101, "level=\"9\" timeframe=\"60\"",
              "<if_matched_sid>100</if_matched_sid><same_source_ip/><not_same_source_ip/>"),
     {"from 1.1.1.1", "from 2.2.2.2"},
     "100 101"},
    {"same_location compares hosts",
     "",
     rule(100, kFive, "<match>x</match>") +
         rule(101, "level=\"9\" timeframe=\"60\"",
              "<if_matched_sid>100</if_matched_sid><same_location/>"),
     {kHeader + "h1 p: x", kHeader + "h2 p: x", kHeader + "h1 p: x"},
     "100 100 101"},
    {"events of level 0 are not counted, those of no_log are",
     "",
     rule(100, "level=\"0\"", "<match>x</match>") +
         rule(101, "level=\"9\" timeframe=\"60\"", "<if_matched_sid>100</if_matched_sid>") +
         rule(200, kFive, "<match>y</match><options>no_log</options>") +
         rule(201, "level=\"9\" timeframe=\"60\"", "<if_matched_sid>200</if_matched_sid>"),
     {"x", "x", "y", "y"},
     "100 100 200 201"},
    {"action is compared byte by byte",
     "<decoder name=\"f\"><prematch>^fw </prematch><regex offset=\"after_prematch\">^(\\w+)</regex>"
     "<order>action</order></decoder>",
     rule(100, kFive, "<action>DROP</action>"),
     {"fw drop", "fw DROP", "fw DROPS"},
     "- 100 -"},
    {"user is dstuser, else srcuser",
     "<decoder name=\"f\"><prematch>^u </prematch><regex offset=\"after_prematch\">^(\\w+) "
     "(\\w+)</regex>"
     "<order>srcuser, dstuser</order></decoder>"
     "<decoder name=\"g\"><prematch>^v </prematch><regex offset=\"after_prematch\">^(\\w+)</regex>"
     "<order>srcuser</order></decoder>",
     rule(100, kFive, "<user>^bob$</user>"),
     {"u bob eve", "u eve bob", "v bob"},
     "- 100 100"},
    {"a text that is not an address fails even !network",
     kFrom,
     rule(100, kFive, "<srcip>!10.0.0.0/8</srcip>"),
     {"from host", "from 11.1.1.1", "from 10.1.1.1"},
     "- 100 -"},
    {"level 0 with accuracy 0 stays level 0, and last (mended)",
     "",
     rule(100, "level=\"0\" accuracy=\"0\"", "<match>x</match>") +
         rule(101, "level=\"3\"", "<match>x y</match>"),
     {"x y", "x"},
     "101 100"},
    {"a first-time-seen key is stored although the rule fails behind it",
     "<decoder name=\"f\"><prematch>^u </prematch><regex offset=\"after_prematch\">^(\\w+)</regex>"
     "<order>user</order><fts>name, user</fts></decoder>",
     rule(100, "level=\"9\"", "<if_fts/><list field=\"user\">rules/none</list>") +
         rule(101, kFive, "<if_fts/>"),
     {"u bob"},
     "-"},
    {"an id of seven digits is an error (mended)",
     "",
     "<rule id=\"1234567\" level=\"5\"><match>x</match></rule>",
     {},
     "error"},
    {"a comma list of options is an error",
     "",
     rule(100, kFive, "<match>x</match><options>no_log,no_ar</options>"),
     {},
     "error"},
    {"Latin-1 does not break OS_Regex and OS_Match (mended)",
     "",
     rule(100, kFive, "<match>caf</match><regex>f\\.+ open$</regex>"),
     {"caf\xe9 is open"},
     "100"},
};

std::string results_of(const Quirk& quirk) {
    base::Diagnostics diagnostics;
    const std::string decoders =
        quirk.decoders.empty() ? "<decoder name=\"none\"><prematch>^nothing$</prematch></decoder>"
                               : quirk.decoders;
    const auto configuration = test::make_analysis(
        {{"decoders.xml", decoders}},
        {{"rules.xml", "<group name=\"t,\">" + quirk.rules + "</group>"}}, diagnostics);
    if (configuration == nullptr) {
        UNSCOPED_INFO(base::render(diagnostics));
        return "error";
    }
    rules::MemoryStateStore store;
    pipeline::AnalyzerOptions options;
    options.local_hostname = "local";
    pipeline::Analyzer analyzer(configuration, options, store);
    std::string results;
    for (const std::string& line : quirk.lines) {
        const auto& outcome =
            analyzer.process(line, "stdin", base::Timestamp(std::chrono::seconds(1'000)));
        results += results.empty() ? "" : " ";
        results += outcome.rule == nullptr ? "-" : std::to_string(outcome.rule->id);
    }
    return results;
}

}  // namespace

TEST_CASE("quirks: what OSSEC decides is decided, and what is mended stays so") {
    for (const Quirk& quirk : kQuirks) {
        CAPTURE(quirk.what);
        CHECK(results_of(quirk) == quirk.results);
    }
}
