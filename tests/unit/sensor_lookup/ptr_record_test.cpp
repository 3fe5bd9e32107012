#include "sensor/lookup/ptr_record.hpp"

#include "tests/support/dns_message.hpp"

using namespace portcullis::sensor_lookup;
using namespace portcullis::test;
using portcullis::base::IpAddress;
using std::chrono::seconds;

namespace {
const Bytes kQuestion = dns_question("1.2.0.192.in-addr.arpa");
}

TEST_CASE("ptr_record: an answer gives the name and the least TTL on the way to it") {
    struct Row {
        const char* what;
        Bytes answer;
        std::string name;
        int lifetime;
    };
    const Row rows[] = {
        {"a name", dns_answer(kQuestion, 0, {ptr("mail.example", 300)}), "mail.example", 300},
        {"the first of two", dns_answer(kQuestion, 0, {ptr("a.example", 9), ptr("b.example", 8)}),
         "a.example", 9},
        {"behind a CNAME (RFC 2317)",
         dns_answer(kQuestion, 0,
                    {{5, 60, dns_name("1.0-7.2.0.192.in-addr.arpa")}, ptr("mail.example", 3600)}),
         "mail.example", 60},
        {"other records are passed over",
         dns_answer(kQuestion, 0, {{1, 5, {1, 2, 3, 4}}, ptr("mail.example", 300)}), "mail.example",
         300},
        {"no such name", dns_answer(kQuestion, 3, {}, {soa(900, 120)}), "", 120},
        {"no record of that type", dns_answer(kQuestion, 0, {}, {soa(100, 900)}), "", 100},
        {"none, without a SOA record", dns_answer(kQuestion, 3, {}), "", 60},
        {"a TTL with its highest bit set is 0",
         dns_answer(kQuestion, 0, {ptr("a.example", 1U << 31)}), "a.example", 0},
    };
    for (const Row& row : rows) {
        DYNAMIC_SECTION(row.what) {
            const auto answer = parse_ptr_answer(row.answer);
            REQUIRE(answer);
            CHECK(answer->name == row.name);
            CHECK(answer->lifetime == seconds(row.lifetime));
        }
    }
}

TEST_CASE("ptr_record: a name that could forge a line, or pass for an address, is none") {
    for (const char* name : {
             "evil\nNov  9 16:24:47 TCP: SYN scan detected from 192",
             "x from 9.9.9.9",
             "a b.example",
             "a->b.example",
             "mail.example (9",
             "a]:1.example",
             "root@evil.example",
             "9.9.9.9",
             "example.7",
             "fd00::1",
             "-x.example",
             "x-.example",
             "caf\xc3\xa9.example",
             "x\x1b[2J.example",
         }) {
        CAPTURE(name);
        CHECK_FALSE(is_host_name(name));
        const auto answer = parse_ptr_answer(dns_answer(kQuestion, 0, {ptr(name, 300)}));
        REQUIRE(answer);
        CHECK(answer->name.empty());
    }
    for (const char* name :
         {"mail.example", "host7", "7host.a", "_dmarc.example", "x.y-z.Example"}) {
        CAPTURE(name);
        CHECK(is_host_name(name));
    }
    CHECK_FALSE(is_host_name(""));
    CHECK_FALSE(is_host_name("a..b"));
    CHECK_FALSE(is_host_name("a."));
    CHECK_FALSE(is_host_name(std::string(64, 'a')));
    std::string longest;
    for (int i = 0; i < 130; ++i) {
        longest += "a.";
    }
    CHECK_FALSE(is_host_name(longest + "a"));
}

TEST_CASE("ptr_record: a dot within a label makes no other name") {
    Bytes data{11};
    for (const char c : std::string("mail.exampl")) {
        data.push_back(static_cast<std::uint8_t>(c));
    }
    data.push_back(0);
    const auto answer = parse_ptr_answer(dns_answer(kQuestion, 0, {{12, 300, data}}));
    REQUIRE(answer);
    CHECK(answer->name.empty());
}

TEST_CASE("ptr_record: a damaged answer, or one that says nothing, is refused") {
    const Bytes good = dns_answer(kQuestion, 0, {ptr("mail.example", 300)});
    for (std::size_t size = 0; size < good.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(parse_ptr_answer({good.data(), size}));
    }
    Bytes loop = dns_answer(kQuestion, 0, {{12, 300, {0xc0, 0}}});
    const std::size_t at = loop.size() - 2;
    loop[at] = static_cast<std::uint8_t>(0xc0 | (at >> 8));
    loop[at + 1] = static_cast<std::uint8_t>(at);
    CHECK_FALSE(parse_ptr_answer(loop));
    CHECK_FALSE(parse_ptr_answer(kQuestion));
    CHECK_FALSE(parse_ptr_answer(dns_answer(kQuestion, 2, {})));  // SERVFAIL
    CHECK_FALSE(parse_ptr_answer(dns_answer(kQuestion, 5, {})));  // REFUSED
}
