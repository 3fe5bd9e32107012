#include "engine/names/crawler_resolver.hpp"

#include <algorithm>
#include <map>

#include "tests/support/loopback_dns.hpp"

namespace portcullis::names {
namespace {

using base::IpAddress;
using test::Bytes;

constexpr unsigned kTypeA = 1;
constexpr std::chrono::seconds kDeadline{20};

// Knows the records that it is given.
struct FakeServer {
    explicit FakeServer(base::EventLoop& loop)
        : dns(loop, [this](const test::LoopbackDns::Query& query) { answer(query); }) {}

    void answer(const test::LoopbackDns::Query& query) {
        if (query.bytes.size() < 17) {
            return;
        }
        ++questions;
        const auto begin = query.bytes.begin() + 12;
        const auto end = std::find(begin, query.bytes.end(), std::uint8_t{0}) + 1;
        const auto record = records.find(Bytes(begin, end));
        if (!is_silent) {
            dns.answer(query, record == records.end()
                                  ? test::dns_answer(query.bytes, 3, {})
                                  : test::dns_answer(query.bytes, 0, {record->second}));
        }
    }

    std::map<Bytes, test::DnsRecord> records;  // by name
    int questions = 0;
    bool is_silent = false;
    test::LoopbackDns dns;
};

struct Lab {
    base::EventLoop loop;
    FakeServer server{loop};
    std::unique_ptr<CrawlerResolver> resolver;

    explicit Lab(CrawlerResolverSettings settings = {}) {
        settings.dns.servers = {{*base::IpAddress::parse("127.0.0.1"), server.dns.port()}};
        settings.dns.timeout = std::chrono::milliseconds(50);
        settings.dns.tries = 1;
        auto started = CrawlerResolver::start(loop, settings);
        REQUIRE(started);
        resolver = std::move(*started);
        add_name("1.2.0.192.in-addr.arpa", "crawl-1.GoogleBot.com");
        add_address("crawl-1.GoogleBot.com", {192, 0, 2, 1});
        add_name("2.2.0.192.in-addr.arpa", "crawl-2.googlebot.com");  // leads to another address
        add_address("crawl-2.googlebot.com", {192, 0, 2, 1});
        add_name("3.2.0.192.in-addr.arpa", "googlebot.com.example.org");
        add_name("6." + std::string("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.") +
                     "8.b.d.0.1.0.0.2.ip6.arpa",
                 "crawl-6.googlebot.com");
        server.records.insert({test::dns_name("crawl-6.googlebot.com"),
                               {28, 60, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6}}});
        add_name("4.2.0.192.in-addr.arpa", "crawl-4.googlebot.com");  // leads nowhere
    }
    void add_name(std::string_view owner, std::string_view name) {
        server.records.insert({test::dns_name(owner), test::ptr(name, 60)});
    }
    void add_address(std::string_view owner, const Bytes& address) {
        server.records.insert({test::dns_name(owner), test::DnsRecord{kTypeA, 60, address}});
    }
    bool ask(std::string_view address) {
        return resolver->look_up_crawler(*IpAddress::parse(address));
    }
    // Runs until this number of questions was received and answered.
    template <class Holds>
    void run_until(Holds holds) {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (!holds() && std::chrono::steady_clock::now() < deadline) {
            loop.run_once(std::chrono::milliseconds(20));
        }
        REQUIRE(holds());
    }
    void run_a_while() {
        for (int round = 0; round < 10; ++round) {
            loop.run_once(std::chrono::milliseconds(1));
        }
    }
};

TEST_CASE("crawler_resolver: an address is a crawler's once its name leads back to it") {
    Lab lab;
    CHECK_FALSE(lab.ask("192.0.2.1"));  // not known yet: nobody waits
    CHECK(lab.server.questions == 0);   // nothing is sent while a line is analysed
    lab.run_until([&] { return lab.ask("192.0.2.1"); });
    CHECK(lab.server.questions == 2);
    CHECK(lab.resolver->counters().asked == 1);
    lab.run_until([&] { return lab.ask("2001:db8::6"); });
}

TEST_CASE(
    "crawler_resolver: a name that proves nothing does not make a crawler, and is not asked "
    "again") {
    Lab lab;
    for (const char* address :
         {"192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "2001:db8::1"}) {
        CAPTURE(address);
        CHECK_FALSE(lab.ask(address));
    }
    lab.run_until([&] { return lab.server.questions == 7; });  // two of the names are looked up
    lab.run_a_while();
    for (const char* address :
         {"192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "2001:db8::1"}) {
        CHECK_FALSE(lab.ask(address));
    }
    lab.run_a_while();
    CHECK(lab.server.questions == 7);
    CHECK(lab.resolver->counters().asked == 5);
    CHECK(lab.resolver->counters().failed == 0);
}

TEST_CASE("crawler_resolver: without an answer an address is not a crawler's for a time") {
    Lab lab;
    lab.server.is_silent = true;
    CHECK_FALSE(lab.ask("192.0.2.1"));
    lab.run_until([&] { return lab.resolver->counters().failed == 1; });
    const int questions = lab.server.questions;
    CHECK_FALSE(lab.ask("192.0.2.1"));
    lab.run_a_while();
    CHECK(lab.server.questions == questions);
}

TEST_CASE("crawler_resolver: what strangers can make it ask and remember is bounded") {
    CrawlerResolverSettings settings;
    settings.max_questions = 3;
    settings.questions_a_second = 1'000'000;
    settings.max_known = 2;
    Lab lab(settings);
    for (int i = 1; i <= 10; ++i) {
        lab.ask("198.51.100." + std::to_string(i));
        lab.ask("198.51.100." + std::to_string(i));  // asked for already
    }
    CHECK(lab.resolver->counters().not_asked >= 7);
    lab.run_until([&] { return lab.resolver->counters().evicted == 1; });
    CHECK(lab.resolver->counters().asked == 3);

    settings.max_questions = 100;
    settings.questions_a_second = 0;
    Lab slow(settings);
    slow.ask("198.51.100.1");
    slow.ask("127.0.0.1");  // special use: never asked for
    CHECK(slow.resolver->counters().not_asked == 1);
}

TEST_CASE("crawler_resolver: it can be ended while a question is open") {
    Lab lab;
    lab.server.is_silent = true;
    lab.ask("192.0.2.1");
    lab.run_until([&] { return lab.server.questions == 1; });
    lab.resolver.reset();
    lab.run_a_while();
}

TEST_CASE("crawler_resolver: names of googlebot.com, and those that only look so") {
    for (const char* name : {"googlebot.com", "a.googlebot.com", "A.B.GOOGLEBOT.COM."}) {
        CHECK(is_crawler_name(name));
    }
    for (const char* name : {"", ".", "googlebot.co", "evilgooglebot.com", "googlebot.com.evil.org",
                             "googlebot.com..", "a.googlebot.comm"}) {
        CAPTURE(name);
        CHECK_FALSE(is_crawler_name(name));
    }
}

}  // namespace
}  // namespace portcullis::names
