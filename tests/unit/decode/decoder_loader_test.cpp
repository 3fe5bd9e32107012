#include "engine/decode/decoder_loader.hpp"

#include "tests/support/decoders.hpp"

using namespace portcullis;

namespace {

// What is wrong with the XML, one line for each: "3:11 bad-pattern (decoder a > regex)"; warnings
// begin with "warning ".
std::string defects_of(std::string_view xml) {
    base::Diagnostics diagnostics;
    const auto set = test::load_decoders_from(xml, diagnostics);
    CHECK(set.has_value() == !diagnostics.has_errors());
    std::string out;
    for (const auto& diagnostic : diagnostics.all()) {
        out += diagnostic.severity == base::Severity::Warning ? "warning " : "";
        out += std::to_string(diagnostic.place.line) + ':' +
               std::to_string(diagnostic.place.column) + ' ' + diagnostic.code + " (" +
               diagnostic.context + ")\n";
        CHECK(diagnostic.place.file == "decoders.xml");
        CHECK_FALSE(diagnostic.source_line.empty());
    }
    return out;
}

struct Row {
    std::string_view xml;
    std::string_view defects;
};

constexpr std::string_view kParent = R"(<decoder name="p"><prematch>p</prematch></decoder>)"
                                     "\n";

}  // namespace

TEST_CASE("decoder_loader: each defect of a single decoder has its code and place") {
    static constexpr Row kRows[] = {
        {R"(<rule id="1"><match>a</match></rule>)", "1:2 unknown-element ()\n"},
        {R"(<decoder><prematch>a</prematch></decoder>)", "1:2 no-name (decoder)\n"},
        {R"(<decoder id="a"><prematch>a</prematch></decoder>)", "1:2 no-name (decoder)\n"},
        {R"(<decoder name="a" status="x"><prematch>a</prematch></decoder>)",
         "1:27 unknown-attribute (decoder a)\n"},
        {R"(<decoder name="a"></decoder>)", "1:2 empty-decoder (decoder a)\n"},
        {R"(<decoder name="a"><type>ids</type></decoder>)", "1:2 matches-nothing (decoder a)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><prematsh>b</prematsh></decoder>)",
         "1:42 unknown-element (decoder a)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><Type>ids</Type></decoder>)",
         "1:42 unknown-element (decoder a)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><type>idz</type></decoder>)",
         "1:47 unknown-type (decoder a > type)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><order>id</order></decoder>)",
         "1:42 no-regex (decoder a > order)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><fts>id</fts></decoder>)",
         "1:42 no-regex (decoder a > fts)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex>(a)</regex></decoder>)",
         "1:42 no-order (decoder a > regex)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><pcre2>(a)</pcre2></decoder>)",
         "1:42 no-order (decoder a > pcre2)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex>^lit</regex><order>id</order></decoder>)",
         "1:48 no-captures (decoder a > regex)\n"},
        // A PCRE2 literal and a regex without a group are accepted.
        {R"(<decoder name="a"><prematch>a</prematch><pcre2>^lit</pcre2><order>id</order></decoder>)",
         ""},
        {R"(<decoder name="a"><prematch>a</prematch><regex>a\S</regex><order>id</order></decoder>)",
         ""},
        {R"(<decoder name="a"><prematch>a\q</prematch></decoder>)",
         "1:30 bad-pattern (decoder a > prematch)\n"},
        {R"(<decoder name="a"><prematch></prematch></decoder>)",
         "1:20 bad-pattern (decoder a > prematch)\n"},
        {R"(<decoder name="a"><prematch_pcre2>a(b</prematch_pcre2></decoder>)",
         "1:37 bad-pattern (decoder a > prematch_pcre2)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><prematch>b\q</prematch></decoder>)",
         "1:52 bad-pattern (decoder a > prematch)\n"},
        // Offsets.
        {R"(<decoder name="a"><prematch>a</prematch><regex offset="after">(a)</regex><order>id</order></decoder>)",
         "1:56 bad-offset (decoder a > regex)\n"},
        {R"(<decoder name="a"><prematch type="x">a</prematch></decoder>)",
         "1:35 unknown-attribute (decoder a > prematch)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex>(a)</regex><regex offset="after_prematch">b</regex><order>id</order></decoder>)",
         "1:74 bad-offset (decoder a > regex)\n"},
        {R"(<decoder name="a"><prematch offset="after_parent">a</prematch></decoder>)",
         "1:37 bad-offset (decoder a > prematch)\n"},
        {R"(<decoder name="a"><prematch offset="after_regex">a</prematch></decoder>)",
         "1:37 bad-offset (decoder a > prematch)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex offset="after_parent">(a)</regex><order>id</order></decoder>)",
         "1:56 bad-offset (decoder a > regex)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex offset="after_regex">(a)</regex><order>id</order></decoder>)",
         "1:56 bad-offset (decoder a > regex)\n"},
        // Plugins.
        {R"(<decoder name="a"><prematch>a</prematch><plugin_decoder>PF</plugin_decoder></decoder>)",
         "1:57 unknown-plugin (decoder a > plugin_decoder)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><plugin_decoder>PF_Decoder</plugin_decoder><order>id</order></decoder>)",
         "1:42 plugin-with-regex (decoder a > plugin_decoder)\n"},
        // Lists.
        {R"(<decoder name="a"><prematch>a</prematch><regex>(a)</regex><order>id,,url</order></decoder>)",
         "1:69 bad-order (decoder a > order)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex>(a)</regex><order></order></decoder>)",
         "1:60 bad-order (decoder a > order)\n"},
        {R"(<decoder name="a"><prematch>a</prematch><regex>(a)</regex><order>id</order><fts>id, foo</fts></decoder>)",
         "1:84 unknown-fts-field (decoder a > fts)\n"},
        // What is ignored need not be right.
        {R"(<decoder name="a"><prematch>a</prematch><prematch_pcre2>(</prematch_pcre2></decoder>)",
         ""},
        {R"(<decoder name="a"><prematch>a</prematch><ftscomment>x</ftscomment></decoder>)", ""},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.xml);
        CHECK(defects_of(row.xml) == row.defects);
    }
}

TEST_CASE("decoder_loader: defects between parents and children") {
    static constexpr Row kRows[] = {
        {R"(<decoder name="a"><parent>q</parent><prematch>a</prematch></decoder>)",
         "2:27 unknown-parent (decoder a > parent)\n"},
        // A child is not a parent.
        {R"(<decoder name="a"><parent>p</parent><prematch>a</prematch></decoder><decoder name="b"><parent>a</parent><prematch>a</prematch></decoder>)",
         "2:95 unknown-parent (decoder b > parent)\n"},
        {R"(<decoder name="a"><parent>b</parent><prematch>a</prematch></decoder><decoder name="b"><prematch>a</prematch></decoder>)",
         "2:27 unknown-parent (decoder a > parent)\n"},
        {R"(<decoder name="a"><parent>p</parent><regex offset="after_prematch">(a)</regex><order>id</order></decoder>)",
         "2:52 bad-offset (decoder a > regex)\n"},
        {R"(<decoder name="a"><parent>p</parent><regex offset="after_regex">(a)</regex><order>id</order></decoder>)",
         "2:52 bad-offset (decoder a > regex)\n"},
        {R"(<decoder name="a"><parent>p</parent><prematch>a</prematch></decoder><decoder name="b"><parent>p</parent><regex offset="after_regex">(a)</regex><order>id</order></decoder>)",
         "2:120 bad-offset (decoder b > regex)\n"},
        // Chains.
        {R"(<decoder name="a"><parent>p</parent><regex>(a)</regex><order>id</order></decoder>
<decoder name="a"><parent>p</parent><prematch>b</prematch><regex>(b)</regex><order>url</order></decoder>)",
         "3:2 duplicate-decoder (decoder a)\n"},
        {R"(<decoder name="a"><parent>p</parent><regex>(a)</regex><order>id</order></decoder>
<decoder name="a"><parent>p</parent><regex>(b)</regex><order>url</order><fts>id</fts></decoder>)",
         "3:2 duplicate-decoder (decoder a)\n"},
        {R"(<decoder name="a"><parent>p</parent><regex>(a)</regex><order>id</order></decoder>
<decoder name="a"><parent>p</parent><pcre2>(b)</pcre2><order>url</order></decoder>)",
         "3:2 duplicate-decoder (decoder a)\n"},
        {R"(<decoder name="a"><parent>p</parent><prematch>a</prematch></decoder>
<decoder name="a"><parent>p</parent><regex>(b)</regex><order>url</order></decoder>)",
         "3:2 duplicate-decoder (decoder a)\n"},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.xml);
        CHECK(defects_of(std::string(kParent) + std::string(row.xml)) == row.defects);
    }
}

TEST_CASE("decoder_loader: all defects are reported, and a broken parent breaks no child") {
    CHECK(defects_of(R"(<decoder name="p"><prematch>\q</prematch></decoder>
<decoder name="c"><parent>p</parent><regex>(a</regex><order>id</order></decoder>
<decoder name="c"><parent>p</parent><regex>(a)</regex><order>,</order></decoder>
<group/>)") ==
          "1:29 bad-pattern (decoder p > prematch)\n"
          "2:45 bad-pattern (decoder c > regex)\n"
          "3:62 bad-order (decoder c > order)\n"
          "3:63 bad-order (decoder c > order)\n"
          "4:2 unknown-element ()\n");
}

TEST_CASE("decoder_loader: an error in a child of two parents is reported once") {
    CHECK(defects_of(R"(<decoder name="t"><prematch>a</prematch></decoder>
<decoder name="t"><prematch>b</prematch></decoder>
<decoder name="c"><parent>t</parent><prematch>a</prematch></decoder>
<decoder name="c"><parent>t</parent><prematch>a</prematch></decoder>)") ==
          "4:2 duplicate-decoder (decoder c)\n");
}

TEST_CASE("decoder_loader: hints suggest the correct word") {
    struct Hint {
        std::string_view xml;
        std::string_view hint;
    };
    static constexpr Hint kRows[] = {
        {R"(<decoder name="iplog-scan"><prematch>a</prematch></decoder>
<decoder name="c"><parent>iplog-scna</parent><prematch>a</prematch></decoder>)",
         "did you mean \"iplog-scan\"?"},
        {R"(<decoder name="a"><prematsch>a</prematsch><prematch>a</prematch></decoder>)",
         "did you mean \"prematch\"?"},
        {R"(<decoder name="a"><prematch>a</prematch><type>firewal</type></decoder>)",
         "did you mean \"firewall\"?"},
        {R"(<decoder name="a"><parent>b</parent><prematch>a</prematch></decoder>
<decoder name="b"><prematch>a</prematch></decoder>)",
         "it is defined in line 2: a parent must be defined before its children"},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.xml);
        base::Diagnostics diagnostics;
        test::load_decoders_from(row.xml, diagnostics);
        REQUIRE(diagnostics.all().size() == 1);
        CHECK(diagnostics.all().front().hint == row.hint);
    }
}

TEST_CASE("decoder_loader: names in an order list") {
    const auto set = test::decoders_from(R"(<decoder name="a"><prematch>a</prematch>
<regex>(a)</regex><order>srcip, user,  data,My-Field x,  two,the_filename,SRCIP</order></decoder>)");
    const auto& order = set.other_decoders().front().order;
    REQUIRE(order.size() == 7);
    CHECK(order[0].field == event::FieldId::SrcIp);
    CHECK(order[1].field == event::FieldId::DstUser);
    CHECK(order[2].field == event::FieldId::ExtraData);
    CHECK(order[3].name == "My-Field");
    CHECK(order[4].name == " two");
    CHECK(order[5].field == event::FieldId::Filename);
    CHECK(order[6].name == "SRCIP");
}

TEST_CASE("decoder_loader: several files make one set") {
    base::Diagnostics diagnostics;
    const auto first =
        xml::Document::parse("a.xml", R"(<decoder name="p"><prematch>^a</prematch></decoder>)",
                             xml::Variables::Substitute, diagnostics);
    const auto second = xml::Document::parse(
        "b.xml",
        R"(<decoder name="c"><parent>p</parent><regex>(\d)</regex><order>id</order></decoder>)",
        xml::Variables::Substitute, diagnostics);
    REQUIRE((first && second));
    const auto set = decode::load_decoders({*first, *second}, diagnostics);
    REQUIRE(set);
    CHECK(test::decoded(*set, "a1") == "p id=1");
}
