#include "sensor/lookup/name_resolver.hpp"

#include <deque>

#include "tests/support/loopback_dns.hpp"

using namespace portcullis;
using namespace portcullis::sensor_lookup;
using namespace portcullis::test;
using base::IpAddress;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Answers on request of the test.
struct FakeServer {
    using Query = LoopbackDns::Query;
    explicit FakeServer(base::EventLoop& loop)
        : dns(loop, [this](Query query) { queries.push_back(std::move(query)); }) {}
    void answer(const Query& query, const Bytes& bytes) const { dns.answer(query, bytes); }

    std::deque<Query> queries;
    LoopbackDns dns;
};

struct Lab {
    base::EventLoop loop;
    FakeServer server{loop};
    std::unique_ptr<NameResolver> resolver;
    IpAddress scanner = *IpAddress::parse("192.0.2.1");

    NameResolverSettings settings() const {
        NameResolverSettings made;
        made.dns.servers = {{*IpAddress::parse("127.0.0.1"), server.dns.port()}};
        made.dns.timeout = milliseconds(50);
        made.dns.tries = 1;
        return made;
    }
    explicit Lab(std::function<void(NameResolverSettings&)> edit = [](NameResolverSettings&) {}) {
        NameResolverSettings made = settings();
        edit(made);
        auto started = NameResolver::start(loop, made);
        REQUIRE(started);
        resolver = std::move(*started);
    }
    template <class Condition>
    void wait_for(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + seconds(10);
        bool holds = condition();
        while (!holds && std::chrono::steady_clock::now() < deadline) {
            loop.run_once(milliseconds(20));
            holds = condition();
        }
        REQUIRE(holds);
    }
    std::string ask(const IpAddress& address) {
        std::string name(resolver->name_of(address));
        resolver->send_waiting();
        return name;
    }
};

}  // namespace

TEST_CASE("name_resolver: a name is there for the line after its answer, and asked for once") {
    Lab lab;
    CHECK(lab.ask(lab.scanner).empty());
    CHECK(lab.ask(lab.scanner).empty());
    lab.wait_for([&] { return !lab.server.queries.empty(); });
    const auto query = lab.server.queries.front();
    sensor_packet::Packet packet;
    packet.transport = sensor_packet::Transport::Udp;
    packet.source = *IpAddress::parse("127.0.0.1");
    packet.source_port = lab.server.dns.port();
    packet.destination_port = ntohs(query.peer.sin_port);
    CHECK(lab.resolver->is_own_answer(packet));
    packet.source_port = 53;
    CHECK_FALSE(lab.resolver->is_own_answer(packet));
    lab.server.answer(query, dns_answer(query.bytes, 0, {ptr("mail.example", 300)}));
    lab.wait_for([&] { return lab.resolver->counters().answered == 1; });
    CHECK(lab.ask(lab.scanner) == "mail.example");
    CHECK(lab.server.queries.size() == 1);
    CHECK(lab.resolver->counters().asked == 1);
}

TEST_CASE("name_resolver: that there is no name is remembered too") {
    Lab lab;
    lab.ask(lab.scanner);
    lab.wait_for([&] { return !lab.server.queries.empty(); });
    lab.server.answer(lab.server.queries.front(),
                      dns_answer(lab.server.queries.front().bytes, 3, {}, {soa(900, 900)}));
    lab.wait_for([&] { return lab.resolver->counters().answered == 1; });
    CHECK(lab.ask(lab.scanner).empty());
    CHECK(lab.resolver->counters().asked == 1);
}

TEST_CASE("name_resolver: a server that does not answer costs a minute without the name, no wait") {
    Lab lab;
    lab.ask(lab.scanner);
    lab.wait_for([&] { return lab.resolver->counters().failed == 1; });
    CHECK(lab.ask(lab.scanner).empty());
    CHECK(lab.resolver->counters().asked == 1);
}

TEST_CASE("name_resolver: a false answer gives no name") {
    Lab lab([](NameResolverSettings& settings) { settings.dns.timeout = milliseconds(300); });
    lab.ask(lab.scanner);
    lab.wait_for([&] { return !lab.server.queries.empty(); });
    const auto query = lab.server.queries.front();
    // Another question's answer, and one with another id, are not taken; the forged name is.
    lab.server.answer(
        query, dns_answer(dns_question("9.9.9.9.in-addr.arpa"), 0, {ptr("trusted.example", 300)}));
    Bytes other_id = dns_answer(query.bytes, 0, {ptr("trusted.example", 300)});
    other_id[0] = static_cast<std::uint8_t>(other_id[0] ^ 0xff);
    lab.server.answer(query, other_id);
    lab.server.answer(query, dns_answer(query.bytes, 0, {ptr("x from 9.9.9.9:1\n", 300)}));
    lab.wait_for([&] { return lab.resolver->counters().answered == 1; });
    CHECK(lab.ask(lab.scanner).empty());
}

TEST_CASE("name_resolver: questions at once and per second are bounded") {
    Lab lab([](NameResolverSettings& settings) {
        settings.max_questions = 4;
        settings.questions_per_second = 6;
    });
    const auto source = [](int i) {
        return IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(i)});
    };
    for (int i = 0; i < 20; ++i) {
        lab.resolver->name_of(source(i));
    }
    lab.resolver->send_waiting();
    CHECK(lab.resolver->counters().asked == 4);
    CHECK(lab.resolver->counters().not_asked == 16);
    lab.wait_for([&] { return lab.resolver->counters().failed == 4; });
    for (int i = 20; i < 24; ++i) {
        lab.resolver->name_of(source(i));
    }
    lab.resolver->send_waiting();
    CHECK(lab.resolver->counters().asked <= 8);
    // One that was not asked is asked by a later line.
    lab.wait_for([&] {
        lab.ask(source(19));
        return std::any_of(
            lab.server.queries.begin(), lab.server.queries.end(), [](const auto& query) {
                return query.bytes.size() > 15 && query.bytes[13] == '1' && query.bytes[14] == '9';
            });
    });
}

TEST_CASE("name_resolver: without servers nothing is asked") {
    Lab lab([](NameResolverSettings& settings) { settings.dns.servers.clear(); });
    CHECK(lab.ask(lab.scanner).empty());
    CHECK(lab.resolver->counters().asked == 0);
    REQUIRE(lab.resolver->set_settings(lab.settings()));
    CHECK(lab.ask(lab.scanner).empty());
    CHECK(lab.resolver->counters().asked == 1);
}

TEST_CASE(
    "name_cache: evicts at the end of the TTL, and the address that was queried the longest time "
    "ago") {
    NameCache cache(2);
    const NameCache::Time now{};
    const auto address = [](int i) {
        return IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(i)});
    };
    cache.put(address(1), "one", now + seconds(10));
    cache.put(address(2), "", now + seconds(20));
    CHECK(cache.find(address(1), now + seconds(9)) == "one");
    CHECK(cache.find(address(2), now) == "");
    CHECK(cache.find(address(1), now) == "one");
    cache.put(address(3), "three", now + seconds(10));
    CHECK(cache.evictions() == 1);
    CHECK_FALSE(cache.find(address(2), now));
    CHECK(cache.find(address(1), now) == "one");
    CHECK_FALSE(cache.find(address(1), now + seconds(10)));
    CHECK(cache.size() == 1);
}
