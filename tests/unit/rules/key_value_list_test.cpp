#include "engine/rules/key_value_list.hpp"

#include "engine/rules/list_lint.hpp"
#include "tests/support/temporary_folder.hpp"

namespace portcullis::rules {
namespace {

using Value = std::optional<std::string>;

const std::string kCorpus = PORTCULLIS_SOURCE_DIR "/tests/fuzz/corpus/key_value_list/";

Value value_of(const std::optional<KeyValueList::Found>& found) {
    return found ? Value(found->value) : std::nullopt;
}

TEST_CASE("key_value_list: text is key:value a line, the first of a key counts") {
    const KeyValueList list = KeyValueList::parse(
        "10.0.0.1:gate\n"
        "no colon\n"
        "### a comment: of no use\n"
        "192.168.:lab ### with a comment\n"
        "10.0.0.1:second\r\n"
        "url:http://x\n"
        "\n"
        "root:\n"
        "last:without newline");
    CHECK(value_of(list.find("10.0.0.1")) == Value("gate"));
    CHECK(value_of(list.find("192.168.")) == Value("lab "));
    CHECK(value_of(list.find("url")) == Value("http://x"));
    CHECK(value_of(list.find("root")) == Value(""));
    CHECK(value_of(list.find("last")) == Value("without newline"));
    CHECK(value_of(list.find("no colon")) == Value());
    CHECK(value_of(list.find("")) == Value());
    CHECK(list.size() == 6);
    CHECK(list.repeated_keys() == 1);
    CHECK(list.skipped_lines() == 1);
    CHECK_FALSE(KeyValueList::parse("").find("x"));
}

TEST_CASE("key_value_list: a byte order mark does not belong to the first key") {
    const KeyValueList list = KeyValueList::parse(
        "\xef\xbb\xbf"
        "a:1\nb:2\n");
    CHECK(value_of(list.find("a")) == Value("1"));
    CHECK(value_of(list.find("b")) == Value("2"));
}

TEST_CASE("list_lint: keys that no look-up can find are reported, and no others") {
    struct Row {
        std::string_view line;
        bool is_reported;
    };
    const std::vector<Row> rows{
        {"203.0.113.0/25:x", true},
        {"203.0.113.0/25", false},  // no key: the line is skipped
        {"2001:db8::1:x", true},
        {"2001:db8::1", true},
        {"::1:x", true},
        {"2001:db8::/32:x", true},
        {"2001:db8:5:x", true},
        {"2001:DB8:0::1:", true},
        {"::ffff:192.0.2.1:x", true},
        {"fe80::1:%eth0", true},
        {"\"2001:db8::1\":x", true},
        {"'bob':x", true},
        {" 192.0.2.1:x", true},
        {"192.0.2.1 :x", true},
        {"\t:x", true},
        {"# a: comment", true},
        {"!192.0.2.1:x", true},
        {"10.1.*:x", true},
        {"10.0.0.1-10.0.0.9:x", true},
        {"192.0.2.1:x", false},
        {"192.0.2.:x", false},
        {"bob smith:x", false},
        {"10:x", false},
        {"3389:10:00", false},
        {"3306:db:sales", false},
        {"2222:bad:ssh", false},
        {"22:12:30:00", false},
        {"face:b00c:x", false},
        {"dead:beef:x", false},
        {"/etc/passwd:x", false},
        {"a/b:x", false},
        {"http://x:y", false},
        {"a*b:x", false},
        {"10.0.0.1-x:y", false},
        {"7.4-1:x", false},
        {":x", false},
        {"::x", false},
        {"### a: comment", false},
        {"!bob:x", false},
        {"O'Neill:x", false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.line);
        base::Diagnostics diagnostics;
        lint_list("list", row.line, diagnostics);
        CHECK(diagnostics.all().size() == (row.is_reported ? 1U : 0U));
    }
    std::string many;
    for (int i = 0; i < 12; ++i) {
        many += "10.0.0.0/8:x\r\n";
    }
    base::Diagnostics diagnostics;
    lint_list("list", many, diagnostics);
    REQUIRE(diagnostics.all().size() == kMaxUnfindableKeys + 1);
    CHECK(diagnostics.all()[9].place.line == 10);
    CHECK(diagnostics.all().back().message == "2 more keys never match");
}

TEST_CASE("key_value_list: an address is shortened at each dot, longest first") {
    const KeyValueList list =
        KeyValueList::parse("10.:ten\n10.1.2.:lan\n10.1.2.3:host\n172:no prefix\n");
    struct Row {
        std::string_view address;
        Value value;
        std::string_view key;
    };
    const std::vector<Row> rows{
        {"10.1.2.3", "host", "10.1.2.3"}, {"10.1.2.4", "lan", "10.1.2."},
        {"10.9.9.9", "ten", "10."},       {"11.1.2.3", std::nullopt, ""},
        {"172.1.1.1", std::nullopt, ""},  {"10.1.2.", "lan", "10.1.2."},
        {"10", std::nullopt, ""},         {"", std::nullopt, ""},
        {"...", std::nullopt, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.address);
        const auto found = list.find_address(row.address);
        CHECK(value_of(found) == row.value);
        CHECK((found ? found->key : std::string_view()) == row.key);
    }
}

TEST_CASE("key_value_list: a CDB file is read as it was written by another program") {
    const auto list = KeyValueList::from_cdb(test::content_of(kCorpus + "seven.cdb"));
    REQUIRE(list);
    CHECK(list->size() == 7);
    CHECK(list->repeated_keys() == 1);
    CHECK(value_of(list->find("10.0.0.1")) == Value("gate"));
    CHECK(value_of(list->find_address("192.168.7.1")) == Value("lab"));
    CHECK(value_of(list->find("root")) == Value(""));
    CHECK(value_of(list->find("")) == Value("empty key"));
    CHECK(value_of(list->find("2001:db8::1")) == Value("six"));
    CHECK(value_of(list->find({"a\0b\n", 4})) == Value("\xff"));
    CHECK(value_of(list->find("192.168.7.1")) == Value());
    const auto none = KeyValueList::from_cdb(test::content_of(kCorpus + "none.cdb"));
    REQUIRE(none);
    CHECK_FALSE(none->find("root"));
}

TEST_CASE("key_value_list: a table without an empty slot ends a look-up") {
    const auto full = KeyValueList::from_cdb(test::content_of(kCorpus + "full-table.cdb"));
    REQUIRE(full);
    CHECK(value_of(full->find("k")) == Value("v"));
    CHECK_FALSE(full->find_address("k.l.m"));
}

TEST_CASE("key_value_list: a damaged CDB file is refused, wherever it is cut or changed") {
    for (const char* name : {"cut.cdb", "long-key.cdb"}) {
        const auto damaged = KeyValueList::from_cdb(test::content_of(kCorpus + name));
        REQUIRE_FALSE(damaged);
        CHECK(damaged.error().code == "damaged-list");
    }
    const std::string good = test::content_of(kCorpus + "seven.cdb");
    for (std::size_t size = 0; size < good.size(); size += 7) {
        CHECK_FALSE(KeyValueList::from_cdb(good.substr(0, size)));
    }
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string changed = good;
        changed[at] = static_cast<char>(changed[at] ^ 0xff);
        if (const auto list = KeyValueList::from_cdb(changed)) {  // a value, or an empty table
            static_cast<void>(list->find("10.0.0.1"));
            static_cast<void>(list->repeated_keys());
        }
    }
}

TEST_CASE("key_value_list: a large list finds each of its keys") {
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
        text += std::to_string(i) + ":" + std::to_string(i * 7) + "\n";
    }
    const KeyValueList list = KeyValueList::parse(text);
    CHECK(list.size() == 20'000);
    for (int i = 0; i < 20'000; i += 13) {
        CHECK(value_of(list.find(std::to_string(i))) == Value(std::to_string(i * 7)));
    }
    CHECK_FALSE(list.find("20000"));
}

}  // namespace
}  // namespace portcullis::rules
