#include "engine/xml/document.hpp"

#include <chrono>

using namespace portcullis;
using xml::Document;
using xml::Node;
using xml::Variables;

namespace {

// The tree in one line: name[attr=value,…]{text}(children).
std::string outline(const std::vector<Node>& nodes) {
    std::string out;
    for (const auto& node : nodes) {
        out += out.empty() ? "" : " ";
        out += node.name();
        for (const auto& attribute : node.attributes()) {
            out += "[" + attribute.name + "=" + attribute.value + "]";
        }
        if (node.children().empty()) {
            out += "{" + std::string(node.text()) + "}";
        } else {
            out += "(" + outline(node.children()) + ")";
        }
    }
    return out;
}

std::string parse_outline(std::string_view text, Variables variables = Variables::Substitute) {
    base::Diagnostics diagnostics;
    const auto document = Document::parse("a.xml", text, variables, diagnostics);
    return document ? outline(document->roots()) : base::render(diagnostics);
}

// code@line:column of each error.
std::string codes(std::string_view text) {
    base::Diagnostics diagnostics;
    const auto document = Document::parse("a.xml", text, Variables::Substitute, diagnostics);
    CHECK(document.has_value() != diagnostics.has_errors());
    std::string out;
    for (const auto& each : diagnostics.all()) {
        out += out.empty() ? "" : " ";
        out += each.code + "@" + std::to_string(each.place.line) + ":" +
               std::to_string(each.place.column);
    }
    return out;
}

}  // namespace

TEST_CASE("document: the dialect's elements, contents and values come out as it defines them") {
    struct Row {
        const char* what;
        std::string_view text;
        std::string_view outline;
    };
    const Row rows[] = {
        {"nothing", "", ""},
        {"comments alone", "<!-- a --> \n", ""},
        {"an element", "<a>x</a>", "a{x}"},
        {"several roots, text between them", "<a>x</a> ignored > & \n<b>y</b>", "a{x} b{y}"},
        {"the empty forms", "<a/><b /><c></c>", "a{} b{} c{}"},
        {"entities stay", "<a>q&lt;e&amp;&#65;&</a>", "a{q&lt;e&amp;&#65;&}"},
        {"a literal < keeps its backslash", "<a>x\\<y</a>", "a{x\\<y}"},
        {"> in a content", "<a>x>y</a>", "a{x>y}"},
        {"no trimming", "<a>  x\t\r\n </a>", "a{  x\t\r\n }"},
        {"blanks alone are a content", "<a> </a>", "a{ }"},
        {"a comment is cut out", "<a>x<!-- no --> y</a>", "a{x y}"},
        {"any <! is a comment", "<a>x<!no!>y</a>", "a{xy}"},
        {"a comment ends at the first end", "<a>x<!-- a !>y--></a>", "a{xy-->}"},
        {"the shortest comment", "<!--><a>x</a>", "a{x}"},
        {"a comment holds tags", "<!-- <a> --><b>x</b>", "b{x}"},
        {"byte order mark and declaration", "\xEF\xBB\xBF<?xml version='1.0'?><a>x</a>", "a{x}"},
        {"text before a child is dropped", "<a>x<b>y</b>z</a>", "a(b{y})"},
        {"quotes", "<a b=\"it's\" c='\"'>x</a>", "a[b=it's][c=\"]{x}"},
        {"blanks behind the equals sign", "<a b=  \"v\">x</a>", "a[b=v]{x}"},
        {"values are not unescaped", "<a b=\"&lt;&amp;\\<\"/>", "a[b=&lt;&amp;\\<]{}"},
        {"an empty value", "<a b=\"\"/>", "a[b=]{}"},
        {"blank in an end tag", "<a>x</a >", "a{x}"},
        {"bytes that are not UTF-8", "<a>\xE4\xFF</a>", "a{\xE4\xFF}"},
        {"control characters", "<a>\x01\x7f</a>", "a{\x01\x7f}"},
    };
    for (const auto& row : rows) {
        DYNAMIC_SECTION(row.what) { CHECK(parse_outline(row.text) == row.outline); }
    }
}

TEST_CASE("document: variables are put into contents and values behind their definition") {
    struct Row {
        const char* what;
        std::string_view text;
        std::string_view outline;
    };
    const Row rows[] = {
        {"content", "<var name=\"X\">v</var><a>$X</a><b>-$X.-</b>", "a{$X} b{-v.-}"},
        {"two bytes are never scanned", "<var name=\"B\">v</var><a>$B</a><b> $B</b>",
         "a{$B} b{ v}"},
        {"value", "<var name=\"NET\">10.</var><a b=\"$NET\"/>", "a[b=10.]{}"},
        {"not before the definition", "<a>$NAME</a><var name=\"NAME\">v</var><b>$NAME</b>",
         "a{$NAME} b{v}"},
        {"each end of a name", "<var name=\"ab\">v</var><a>$ab$ab|$ab,$ab $ab.</a>",
         "a{vv|v,v v.}"},
        {"case does not count", "<var name=\"Name\">v</var><a>$nAME</a>", "a{v}"},
        {"the first definition wins",
         "<var name=\"abc\">v</var><var name=\"ABC\">w</var><a>$abc</a>", "a{v}"},
        {"a lone $ stays", "<var name=\"abc\">v</var><a>foo$|bar$</a>", "a{foo$|bar$}"},
        {"values are not scanned again",
         "<var name=\"abc\">v</var><var name=\"def\">$abc</var><a>$def</a>", "a{$abc}"},
        {"a file without variables", "<a>\\$(a)$b</a>", "a{\\$(a)$b}"},
        {"a definition inside of an element", "<g><var name=\"abc\">v</var><a>$abc</a></g>",
         "g(a{v})"},
        {"a value with what XML would escape", "<var name=\"abc\">\\<&\"</var><a>$abc</a>",
         "a{\\<&\"}"},
        {"a comment within the reference", "<var name=\"abc\">v</var><a>x $a<!-- -->bc y</a>",
         "a{x v y}"},
        {"an empty value", "<var name=\"abc\"></var><a>$abc</a>", "a{}"},
    };
    for (const auto& row : rows) {
        DYNAMIC_SECTION(row.what) { CHECK(parse_outline(row.text) == row.outline); }
    }
}

TEST_CASE("document: where variables do not apply a <var> is an element like others") {
    CHECK(parse_outline("<var name=\"abc\">v</var><a>$abc</a>", Variables::Ignore) ==
          "var[name=abc]{v} a{$abc}");
}

TEST_CASE("document: every defect has its code and place, and one slip gives one error") {
    const std::string long_text(8192, 'x');
    struct Row {
        const char* what;
        std::string text;
        std::string codes;
    };
    const Row rows[] = {
        {"unclosed at the end", "<a>\n <b>x</b>\n", "unclosed-element@1:1"},
        {"two unclosed", "<a>\n <b>x\n", "unclosed-element@1:1 unclosed-element@2:2"},
        {"an inner one forgotten", "<a>\n <b>x\n</a>", "unclosed-element@2:2"},
        {"stray at root", "<a>x</a></b>", "stray-end-tag@1:9"},
        {"stray inside", "<a>x</b></a>", "stray-end-tag@1:5"},
        {"mismatch", "<a><match>x</macth></a>", "tag-mismatch@1:12"},
        {"mismatch by case", "<a>x</A>", "tag-mismatch@1:5"},
        {"swallowed end tag", "<r><m>foo\\</m></r>", "swallowed-end-tag@1:10"},
        {"swallowed end tag, then another", "<r><m>x\\</m><m>y</m></r>", "swallowed-end-tag@1:8"},
        {"no value", "<a b>x</a>", "attribute-without-value@1:4"},
        {"no value, then another", "<a b c=\"1\">x</a>", "attribute-without-value@1:4"},
        {"no quotes", "<a b=1>x</a>", "unquoted-value@1:6"},
        {"value not closed", "<a b=\"1>x</a>", "unclosed-value@1:6"},
        {"> in a value", "<a b=\"1>2\">x</a>", "greater-in-value@1:8"},
        {"blank before =", "<a b =\"1\">x</a>", "blank-before-equals@1:5"},
        {"duplicate", "<a b=\"1\"\n b=\"2\">x</a>", "duplicate-attribute@2:2"},
        {"a < that is not a tag", "<a>1 < 2</a>", "bad-tag@1:6"},
        {"a < before a word", "<a>1 <b </a>", "unclosed-tag@1:6"},
        {"bad byte in a name", "<a$>x</a>", "bad-name@1:3"},
        {"bad attribute", "<a =\"1\">x</a>", "bad-attribute@1:4"},
        {"late declaration", "<a>x</a>\n<?xml version=\"1.0\"?>", "misplaced-declaration@2:1"},
        {"declaration behind a blank", " <?xml version=\"1.0\"?>", "misplaced-declaration@1:2"},
        {"unclosed declaration", "<?xml version=\"1.0\"><a>x</a>", "unclosed-declaration@1:1"},
        {"unclosed comment", "<a>x<!-- y</a>", "unclosed-comment@1:5"},
        {"bad end tag", "<a>x</a b>", "bad-end-tag@1:5"},
        {"NUL", std::string("<a>\nx\0</a>", 10), "nul-byte@2:2"},
        {"content too long", "<a>" + long_text + "</a>", "content-too-long@1:4"},
        {"name too long", "<" + long_text + "/>", "name-too-long@1:2"},
        {"value too long", "<a b=\"" + long_text + "\"/>", "value-too-long@1:7"},
        {"unknown variable", "<var name=\"abc\">v</var><a>\\$(a)</a>", "unknown-variable@1:28"},
        {"unknown variable in a value", "<var name=\"abc\">v</var><a b=\"$abd\"/>",
         "unknown-variable@1:30"},
        {"var with another attribute", "<var id=\"abc\">v</var>", "bad-variable@1:2"},
        {"var with an element", "<var name=\"abc\"><b/></var>", "bad-variable@1:17"},
        {"var without a name", "<var name=\"\">v</var>", "bad-variable@1:12"},
        {"several at once", "<a b>x</a>\n<c>\n<d>1 < 2</d></c></e>",
         "attribute-without-value@1:4 bad-tag@3:6 stray-end-tag@3:17"},
    };
    for (const auto& row : rows) {
        DYNAMIC_SECTION(row.what) { CHECK(codes(row.text) == row.codes); }
    }
}

TEST_CASE("document: the limits themselves are allowed") {
    const std::string longest(8191, 'x');
    CHECK(codes("<" + longest + " " + longest + "=\"" + longest + "\">" + longest + "</" + longest +
                ">") == "");
    std::string deepest;
    for (int i = 0; i < 1024; ++i) {
        deepest += "<a>";
    }
    std::string ends;
    for (int i = 0; i < 1024; ++i) {
        ends += "</a>";
    }
    CHECK(codes(deepest + ends) == "");
    CHECK(codes("<b>" + deepest + ends + "</b>") == "too-deep@1:3073");
}

TEST_CASE("document: places lead back to the file, through comments and variables") {
    base::Diagnostics diagnostics;
    const auto document = Document::parse("a.xml",
                                          "<var name=\"PORT\">22|80</var>\n"
                                          "<a>\n"
                                          "  <b id= \"x&y\">one<!-- c -->two $PORT end</b>\n"
                                          "</a>\n",
                                          Variables::Substitute, diagnostics);
    REQUIRE(document.has_value());
    const Node& b = document->roots().at(0).children().at(0);
    REQUIRE(b.text() == "onetwo 22|80 end");
    struct Row {
        std::size_t offset;
        std::size_t length;
        int column;
        int caret_length;
    };
    const Row rows[] = {
        {0, 1, 16, 1},   // o of "one"
        {2, 1, 18, 1},   // e
        {3, 3, 29, 3},   // "two" behind the comment
        {2, 2, 18, 12},  // across the comment
        {7, 2, 33, 5},   // in the variable: the reference
        {8, 3, 33, 5},   // the same
        {12, 4, 38, 4},  // " end"
        {13, 0, 39, 3},  // to the end
        {16, 0, 42, 1},  // behind the text
        {99, 5, 42, 1},  // beyond it
    };
    for (const auto& row : rows) {
        CAPTURE(row.offset, row.length);
        const auto error = b.error_in_text("code", "message", row.offset, row.length);
        CHECK(error.place.line == 3);
        CHECK(error.place.column == row.column);
        CHECK(error.caret_length == row.caret_length);
        CHECK(error.source_line == "  <b id= \"x&y\">one<!-- c -->two $PORT end</b>");
    }
    CHECK(b.place().line == 3);
    CHECK(b.place().column == 3);
    CHECK(b.error("code", "message").place.column == 4);
    const xml::Attribute* id = b.find_attribute("ID");
    REQUIRE(id != nullptr);
    CHECK(id->place.column == 6);
    CHECK(id->value_place.column == 11);
    CHECK(b.error_in_attribute(*id, "code", "message").caret_length == 3);
    CHECK(b.find_attribute("name") == nullptr);
}

TEST_CASE("document: a copy keeps nodes alive") {
    base::Diagnostics diagnostics;
    std::optional<Document> copy;
    {
        const auto document = Document::parse("a.xml", "<a>x</a>", Variables::Ignore, diagnostics);
        copy = document;
    }
    CHECK(copy->roots().at(0).text() == "x");
}

TEST_CASE("document: a file that cannot be read is an error with its name") {
    base::Diagnostics diagnostics;
    CHECK_FALSE(Document::load("/nonexistent/a.xml", "a.xml", Variables::Ignore, diagnostics));
    REQUIRE(diagnostics.all().size() == 1);
    CHECK(diagnostics.all()[0].code == "unreadable-file");
    CHECK(diagnostics.all()[0].place.file == "a.xml");
    CHECK_FALSE(Document::load("/", "/", Variables::Ignore, diagnostics));
}

TEST_CASE("document: megabytes of anything end in bounded time with bounded errors") {
    struct Row {
        const char* what;
        std::string piece;
    };
    const Row rows[] = {
        {"less-than", "<"},         {"start tags", "<a>"},      {"end tags", "</a>"},
        {"empty elements", "<a/>"}, {"comments", "<!"},         {"comment ends", "<a>x<!-->"},
        {"values", "<a b=\"x"},     {"attributes", " b='1'"},   {"bare attributes", "<a b "},
        {"newlines", "\n"},         {"backslashes", "\\<"},     {"swallowed", "<a>\\</a>"},
        {"dollars", "$x"},          {"declarations", "<?xml "},
    };
    constexpr std::size_t kBytes = 2'000'000;
    for (const auto& row : rows) {
        DYNAMIC_SECTION(row.what) {
            std::string text = "<var name=\"x\">y</var><r>";
            while (text.size() < kBytes) {
                text += row.piece;
            }
            base::Diagnostics diagnostics;
            Document::parse("a.xml", text, Variables::Substitute, diagnostics);
            CHECK(diagnostics.error_count() <= 102);
        }
    }
}
