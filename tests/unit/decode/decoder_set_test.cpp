#include "engine/decode/decoder_set.hpp"

#include <filesystem>
#include <fstream>

#include "tests/support/allocation_counter.hpp"
#include "tests/support/decoders.hpp"

using namespace portcullis;
using test::decoded;
using test::decoders_from;

namespace {

struct Row {
    std::string_view line;
    std::string_view decoded;
};

template <class Rows>
void check(const decode::DecoderSet& set, const Rows& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.line);
        CHECK(decoded(set, row.line) == row.decoded);
    }
}

constexpr std::string_view kDate = "Nov 14 18:09:12 ";

std::string dated(std::string_view rest) { return std::string(kDate) + std::string(rest); }

}  // namespace

TEST_CASE("decoder_set: a child is chosen by prematch, the first without one ends the search") {
    const auto set = decoders_from(R"(
<decoder name="gate"><program_name>^gate$</program_name></decoder>
<decoder name="gate-open"><parent>gate</parent>
  <prematch>^open </prematch>
  <regex offset="after_prematch">^(\S+) by (\w+)</regex><order>srcip, user</order></decoder>
<decoder name="gate-any"><parent>gate</parent>
  <regex>from (\S+)</regex><order>srcip</order></decoder>
<decoder name="gate-late"><parent>gate</parent>
  <prematch>late</prematch><use_own_name>true</use_own_name></decoder>)");
    const Row rows[] = {
        {"Nov 14 18:09:12 h gate: open 1.2.3.4 by bob", "gate srcip=1.2.3.4 dstuser=bob"},
        {"Nov 14 18:09:12 h gate: open sesame", "gate"},
        {"Nov 14 18:09:12 h gate: shut from 9.9.9.9", "gate srcip=9.9.9.9"},
        {"Nov 14 18:09:12 h gate: late", "gate"},
        {"Nov 14 18:09:12 h gates: late", "-"},
    };
    check(set, rows);
    CHECK(set.find_decoder_id("gate-open"));  // rules may name it, no event has it
    CHECK(set.find_decoder_id("gate-late") != set.find_decoder_id("gate"));
}

TEST_CASE("decoder_set: a program name decides which list is tried") {
    const auto set = decoders_from(R"(
<decoder name="named"><program_name>^prog</program_name><prematch>^yes</prematch></decoder>
<decoder name="named-pcre2"><program_name_pcre2>^pr[o0]g</program_name_pcre2></decoder>
<decoder name="bare"><prematch>^NOPN</prematch></decoder>)");
    const Row rows[] = {
        {"Nov 14 18:09:12 h prog: yes", "named"},
        {"Nov 14 18:09:12 h prog: no", "named-pcre2"},
        {"Nov 14 18:09:12 h other: NOPN", "-"},
        {"NOPN", "bare"},
        {"yes", "-"},
    };
    check(set, rows);
    CHECK(set.program_decoders().size() == 2);
    CHECK(set.other_decoders().size() == 1);
}

TEST_CASE("decoder_set: lines of iplog fall back to decoders without a program name") {
    const auto set = decoders_from(R"(
<decoder name="udp"><program_name>^UDP$</program_name></decoder>
<decoder name="iplog-scan"><prematch>\S+ scan detected</prematch></decoder>)");
    const Row rows[] = {
        {"Nov 14 18:09:12 TCP: SYN scan detected", "iplog-scan"},
        {"Nov 14 18:09:12 ICMP: SYN scan detected", "iplog-scan"},
        {"Nov 14 18:09:12 ICMP/UDP: SYN scan detected", "iplog-scan"},
        {"Nov 14 18:09:12 SCTP: port scan detected", "iplog-scan"},
        {"Nov 14 18:09:12 IP: protocol scan detected", "iplog-scan"},
        {"Nov 14 18:09:12 host iplog[12]: TCP: SYN scan detected", "iplog-scan"},
        {"Nov 14 18:09:12 UDP: SYN scan detected", "udp"},
        // Not iplog's own file: the header names a host.
        {"Nov 14 18:09:12 host TCP: SYN scan detected", "-"},
        {"Nov 14 18:09:12 host IP: protocol scan detected", "-"},
        {"Nov 14 18:09:12 host prog: SYN scan detected", "-"},
        {"Nov 14 18:09:12 IGMP: SYN scan detected", "-"},
    };
    check(set, rows);
}

TEST_CASE("decoder_set: either list may be empty, and ids still work") {
    const auto only_bare = decoders_from(R"(<decoder name="a"><prematch>a</prematch></decoder>)");
    CHECK(decoded(only_bare, "a") == "a");
    CHECK(decoded(only_bare, dated("h prog: a")) == "-");
    const auto only_named =
        decoders_from(R"(<decoder name="p"><program_name>p</program_name></decoder>)");
    CHECK(decoded(only_named, dated("h p: a")) == "p");
    CHECK(decoded(only_named, "a") == "-");
    CHECK(only_named.find_decoder_id("p"));
}

TEST_CASE("decoder_set: offsets") {
    const auto set = decoders_from(R"(
<decoder name="p"><prematch>^one </prematch></decoder>
<decoder name="c1"><parent>p</parent>
  <prematch offset="after_parent">^two </prematch>
  <regex offset="after_parent">^(\w+)</regex><order>id</order></decoder>
<decoder name="c2"><parent>p</parent>
  <prematch offset="after_parent">^three </prematch>
  <pcre2 offset="after_prematch">^(\w+) </pcre2><order>id</order></decoder>
<decoder name="c2"><parent>p</parent>
  <pcre2 offset="after_regex">^(\w+)</pcre2><order>url</order></decoder>
<decoder name="c3"><parent>p</parent>
  <prematch>four</prematch>
  <regex>^(\w+)</regex><order>id</order></decoder>
<decoder name="lone"><prematch>^lone </prematch>
  <regex offset="after_prematch">^(\w+)</regex><order>id</order></decoder>
<decoder name="q"><program_name>^q$</program_name></decoder>
<decoder name="q1"><parent>q</parent>
  <regex offset="after_parent">^(\w+)</regex><order>id</order></decoder>)");
    const Row rows[] = {
        {"one two x", "p id=two"},
        {"one three x y", "p id=x url=y"},
        // The regex of the first failed: after_regex is after_prematch.
        {"one three x", "p url=x"},
        {"one x four", "p id=one"},
        {"lone x", "lone id=x"},
        {"Nov 14 18:09:12 h q: word", "q id=word"},
    };
    check(set, rows);
}

TEST_CASE("decoder_set: the pieces of a chain are found in any order, failing ones are skipped") {
    const auto set = decoders_from(R"(
<decoder name="kv"><prematch>^kv </prematch></decoder>
<decoder name="kv-all"><parent>kv</parent><regex>a=(\S+)</regex><order>a</order></decoder>
<decoder name="kv-all"><parent>kv</parent><regex>b=(\S+)</regex><order>b</order></decoder>
<decoder name="kv-all"><parent>kv</parent><regex>c=(\S+)</regex><order>c</order></decoder>)");
    const Row rows[] = {
        {"kv a=1 b=2 c=3", "kv a=1 b=2 c=3"},
        {"kv c=3 b=2 a=1", "kv a=1 b=2 c=3"},
        {"kv c=3 a=1", "kv a=1 c=3"},
        {"kv b=2", "kv b=2"},
        {"kv", "-"},
        {"kv ", "kv"},
    };
    check(set, rows);
}

TEST_CASE("decoder_set: a chain whose prematch fails is skipped as a whole") {
    const auto set = decoders_from(R"(
<decoder name="k"><prematch>^k </prematch></decoder>
<decoder name="x"><parent>k</parent><prematch>x</prematch><regex>x=(\S+)</regex><order>x</order></decoder>
<decoder name="x"><parent>k</parent><regex>y=(\S+)</regex><order>y</order></decoder>
<decoder name="z"><parent>k</parent><regex>z=(\S+)</regex><order>z</order></decoder>)");
    const Row rows[] = {
        {"k y=1 z=2", "k z=2"},
        {"k x=0 y=1 z=2", "k x=0 y=1"},
    };
    check(set, rows);
}

TEST_CASE("decoder_set: the own regex of a decoder with children is never used") {
    const auto set = decoders_from(R"(
<decoder name="p"><prematch>^p </prematch><regex>(\d+)</regex><order>id</order></decoder>
<decoder name="c"><parent>p</parent><prematch>child</prematch></decoder>)");
    CHECK(decoded(set, "p 12") == "p");
}

TEST_CASE("decoder_set: the first top-level decoder that matches is the only one") {
    const auto set = decoders_from(R"(
<decoder name="first"><prematch>^a</prematch></decoder>
<decoder name="first-child"><parent>first</parent><prematch>never</prematch></decoder>
<decoder name="second"><prematch>^ab</prematch></decoder>)");
    CHECK(decoded(set, "ab") == "first");
}

TEST_CASE("decoder_set: a child belongs to every parent of that name so far") {
    const auto set = decoders_from(R"(
<decoder name="twin"><prematch>^a</prematch></decoder>
<decoder name="twin"><program_name>^b</program_name></decoder>
<decoder name="child"><parent>twin</parent><regex>(\d)</regex><order>id</order></decoder>
<decoder name="twin"><prematch>^c</prematch></decoder>)");
    CHECK(decoded(set, "a1") == "twin id=1");
    CHECK(decoded(set, dated("h b: 1")) == "twin id=1");
    CHECK(decoded(set, "c1") == "twin");
}

TEST_CASE("decoder_set: captures that took no part leave no gap") {
    const auto set = decoders_from(R"(
<decoder name="d"><prematch>^k1</prematch>
<pcre2>k1=(\S+)(?: k2=(\S+))?(?: k3=(\S+))?</pcre2><order>one, two, three</order></decoder>)");
    CHECK(decoded(set, "k1=a k3=c") == "d one=a two=c");
    CHECK(decoded(set, "k1=a k2=b k3=c") == "d one=a two=b three=c");
}

TEST_CASE("decoder_set: the decoder that decides gives type, fts and accumulate") {
    const auto set = decoders_from(R"(
<decoder name="p"><prematch>^p</prematch><type>firewall</type></decoder>
<decoder name="c"><parent>p</parent><prematch>c</prematch><type>ids</type>
  <use_own_name>true</use_own_name><regex>(\d)(\d)</regex><order>id,srcuser</order>
  <fts>name, srcuser, location</fts><accumulate/></decoder>
<decoder name="r"><parent>p</parent><regex>r(\d)</regex><order>id</order><type>squid</type></decoder>)");
    event::Event event;
    pattern::MatchScratch scratch;
    const auto run = [&](std::string_view line) {
        event.reset(line, "stdin", {});
        decode::predecode(event, "local");
        set.decode(event, scratch);
    };
    run("p c12");
    CHECK(event.decoder_name == "c");
    CHECK(event.decoder_parent == "p");
    CHECK(event.decoder_id == set.find_decoder_id("c"));
    CHECK(event.type == event::EventType::Ids);
    CHECK(event.accumulates);
    REQUIRE(event.fts);
    // OSSEC-COMPAT: srcuser selects dstuser.
    CHECK((*event.fts)[static_cast<std::size_t>(event::FtsPart::DstUser)]);
    CHECK((*event.fts)[static_cast<std::size_t>(event::FtsPart::Location)]);
    CHECK(event.fts->count() == 2);
    CHECK(event.field(event::FieldId::SrcUser) == std::string_view("2"));
    run("p r1");
    CHECK(event.decoder_name == "p");
    CHECK(event.type == event::EventType::Squid);
    run("p r");  // the regex failed: the parent stays
    CHECK(event.type == event::EventType::Firewall);
    CHECK_FALSE(event.fts);
    CHECK_FALSE(event.accumulates);
    run("none");
    CHECK(event.decoder_id == 0);
    CHECK(event.decoder_name.empty());
    CHECK(event.type == event::EventType::Syslog);
}

TEST_CASE("decoder_set: built-in names are known without any file") {
    const decode::DecoderSet empty;
    for (const char* name : {"rootcheck", "syscheck_integrity_changed", "syscheck_new_entry",
                             "syscheck_deleted", "hostinfo_new", "hostinfo_modified"}) {
        CAPTURE(name);
        CHECK(empty.find_decoder_id(name));
    }
    CHECK_FALSE(empty.find_decoder_id("sshd"));
    CHECK(decoded(empty, "anything") == "-");
    CHECK(empty.decoder_names().size() == 8);
}

TEST_CASE("decoder_set: an observer is called for each step") {
    struct Log : decode::DecodeObserver {
        std::string text;
        void tried(const decode::Decoder& decoder, Step step, const pattern::Pattern&,
                   std::string_view subject, bool matched) override {
            text += decoder.name + (step == Step::ProgramName ? " program "
                                    : step == Step::Prematch  ? " prematch "
                                                              : " regex ");
            text += "'" + std::string(subject) + "' " + (matched ? "yes\n" : "no\n");
        }
        void fell_back() override { text += "fell back\n"; }
    };
    const auto set = decoders_from(R"(
<decoder name="n"><program_name>^x</program_name></decoder>
<decoder name="p"><prematch>^a </prematch></decoder>
<decoder name="c"><parent>p</parent>
<regex offset="after_parent">(\d)</regex><order>id</order></decoder>)");
    Log log;
    CHECK(decoded(set, dated("TCP: a 1"), &log) == "p id=1");
    CHECK(log.text ==
          "n program 'TCP' no\n"
          "fell back\n"
          "p prematch 'a 1' yes\n"
          "c regex '1' yes\n");
}

TEST_CASE("decoder_set: the published decoders for iplog match the published lines") {
    const auto folder = std::filesystem::path(PORTCULLIS_CONFORMANCE_DIR) / "published";
    std::ifstream lines(folder / "lines.log");
    base::Diagnostics diagnostics;
    const auto document = xml::Document::load((folder / "decoders.xml").string(), "decoders.xml",
                                              xml::Variables::Substitute, diagnostics);
    if (!lines || !document) {
        WARN("skipped: no conformance data at " << folder);
        return;
    }
    const auto set = decode::load_decoders({*document}, diagnostics);
    REQUIRE(set);
    std::map<std::string, int> counts;
    for (std::string line; std::getline(lines, line);) {
        const auto result = decoded(*set, line);
        ++counts[result.substr(0, result.find(' '))];
    }
    CHECK(counts["iplog-scan"] == 11);
    CHECK(counts["iplog-flood"] == 2);
    CHECK(counts["iplog-pingflood"] == 2);
    CHECK(counts["iplog-bogustcp"] == 2);
    CHECK(counts["iplog-traceroute"] == 0);  // its pattern has a slip
}

TEST_CASE("decoder_set: a line allocates nothing once the buffers have their size") {
    const auto set = decoders_from(R"(
<decoder name="gate"><program_name>^gate$|^door$</program_name></decoder>
<decoder name="gate-open"><parent>gate</parent><prematch>open \S+ </prematch>
  <regex offset="after_prematch">^(\S+) by (\w+) (\w+)</regex><order>srcip, user, how</order></decoder>
<decoder name="other"><prematch>^\S+ other</prematch>
  <pcre2>(\d+)</pcre2><order>id</order></decoder>)");
    event::Event event;
    pattern::MatchScratch scratch;
    const auto decode_all = [&] {
        for (const std::string_view line :
             {"Nov 14 18:09:12 gatehouse1 gate[12]: open wide 1.2.3.4 by bob quickly",
              "some other line with the number 1234567890", "nothing that is known at all",
              "Nov 14 18:09:12 gatehouse1 gate[12]: caf\xe9 open wide 1.2.3.4 by bob quickly"}) {
            event.reset(line, "stdin", {});
            decode::predecode(event, "local");
            set.decode(event, scratch);
        }
    };
    decode_all();
    const auto before = test::allocation_count();
    REQUIRE(before > 0);
    decode_all();
    CHECK(test::allocation_count() == before);
}
