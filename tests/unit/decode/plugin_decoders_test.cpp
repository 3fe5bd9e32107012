#include "engine/decode/plugin_decoders.hpp"

#include <algorithm>

#include "tests/support/decoders.hpp"

using namespace portcullis;

namespace {

// The fields that a plugin reads from a log, and the type if it changes it.
std::string read_by(std::string_view plugin, std::string_view log) {
    const auto rows = decode::plugin_decoders();
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const auto& candidate) { return candidate.name == plugin; });
    REQUIRE(row != rows.end());
    event::Event event;
    pattern::MatchScratch scratch;
    event.reset(log, "stdin", {});
    row->decode(event, scratch);
    std::string out;
    for (const auto& field : event.decoded()) {
        out += std::string(field.label) + '=' + std::string(field.value) + ' ';
    }
    return out + std::string(event::name_of(event.type));
}

struct Row {
    std::string_view log;
    std::string_view fields;
};

template <class Rows>
void check(std::string_view plugin, const Rows& rows) {
    for (const Row& row : rows) {
        CAPTURE(plugin, row.log);
        CHECK(read_by(plugin, row.log) == row.fields);
    }
}

}  // namespace

TEST_CASE("plugin_decoders: each row reads its sample") {
    for (const auto& row : decode::plugin_decoders()) {
        CAPTURE(row.name);
        CHECK_FALSE(row.help.empty());
        CHECK(read_by(row.name, row.sample).find('=') != std::string::npos);
        CHECK(read_by(row.name, "") == "syslog");
    }
}

TEST_CASE("plugin_decoders: PF") {
    static constexpr Row kRows[] = {
        {"rule 4/(match) block in on lo0: 127.0.0.1.48784 > 127.0.0.2.23: S 138:138(0) win 16384",
         "action=block srcip=127.0.0.1 srcport=48784 dstip=127.0.0.2 dstport=23 proto=TCP syslog"},
        {"rule 3/(match) pass out on xl0: 192.168.2.10.1514 > 192.168.2.190.1030:  udp 73",
         "action=pass srcip=192.168.2.10 srcport=1514 dstip=192.168.2.190 dstport=1030 proto=UDP "
         "syslog"},
        {"rule 3/(match) pass in on xl0: 10.0.0.1 > 10.0.0.2: icmp: echo request",
         "action=pass srcip=10.0.0.1 dstip=10.0.0.2 proto=ICMP syslog"},
        {"rule 3/(match) scrub in on xl0: 10.0.0.1 > 10.0.0.2: icmp", "syslog"},
        {"rule 3/(match) pass in on xl0", "action=pass syslog"},
        {"rule 3/(match) pass in on xl0: 10.0.0.1", "action=pass syslog"},
        {"rule 3/(match) pass in on xl0: 10.0.0.1 ", "action=pass srcip=10.0.0.1 syslog"},
        {"rule 3/(match) pass in on xl0: 10.0.0.1 > 1", "action=pass srcip=10.0.0.1 syslog"},
    };
    check("PF_Decoder", kRows);
}

TEST_CASE("plugin_decoders: Symantec Web Security") {
    static constexpr Row kRows[] = {
        {"20070717,73613,1=5,11=10.1.1.3,10=userc,3=1,2=1",
         "srcip=10.1.1.3 dstuser=userc id=3=1,2=1 syslog"},
        {"20070717,73614,1=5,11=216.6.195.1,60=http://a.b/c,10=u,10=v,2=27,3=7",
         "srcip=216.6.195.1 url=http://a.b/c dstuser=u id=2=27,3=7 syslog"},
        {"1=5,3=123456789012", "id=3=1234567 syslog"},
    };
    check("SymantecWS_Decoder", kRows);
}

TEST_CASE("plugin_decoders: SonicWall") {
    const std::string head = "id=firewall sn=0 time=\"2007-01-03 14:48:06\" fw=1.1.1.1 ";
    const std::string ends = "src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN";
    const std::string fields = "srcip=2.2.2.2 srcport=36701 dstip=1.1.1.1 dstport=50000 ";
    struct Case {
        std::string log;
        std::string fields;
    };
    const Case cases[] = {
        {"pri=6 c=262144 m=98 n=23419 " + ends + " proto=tcp/50000",
         "status=6 id=98 " + fields + "proto=tcp action=pass firewall"},
        {"pri=1 c=32 m=30 n=7 " + ends, "status=1 id=30 " + fields + "ids"},
        {"pri=5 c=64 m=36 n=2686 " + ends + " rule=0",
         "status=5 id=36 " + fields + "action=drop firewall"},
        {"pri=5 c=64 m=537 n=2 " + ends + " proto=protocol/1",
         "status=5 id=537 " + fields + "proto=protoc action=close firewall"},
        {"pri=5 c=64 m=97 n=2 " + ends + " result=404 dstname=a.b arg=/c",
         "status=5 id=97 " + fields + "id=404 url=a.b/c squid"},
        {"pri=5 c=64 m=7 n=2 ", "status=5 id=7 syslog"},
        {"pri=5 m=7", "syslog"},
    };
    for (const auto& row : cases) {
        CAPTURE(row.log);
        CHECK(read_by("SonicWall_Decoder", head + row.log) == row.fields);
    }
}

TEST_CASE("plugin_decoders: a type that a plugin sets does not stick to the decoder") {
    const auto set = test::decoders_from(R"(<decoder name="s"><prematch>^id=</prematch>
<type>firewall</type><plugin_decoder>SonicWall_Decoder</plugin_decoder></decoder>)");
    event::Event event;
    pattern::MatchScratch scratch;
    event.reset("id=firewall pri=1 c=32 m=30 n=7", "stdin", {});
    decode::predecode(event, "local");
    set.decode(event, scratch);
    CHECK(event.type == event::EventType::Ids);
    event.reset("id=other", "stdin", {});
    decode::predecode(event, "local");
    set.decode(event, scratch);
    CHECK(event.type == event::EventType::Firewall);
}

TEST_CASE("plugin_decoders: an alert of another OSSEC gives place, address, user and text") {
    event::Event event;
    pattern::MatchScratch scratch;
    const auto rows = decode::plugin_decoders();
    event.reset(
        "ossec: Alert Level: 3; Rule: 5715 - SSHD success.; Location: web1->/var/log/auth.log; "
        "srcip: 1.2.3.4; user: root;  Accepted password",
        "(gate) any->/var/log/messages", {});
    rows.back().decode(event, scratch);
    CHECK(event.field(event::FieldId::Id) == std::string_view("5715"));
    CHECK(event.field(event::FieldId::SrcIp) == std::string_view("1.2.3.4"));
    CHECK(event.field(event::FieldId::DstUser) == std::string_view("root"));
    CHECK(event.location == "(gate) any->/var/log/messages|web1->/var/log/auth.log");
    CHECK(event.log == "Accepted password");
    CHECK(event.forwarded_rule == 5715);

    for (const char* rule : {"", "x", "0", "-1", "1234567", "99999999999999999999"}) {
        CAPTURE(rule);
        event.reset("Alert Level: 3; Rule: " + std::string(rule) + " - x; Location: y; text",
                    "place", {});
        rows.back().decode(event, scratch);
        CHECK_FALSE(event.forwarded_rule);
        CHECK(event.type == event::EventType::Syslog);
    }
}
